"""HR's order from afar for a spot check: through the one gate, once, answered (I10, R18)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from joserfc.jwk import OKPKey

from agent.configuration.agreement import load_or_create_agreement_key
from agent.configuration.apply import Outcome, handle_message
from agent.configuration.message import RefusalCode
from agent.paths import Paths
from agent.store.database import Store
from agent.store.vault import Vault
from tests.checkin.other_rows import Lesson
from tests.clocks import ManualClock
from tests.configuration.officer import SOURCE, Officer, commission


@pytest.fixture
def officer(store: Store, clock: ManualClock, paths: Paths) -> Officer:
    return commission(store, clock, paths)


@pytest.fixture
def lesson(store: Store, clock: ManualClock, paths: Paths) -> Lesson:
    return Lesson(store, paths, clock, room="room")


def judge(lesson: Lesson, content: bytes) -> Outcome:
    key = load_or_create_agreement_key(lesson.paths.keys)
    vault, stamp = Vault(lesson.paths.keys), lesson.clock.now()
    return handle_message(lesson.store, vault, key, SOURCE, stamp, content, simulated=True)


def drawn(lesson: Lesson) -> list[dict[str, Any]]:
    return [data for _, data in lesson.facts("spot-check.drawn")]


@pytest.mark.rule("R18")
@pytest.mark.promise("I10")
def test_a_message_draws_a_trainee_once_and_its_answer_names_the_check(
    officer: Officer, lesson: Lesson
) -> None:
    lesson.look("accepted", lesson.person())
    message = officer.message({}, spot_check=5)
    assert judge(lesson, message).applied
    (check,) = drawn(lesson)
    assert (check["origin"], check["minutes"]) == ("message", 5)
    ((_, answer),) = lesson.facts("configuration.applied")
    assert answer["spot_check"] == check["spot_check"]
    assert judge(lesson, message).code is RefusalCode.REPLAY
    assert len(drawn(lesson)) == 1


@pytest.mark.promise("I10")
def test_what_is_refused_draws_nobody(officer: Officer, lesson: Lesson) -> None:
    outcome = judge(lesson, officer.message({"checkin.margin": 0.1}, spot_check=5))
    assert outcome.code is RefusalCode.INVALID
    assert "no trainee is present" in outcome.detail
    lesson.look("accepted", lesson.person())
    wrong = Officer(OKPKey.generate_key("Ed25519"), officer.agreement_key, officer.clock)
    assert judge(lesson, wrong.message({}, spot_check=5)).code is RefusalCode.WRONG_KEY
    late = officer.message({}, spot_check=5, expires_us=officer.clock.wall_us + 1)
    lesson.clock.advance(60)
    assert judge(lesson, late).code is RefusalCode.EXPIRED
    assert drawn(lesson) == []
    row = lesson.store.row("SELECT document FROM configuration")
    assert row is None or json.loads(row["document"])["revision"] == 0

"""HR's order from afar that the device judges a room, and its end: the rules of the page, through the one
gate (R6, I10)."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from joserfc.jwk import OKPKey

from agent.configuration.agreement import load_or_create_agreement_key
from agent.configuration.apply import Outcome, handle_message
from agent.configuration.document import ConfigurationError
from agent.configuration.message import RefusalCode
from agent.configuration.trust_order import order_text
from agent.paths import Paths
from agent.store.database import Store
from agent.store.vault import Vault
from agent.visibility.orders import newest_trust, standing_trust, state_of
from agent.visibility.trust import give, withdraw
from agent.visibility.trust_message import carry_out
from tests.clocks import ManualClock
from tests.configuration.officer import SOURCE, Officer, commission
from tests.evidence.schemas import problems_of_facts, validator
from tests.visibility.counted_hours import CountedRoom, bears_nothing
from tests.web.test_count_checks import facts, known_room


@pytest.fixture
def room(store: Store, paths: Paths, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> CountedRoom:
    """Thirty class hours were counted."""
    bears_nothing(monkeypatch)
    found = known_room(store, paths, clock, "room")
    found.ask_many()
    found.count()
    return found


@pytest.fixture
def officer(room: CountedRoom, store: Store, clock: ManualClock, paths: Paths) -> Officer:
    return commission(store, clock, paths)


def judge(room: CountedRoom, content: bytes) -> Outcome:
    keys = room.paths.keys
    return handle_message(
        room.store,
        Vault(keys),
        load_or_create_agreement_key(keys),
        SOURCE,
        room.clock.now(),
        content,
        simulated=True,
        order_trust=carry_out,
    )


def order(room: CountedRoom, officer: Officer, **fields: Any) -> bytes:
    """As HR write it who see the room as it stands."""
    if fields["action"] == "give":
        fields = {"after": state_of(newest_trust(room.store, "room"))} | fields
    revision = room.store.number("SELECT max(revision) FROM configuration")
    return officer.message_about_room(order_text(**fields), base_revision=revision)


@pytest.mark.rule("R6")
@pytest.mark.promise("I10")
def test_the_order_is_given_and_taken_back_from_afar_once(room: CountedRoom, officer: Officer) -> None:
    message = order(room, officer, action="give", calibration=1)
    assert judge(room, message).applied
    standing = standing_trust(room.store, "room")
    assert standing is not None
    (applied,) = facts(room.store, "configuration.applied")
    assert (applied["trust"]["action"], applied["trust"]["trust_id"]) == ("give", standing.id)
    assert judge(room, message).code is RefusalCode.REPLAY

    taken = order(room, officer, action="withdraw", trust=standing.id, reason="王老师说数得不准")
    outcome = judge(room, taken)
    assert outcome.applied and outcome.about_room["action"] == "withdraw"
    assert standing_trust(room.store, "room") is None
    (ended,) = facts(room.store, "room.trust-ended")
    assert (ended["reason"], ended["account"]) == ("withdrawn", "hr")
    for replayed in (message, taken):
        assert judge(room, replayed).code is RefusalCode.REPLAY
    assert standing_trust(room.store, "room") is None
    kept = room.store.rows("SELECT message FROM configuration WHERE message IS NOT NULL")
    for row in kept:
        assert "王老师".encode() not in bytes(row["message"]), "what is kept for ever names nobody"
    assert problems_of_facts(room.store) == []


@pytest.mark.rule("R6")
@pytest.mark.promise("I10")
def test_what_came_in_between_makes_it_stale(room: CountedRoom, officer: Officer) -> None:
    """Another calibration, another order, another revision: whoever wrote it looks first."""
    early = order(room, officer, action="give", calibration=1)
    other = order(room, officer, action="withdraw", trust=str(uuid4()), reason="不准")
    first = give(room.store, room.clock.now(), "room")
    assert "does not stand now" in judge(room, other).detail
    old_end = order(room, officer, action="withdraw", trust=first.id, reason="不准")
    assert judge(room, order(room, officer, action="withdraw", trust=first.id, reason="不准")).applied
    assert judge(room, early).code is RefusalCode.STALE_REVISION
    second = give(room.store, room.clock.now(), "room")
    assert judge(room, old_end).code is RefusalCode.STALE_REVISION
    again = order(room, officer, action="withdraw", trust=first.id, reason="不准")
    assert "does not stand now" in judge(room, again).detail, "the end of the first ends no second"
    assert standing_trust(room.store, "room") == second
    withdraw(room.store, room.clock.now(), "room", "数得不准")
    room.calibrate(room.clock.wall_us)
    outcome = judge(room, order(room, officer, action="give", calibration=1))
    assert outcome.code is RefusalCode.INVALID and "calibration in force is 2" in outcome.detail


@pytest.mark.rule("R6")
@pytest.mark.promise("I10")
def test_a_held_back_order_revives_none_that_hr_took_back(room: CountedRoom, officer: Officer) -> None:
    """Page and console make no revision: whoever carries a message may keep it for a month."""
    held_back = order(room, officer, action="give", calibration=1)
    first = give(room.store, room.clock.now(), "room")
    while_it_stood = order(room, officer, action="give", calibration=1)
    withdraw(room.store, room.clock.now(), "room", "数得不准")
    newest = f"{first.id}:withdrawn"
    for message in (held_back, while_it_stood):
        outcome = judge(room, message)
        assert outcome.code is RefusalCode.INVALID and "another order came in between" in outcome.detail
        assert facts(room.store, "configuration.refused")[-1]["newest_trust"] == newest
        assert standing_trust(room.store, "room") is None
    assert judge(room, order(room, officer, action="give", calibration=1, after=newest)).applied
    assert len(facts(room.store, "room.trusted")) == 2 and problems_of_facts(room.store) == []


@pytest.mark.rule("R6")
@pytest.mark.promise("I10")
def test_an_older_database_that_is_put_back_takes_no_order_again(room: CountedRoom, officer: Officer) -> None:
    """Revision and nonce go back with the rows; what was stated does not."""
    message = order(room, officer, action="give", calibration=1)
    assert judge(room, message).applied
    standing = standing_trust(room.store, "room")
    assert standing is not None
    assert judge(room, order(room, officer, action="withdraw", trust=standing.id, reason="不准")).applied
    room.store.execute("DELETE FROM configuration WHERE revision > 1")
    room.store.execute("DELETE FROM configuration_nonce")
    outcome = judge(room, message)
    assert outcome.code is RefusalCode.INVALID and "another order came in between" in outcome.detail
    assert standing_trust(room.store, "room") is None and len(facts(room.store, "room.trusted")) == 1


@pytest.mark.rule("R6")
@pytest.mark.promise("I10")
def test_who_is_not_hr_or_lacks_the_evidence_gives_none(room: CountedRoom, officer: Officer) -> None:
    text = order_text(action="give", calibration=1, after="none")
    right = order(room, officer, action="give", calibration=1)
    forged = Officer(OKPKey.generate_key("Ed25519"), officer.agreement_key, officer.clock)
    assert judge(room, order(room, forged, action="give", calibration=1)).code is RefusalCode.WRONG_KEY
    payload = officer.payload(values={}, base_revision=1, trust="0" * 64)
    with pytest.raises(ValueError, match="SHA-256"):
        officer.seal(payload, trust=text)
    room.ask(room.clock.wall_us - 3_600_000_000)
    room.count(3, slice(-1, None))
    outcome = judge(room, right)
    assert outcome.code is RefusalCode.INVALID and "lower bound lay above" in outcome.detail
    assert standing_trust(room.store, "room") is None
    row = room.store.one("SELECT max(revision) AS newest FROM configuration")
    assert row["newest"] == 1, "nothing of it was applied"
    assert facts(room.store, "room.trusted") == [] and problems_of_facts(room.store) == []


@pytest.mark.rule("R6")
@pytest.mark.promise("I10")
def test_an_order_is_judged_by_the_values_that_its_message_puts_in_force(
    room: CountedRoom, officer: Officer
) -> None:
    def both(hours: int) -> Outcome:
        text = order_text(action="give", calibration=1, after="none")
        values = {"visibility.trust_hours": hours}
        return judge(room, officer.message_about_room(text, base_revision=1, values=values))

    outcome = both(300)
    assert outcome.code is RefusalCode.INVALID and "30 of 300 class hours counted" in outcome.detail
    assert standing_trust(room.store, "room") is None
    assert room.store.number("SELECT max(revision) FROM configuration") == 1, "nothing of it was applied"
    assert both(31).code is RefusalCode.INVALID and both(30).applied


def test_an_order_says_what_it_is_for() -> None:
    assert (
        list(
            validator("trust-order").iter_errors(
                json.loads(order_text(action="give", calibration=7, after="none"))
            )
        )
        == []
    )
    first, second = (order_text(action="give", calibration=7, after="none") for _ in range(2))
    assert first != second, "a salt, so that nobody tries a name against the hash"
    for wrong in (
        {"action": "give", "after": "none"},
        {"action": "give", "calibration": 1},
        {"action": "give", "calibration": 1, "after": "x"},
        {"action": "give", "calibration": 0, "after": "none"},
        {"action": "give", "calibration": 1, "after": "none", "reason": "x"},
        {"action": "withdraw", "trust": str(uuid4()), "after": "none"},
        {"action": "withdraw", "reason": "x"},
        {"action": "withdraw", "trust": "x"},
        {"action": "dance"},
        {"action": "give", "calibration": 1, "after": "none", "name": "x"},
    ):
        with pytest.raises(ConfigurationError, match="expected"):
            order_text(**wrong)

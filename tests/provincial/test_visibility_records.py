"""What is stated of counts, trust, catching up and faces goes through the real receiver (I5, R6)."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from agent.archive.face_retention import expire_faces
from agent.configuration.agreement import load_or_create_agreement_key
from agent.configuration.apply import handle_message
from agent.configuration.trust_order import order_text
from agent.evidence.record import NodeIdentity
from agent.store import templates
from agent.store.clock import Vouch
from agent.store.templates import SealedTemplate
from agent.store.vault import Vault
from agent.visibility.count_checks import hand_in, hand_in_second, pictures_to_count
from agent.visibility.orders import standing_trust
from agent.visibility.trust import end_if_over
from agent.visibility.trust_message import carry_out
from tests.archive.catching import Lesson, hold, lesson, slow_clip
from tests.archive.retention.room import POLICIES, Room, settings_for
from tests.archive.retention.test_check_ins import enrol
from tests.cli.test_continuity import SESSION
from tests.configuration.officer import commission
from tests.evidence.logs import NODE, open_ledger, sign_all, whole_log
from tests.evidence.schemas import problems_of_record
from tests.provincial.conftest import Connect
from tests.provincial.parties import ReceiverProcess, judged, write_card
from tests.provincial.test_receiver import stored
from tests.recording.rig import ORIGIN
from tests.visibility.counted_hours import DAY_US, DETECTOR, CountedRoom, bears_nothing

__all__ = ["hold", "lesson", "slow_clip"]

SOURCE = NodeIdentity(ORIGIN.institution, ORIGIN.room, ORIGIN.node).source


def a_term_of_statements(lesson: Lesson) -> CountedRoom:
    """A lesson half of which nobody watched, judged, counted and counted again; the room earns its trust, HR
    give it and take it back by message, and a later count ends a second one."""
    lesson.counter.name = DETECTOR
    room = CountedRoom(lesson.store, lesson.paths, lesson.rig.clock, ORIGIN.room, "rear/file/320x240")
    room.configure(2)
    room.calibrate(lesson.start_us - 30 * DAY_US)
    lesson.play(60)
    lesson.play(90, watched=False)
    lesson.finish()
    lesson.catch_up()
    lesson.judged()
    drawn = pictures_to_count(lesson.store, SESSION, 1)
    assert len(drawn) == 2
    counts: dict[str, int | None] = {each.photo_id: each.lower for each in drawn}
    hand_in(lesson.store, room.clock.now(), SESSION, 1, {drawn[0].photo_id: None, drawn[1].photo_id: 1})
    hand_in_second(lesson.store, room.clock.now(), SESSION, 1, counts, "少写了一位")
    room.clock.advance(40 * DAY_US / 1e6)
    room.ask_many(50)
    room.count()

    officer = commission(lesson.store, lesson.rig.clock, lesson.paths)
    keys = lesson.paths.keys

    def send(**fields: object) -> None:
        revision = lesson.store.number("SELECT max(revision) FROM configuration")
        message = officer.message_about_room(order_text(**fields), target=SOURCE, base_revision=revision)
        found = handle_message(
            lesson.store,
            Vault(keys),
            load_or_create_agreement_key(keys),
            SOURCE,
            room.clock.now(),
            message,
            simulated=True,
            order_trust=carry_out,
        )
        assert found.applied, found.detail

    send(action="give", calibration=1, after="none")
    standing = standing_trust(lesson.store, ORIGIN.room)
    assert standing is not None and standing.disputed
    send(action="withdraw", trust=standing.id, reason="试用")
    send(action="give", calibration=1, after=f"{standing.id}:withdrawn")
    room.clock.advance(60)
    room.ask(room.clock.wall_us)
    room.count(3, slice(-1, None))
    assert end_if_over(lesson.store, room.clock.now(), ORIGIN.room) is not None
    return room


def a_face_goes(lesson: Lesson) -> None:
    vault = Vault(lesson.paths.keys)
    room = Room(lesson.rig, settings_for(lesson.rig))
    room.add_class("welding", planned_hours=1)
    room.lesson("welding", room.clock.wall_us, kind="examination")
    person = enrol(room, vault, "welding")
    with room.store.transaction():
        sealed = SealedTemplate(vault.seal(room.store, person, "template", b"a template"), 1.0)
        templates.replace_templates(room.store, person, "an-engine", [sealed], room.clock.wall_us)
    room.clock.advance(200 * DAY_US / 1e6)  # nobody stated when it was enrolled
    now = room.clock.now()
    assert expire_faces(room.store, vault, now, Vouch("synchronised", 0, 0), POLICIES, simulated=True) == 1


@pytest.mark.rule("R6")
@pytest.mark.promise("I5")
def test_the_receiver_takes_every_newer_record_of_visibility(
    lesson: Lesson,
    receiver: ReceiverProcess,
    connect_node: Connect,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bears_nothing(monkeypatch)
    a_term_of_statements(lesson)
    a_face_goes(lesson)
    ledger, key = open_ledger(lesson.store, lesson.paths, lesson.rig.clock)
    sign_all(ledger)
    lesson.rig.clock.advance(3600)
    assert ledger.seal_if_due()
    log = whole_log(lesson.store)
    kinds = Counter(row["type"] for row in lesson.store.rows("SELECT type FROM record"))
    assert {
        "visibility.heads-counted",
        "visibility.catch-up-ended",
        "visibility.judged",
        "visibility.people-counted",
        "room.trusted",
        "room.trust-ended",
        "configuration.applied",
        "person.face-expired",
    } <= set(kinds)
    assert (kinds["room.trusted"], kinds["room.trust-ended"]) == (2, 2)
    assert [problem for line in log for problem in problems_of_record(line)] == []

    receiver.command("register", str(write_card(tmp_path / "card.json", NODE, key)))
    node = connect_node()
    node.send(*log)
    node.collect(set(range(1, len(log) + 1)))
    assert stored(receiver) == log
    figures = judged(receiver)
    assert (figures["linked_through"], figures["verdicts"], figures["forks"]) == (len(log), 0, 0)
    verified = receiver.command("verify")
    assert f"{len(log)} records good" in verified
    shown = verified + receiver.command("status") + receiver.command("status", "--json")
    assert not any(each in shown for each in ("lower", "proposal", "drawn", "verdict_id")), "P42"
    assert "试用" not in json.dumps([line.decode() for line in log], ensure_ascii=False)

"""Whose footage goes, and whose never does: each condition alone must keep it (R8, R9, I1)."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from agent.archive.expiry import Candidate, expire
from agent.archive.retention_walk import Walk, places_of
from agent.evidence import log_holds
from agent.evidence.keys import load_or_create
from agent.evidence.ledger import Ledger
from agent.evidence.record import NodeIdentity
from agent.store import holds, records
from agent.store.clock import vouch
from agent.store.facts import FactType
from agent.store.retention import LOCAL
from tests.archive.retention.room import (
    DAY_S,
    HOUR_US,
    PROVINCE,
    YEAR,
    Room,
    hold_and_record,
    is_whole,
    room_of,
)
from tests.recording.rig import ORIGIN, Rig

SHANGHAI = ZoneInfo("Asia/Shanghai")


def day(year: int, month: int, day_: int) -> int:
    return round(datetime(year, month, day_, tzinfo=SHANGHAI).timestamp() * 1_000_000)


@pytest.mark.promise("I1", "I8")
@pytest.mark.rule("R8")
def test_footage_of_a_class_goes_three_years_after_its_last_lesson_and_not_before(room: Room) -> None:
    files = hold_and_record(room)
    last = room.lesson("welding", day(2027, 3, 1) + 8 * HOUR_US)
    assert last
    room.pass_time((day(2030, 3, 2) - room.clock.wall_us) / 1e6 / DAY_S - 0.001)
    assert room.expire() == 0 and is_whole(files), "the last day belongs to it, whole"
    room.pass_time(0.01)
    before = {row.path: row for row in room.rows()}
    assert room.expire() == len(files)
    assert not any(file.exists() for file in files)
    stated = [json.loads(fact["data"]) for fact in room.facts(FactType.SEGMENT_EXPIRED)]
    assert {(s["run"], s["sequence"]) for s in stated} == {row.key for row in before.values()}
    for said in stated:
        row = before[f"segments/{said['run']}/{said['sequence']:06d}.mp4"]
        assert (said["sha256"], said["bytes"]) == (row.sha256.hex(), row.size)
        assert said["copy"] == "local" and said["custodian"] == "institution"
        assert said["basis"] == "training_ended" and said["classes"] == ["welding"]
        assert said["due_us"] == day(2030, 3, 2)
    assert all(row.expired_us is not None for row in room.rows()), "the rows stay"
    assert room.expire() == 0 and len(room.facts(FactType.SEGMENT_EXPIRED)) == len(files)


@pytest.mark.promise("I1")
@pytest.mark.rule("R8")
@pytest.mark.parametrize("state", ["open", "planned"])
def test_a_class_with_an_open_or_planned_lesson_never_expires(room: Room, state: str) -> None:
    files = hold_and_record(room)
    room.lesson("welding", room.clock.wall_us + 5 * HOUR_US, state=state, room="workshop")
    room.pass_time(12 * YEAR)
    assert room.expire() == 0 and is_whole(files)


@pytest.mark.rule("R8")
def test_hrs_word_ends_a_class_whose_other_rooms_lessons_stay_planned_here(room: Room) -> None:
    files = hold_and_record(room)
    room.lesson("welding", room.clock.wall_us + 5 * HOUR_US, state="planned", room="workshop")
    room.pass_time(4 * YEAR)
    assert room.expire() == 0
    holds.state_training_end(room.store, room.clock.now(), "welding", "2028-06-01", simulated=True)
    room.sign()
    room.pass_time(0.5 * YEAR)
    assert room.expire() == 0 and is_whole(files), "three years from that day"
    room.pass_time(0.2 * YEAR)
    assert room.expire() == len(files)


@pytest.mark.promise("I1")
@pytest.mark.rule("R8")
def test_a_hold_keeps_it_until_it_is_released(room: Room) -> None:
    files = hold_and_record(room)
    room.pass_time(4 * YEAR)
    holds.place_hold(room.store, room.clock.now(), "welding", "投诉核查", simulated=True)
    room.sign()
    room.pass_time(1)
    assert room.expire() == 0 and is_whole(files)
    holds.release_hold(room.store, room.clock.now(), "welding", "已结案", simulated=True)
    room.sign()
    room.pass_time(1)
    assert room.expire() == len(files)
    kinds = [fact["type"] for fact in room.store.rows("SELECT type FROM fact WHERE class_id = 'welding'")]
    assert kinds.count("class.hold-placed") == kinds.count("class.hold-released") == 1
    said = room.facts(FactType.HOLD_PLACED)[0]["data"]
    assert "投诉" not in said, "the reason stays on the device"


@pytest.mark.promise("I1")
@pytest.mark.rule("R8")
def test_two_classes_in_one_hour_keep_it_for_the_later_one(room: Room) -> None:
    files = hold_and_record(room)
    room.add_class("cooking")
    room.lesson("cooking", room.clock.wall_us + HOUR_US // 2)  # the pre-roll of its first lesson
    room.lesson("cooking", room.clock.wall_us + round(YEAR * DAY_S * 1e6))
    room.pass_time(3.2 * YEAR)
    assert room.expire() == 0 and is_whole(files)
    room.pass_time(YEAR)
    assert room.expire() == len(files)


@pytest.mark.promise("I1")
def test_hr_may_keep_longer_and_never_shorter_than_the_policy(room: Room) -> None:
    files = hold_and_record(room)
    document = {"revision": 1, "retention": {"video_years": 5}}
    room.store.insert(
        "configuration", {"revision": 1, "document": json.dumps(document), "applied_us": room.clock.wall_us}
    )
    room.pass_time(4.9 * YEAR)
    assert room.expire() == 0 and is_whole(files)
    room.pass_time(0.2 * YEAR)
    assert room.expire() == len(files)


@pytest.mark.promise("I1")
def test_footage_of_no_lesson_goes_after_its_days(room: Room) -> None:
    room.pass_time(1)
    files = room.record()
    room.pass_time(20)
    assert room.expire() == 0 and is_whole(files)
    room.pass_time(9.9)
    assert room.expire() == 0 and is_whole(files)
    room.pass_time(1.5)
    assert room.expire() == len(files)
    assert json.loads(room.facts(FactType.SEGMENT_EXPIRED)[0]["data"])["basis"] == "no_session"


@pytest.mark.promise("I1")
def test_a_cancelled_lessons_footage_is_the_classs(room: Room) -> None:
    files = hold_and_record(room, state="cancelled")
    room.pass_time(2.9 * YEAR)
    assert room.expire() == 0 and is_whole(files)


@pytest.mark.promise("I1")
def test_a_new_database_does_not_take_old_footage_for_footage_of_no_lesson(room: Room) -> None:
    """The worst that could happen: the timetable is gone, and three years of lessons look unscheduled."""
    files = hold_and_record(room)
    room.rig.lose_database()
    room.add_class("next")
    room.lesson("next", room.clock.wall_us + DAY_S * 1_000_000)
    room.rig.start()
    room.rig.volume.close()
    room.sign()
    assert len(room.rows()) == len(files), "the files were taken in again"
    room.pass_time(9.9 * YEAR)
    assert room.expire() == 0 and is_whole(files)
    room.pass_time(0.3 * YEAR)
    assert room.expire() == len(files), "nobody keeps it for ever"


@pytest.mark.promise("I1")
def test_footage_from_before_the_first_timetable_is_not_footage_of_no_lesson(rig: Rig) -> None:
    room = Room(rig, room_of(rig).settings)
    with room.store.transaction():
        room.store.execute("DELETE FROM session")
        room.store.execute("DELETE FROM clock_trust")
    files = room.record()
    room.pass_time(40)
    room.lesson("older", room.clock.wall_us)
    room.pass_time(300)
    assert room.expire() == 0 and is_whole(files)


@pytest.mark.promise("I1")
@pytest.mark.rule("R9")
def test_while_a_receiver_is_away_for_weeks_everything_is_kept(rig: Rig) -> None:
    """R9: the provincial system is under maintenance; footage and what is said of it stay whole."""
    room = room_of(rig, sync={"destinations": [PROVINCE]})
    room.pass_time(1)
    files = room.record()
    room.pass_time(70)
    assert room.expire() == 0 and is_whole(files)
    rig.check_files()
    head = room.store.row("SELECT max(sequence) AS n FROM record")
    assert head is not None
    room.store.insert("destination", {"name": "province", "receipted_through": head["n"]})
    room.announce()
    room.pass_time(7)
    assert room.expire() == len(files), "when the receipts came it is announced, and its own days hold again"


@pytest.mark.promise("I1", "I8")
def test_what_is_not_yet_signed_is_kept(room: Room) -> None:
    room.pass_time(1)
    files = room.record()
    with room.store.transaction():
        room.store.execute("DROP TRIGGER record_is_append_only_no_delete")
        room.store.execute("DELETE FROM record")
    room.pass_time(60)
    sign, room.sign = room.sign, lambda: None  # type: ignore[method-assign]
    assert room.expire() == 0 and is_whole(files)
    room.sign = sign  # type: ignore[method-assign]
    room.sign()
    room.announce()
    room.pass_time(7)
    assert room.expire() == len(files)


# -- the deletion itself -----------------------------------------------------------------------------------


@pytest.mark.promise("I1")
def test_a_hold_that_comes_between_looking_and_deciding_is_honoured(room: Room) -> None:
    """The walk has judged the footage due; HR places the hold before the decision takes the write lock."""
    files = hold_and_record(room)
    room.pass_time(4 * YEAR)
    now = room.clock.now()
    word = vouch(room.store, now)
    assert word is not None
    candidates = [Candidate(LOCAL, held) for held in room.rows()]
    places = places_of(room.settings)
    walk = Walk(room.settings, room.rig.paths, room.policies)
    holds.place_hold(room.store, now, "welding", "投诉", simulated=True)
    room.sign()
    assert expire(room.store, now, word, candidates, places, walk.read_rules) == []
    holds.release_hold(room.store, now, "welding", "结案", simulated=True)
    room.sign()
    assert len(expire(room.store, now, word, candidates, places, walk.read_rules)) == len(files)
    assert expire(room.store, now, word, candidates, places, walk.read_rules) == [], "and only once"


@pytest.mark.promise("I1")
@pytest.mark.rule("R8")
def test_a_hold_survives_the_database_in_the_record_log(room: Room) -> None:
    """The newest snapshot is older than the hold, or there is none; the log comes back from its copies."""
    key = load_or_create(room.rig.paths.ledger_keys)
    node = NodeIdentity(ORIGIN.institution, ORIGIN.room, ORIGIN.node)
    hold_and_record(room)
    holds.place_hold(room.store, room.clock.now(), "welding", "投诉核查", simulated=True)
    with room.store.transaction():
        room.store.execute("DROP TRIGGER record_is_append_only_no_delete")
        room.store.execute("DELETE FROM record")
    ledger = Ledger(room.store, key, node, room.clock, demonstration=True)
    ledger.open()
    while ledger.sign_pending():
        pass
    log = [replace(record, fact_id=None) for record in records.read(room.store)]
    lesson_us = room.clock.wall_us - HOUR_US // 2
    room.rig.lose_database()
    with room.store.transaction():
        records.append(room.store, log)
    room.add_class("welding")
    room.lesson("welding", lesson_us)
    room.rig.start()
    room.rig.volume.close()
    room.sign()
    files = room.rig.files_with_footage()
    room.pass_time(4 * YEAR)
    assert room.expire() == 0 and is_whole(files)
    with room.store.transaction():
        log_holds.reinstate(room.store)
    (hold,) = holds.holds(room.store)
    assert hold.class_id == "welding" and room.expire() == 0
    holds.release_hold(room.store, room.clock.now(), "welding", "已结案", simulated=True)
    with room.store.transaction():
        log_holds.reinstate(room.store)
    assert holds.holds(room.store) == [], "released is released, signed or not"
    room.sign()
    room.pass_time(1)
    assert room.expire() == len(files)


@pytest.mark.rule("R9")
def test_a_record_stamped_2099_hides_no_unconfirmed_one_behind_it(rig: Rig) -> None:
    room = room_of(rig, sync={"destinations": [PROVINCE]})
    room.pass_time(1)
    head = room.store.row("SELECT max(sequence) AS n FROM record")
    assert head is not None
    room.store.insert("destination", {"name": "province", "receipted_through": head["n"] or 0})
    right = room.clock.wall_us
    room.clock.wall_us = right + round(72 * YEAR * DAY_S * 1e6)
    holds.place_hold(room.store, room.clock.now(), "older", "x", simulated=True)
    room.clock.wall_us = right
    room.sign()
    files = room.record()
    room.pass_time(70)
    assert room.expire() == 0 and is_whole(files)

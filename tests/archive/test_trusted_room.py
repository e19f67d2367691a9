"""Class hours of a detector that bears no verdict everywhere: what is kept, drawn, and judged once HR trust
the room (R6)."""

from __future__ import annotations

import json
from hashlib import sha256
from uuid import uuid4

import pytest

from agent.archive.verdict_frames import picture_of
from agent.archive.visibility_material import collect
from agent.checkin.photos import PhotoAlbum
from agent.configuration.document import HrConfiguration
from agent.paths import Paths
from agent.store import calibration, classes, configuration, footage, trust, visibility
from agent.store.heads import HeadCount, insert_count
from agent.store.vault import Vault
from agent.store.visibility import HourVerdict
from agent.visibility import looks
from agent.visibility.asked_hours import asked_hours
from agent.visibility.blindness import is_blind
from agent.visibility.trust import end_if_over, give
from tests.archive.conftest import place
from tests.archive.place import Place
from tests.archive.test_visibility import CountedAt, Lesson, key_frames, made, places_of
from tests.cli.test_continuity import SESSION
from tests.evidence.logs import NODE
from tests.evidence.schemas import problems_of_facts
from tests.recording.conftest import clip, clip_path, rig
from tests.recording.rig import ORIGIN, Rig
from tests.visibility.counted_hours import DAY_US, DETECTOR, ENOUGH, HOUR_US, CountedRoom, bears_nothing
from tests.waiting import wait_until

__all__ = ["clip", "clip_path", "place", "rig"]

RULE = pytest.mark.rule("R6")


def filmed(rig: Rig, paths: Paths) -> tuple[Lesson, list[CountedAt]]:
    """A lesson of ten people on two minutes of footage, and the places of its key frames."""
    room = CountedRoom(rig.store, paths, rig.clock, ORIGIN.room)
    rig.begin(124)
    rig.stop()
    rows = rig.segments()
    room.calibrate(rows[0]["start_us"] - DAY_US)
    lesson = made(rig.store, rig.clock, paths, ORIGIN.room, rows[0]["start_us"], rows[-1]["end_us"])
    places = key_frames(rows, rig.clip.stream.height)
    lesson.check_in(10)
    lesson.count(11, places, detector=DETECTOR)
    return lesson, places


@RULE
def test_what_was_stated_once_without_a_picture_being_drawn_is_never_asked_for(
    rig: Rig, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looks, "_bearing", lambda: frozenset({DETECTOR}))
    lesson, _ = filmed(rig, paths)
    assert lesson.judged().verdict == "shown"
    bears_nothing(monkeypatch)
    lesson.look_again()
    (found,) = visibility.verdicts_of(rig.store, SESSION)
    assert (found.verdict, found.device.data["reason"]) == ("uncertain", "detector_not_for_verdicts")
    assert trust.drawn_of_hour(rig.store, SESSION, 1) == [], "what was read of it is not counted blind"
    lesson.judge.close()


@RULE
@pytest.mark.parametrize("lacked", ["pictures", "people"])
def test_what_was_stated_without_a_number_of_people_is_drawn_when_there_is_one(
    rig: Rig, paths: Paths, monkeypatch: pytest.MonkeyPatch, lacked: str
) -> None:
    """Its pictures came later, or those who had checked in were confirmed then."""
    bears_nothing(monkeypatch)
    lesson, places = filmed(rig, paths)
    if lacked == "pictures":
        rig.store.execute("DELETE FROM head_count")
    else:
        rig.store.execute("UPDATE check_in SET outcome = 'rejected'")
    first = lesson.judged().device.data
    assert first["lower"] is None and (first["proposal"] or {}).get("lower") is None
    if lacked == "pictures":
        lesson.count(8, places, detector=DETECTOR)
    else:
        rig.store.execute("UPDATE check_in SET outcome = 'accepted'")
    lesson.look_again()
    *_, last = lesson.facts("visibility.judged")
    assert last["proposal"]["lower"] is not None and len(last["drawn"]) == 2
    lesson.judge.close()


@RULE
@pytest.mark.promise("I6")
def test_pictures_are_drawn_by_the_footages_own_lot_and_show_no_box(
    rig: Rig, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    bears_nothing(monkeypatch)
    lesson, places = filmed(rig, paths)
    rows = rig.segments()
    found = lesson.judged()
    assert (found.verdict, found.in_force.lower) == ("uncertain", None)
    (data,) = lesson.facts("visibility.judged")
    assert data["reason"] == "detector_not_for_verdicts" and data["trust"] is None
    assert data["proposal"]["verdict"] == "shown"
    segments = {row["sequence"]: bytes(row["sha256"]) for row in rows}
    lots = {
        (sequence, pts): sha256(b"count-check\0" + segments[sequence] + b"\0" + str(pts).encode()).digest()
        for _, sequence, pts, _, _ in places
    }
    drawn = {(each["sequence"], each["pts_ticks"]) for each in data["drawn"]}
    assert len(drawn) == 2 and min(lots, key=lambda key: lots[key]) in drawn
    for each in trust.drawn_of_hour(rig.store, SESSION, 1):
        # One head, who may be the teacher, is taken off for the trainees.
        assert data["proposal"]["lower"] + 1 <= each.lower <= 11 <= each.upper
        jpeg = PhotoAlbum(paths.photos, Vault(paths.keys)).opened(rig.store, each.photo_id)
        session = classes.session(rig.store, SESSION)
        assert session is not None
        counted = collect(rig.store, session).counted[each.at_us]
        bare, boxed = (picture_of(paths.video, counted, boxes=boxes) for boxes in (False, True))
        assert bare is not None and boxed is not None and bare.jpeg != boxed.jpeg
        assert jpeg == bare.jpeg, "a box shows what the device found"
    assert not {each.photo_id for each in visibility.frames_of(rig.store, found.device.id)} & {
        each["photo"] for each in data["drawn"]
    }
    lesson.judge.close()


def judged(lesson: Lesson, session: str) -> HourVerdict:
    """Steps until the lesson was judged."""

    def is_stated() -> bool:
        lesson.judge.step(lesson.store, lesson.clock.now())
        return lesson.judge.is_idle and bool(visibility.stated(lesson.store, session))

    wait_until(is_stated, 20, "the lesson is judged")
    (found,) = visibility.verdicts_of(lesson.store, session)
    return found


def calibrated(place: Place, checked_in: int, seen: int) -> tuple[Lesson, CountedRoom, int]:
    """A lesson of so many trainees with so many heads in each picture, its room, and that room's calibration
    of a month before."""
    row = place.segment(1000)
    place.clock.advance(301)
    lesson = made(place.store, place.clock, place.paths, NODE.room, row["start_us"], row["end_us"])
    room = CountedRoom(place.store, place.paths, place.clock, NODE.room)
    room.configure(revision=2)
    fitted = room.calibrate(row["start_us"] - 30 * DAY_US)
    lesson.check_in(checked_in)
    lesson.count(seen, places_of(lesson), detector=DETECTOR)
    return lesson, room, fitted


@RULE
def test_class_hours_after_hrs_order_are_judged_and_those_before_stay(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    bears_nothing(monkeypatch)
    lesson, room, fitted = calibrated(place, 10, 11)
    assert lesson.judged().verdict == "uncertain"
    room.ask_many(before_us=lesson.start_us)
    room.count()
    order = give(place.store, place.clock.now(), NODE.room)

    later = place.segment(1000)
    place.clock.advance(301)
    session = held(lesson, later["start_us"], later["end_us"])
    found = judged(lesson, session)
    assert (found.verdict, found.in_force.lower, found.in_force.data["trust"]) == ("shown", 9, order.id)
    assert (found.device.data["proposal"], found.device.data["calibration"]) == (None, fitted)
    lesson.look_again()
    (before,) = visibility.verdicts_of(place.store, SESSION)
    assert before.verdict == "uncertain" and before.in_force.because == ()
    assert problems_of_facts(place.store) == []

    # A count of a later class hour lies below the device's: nothing that rested on the order holds.
    room.ask(place.clock.wall_us)
    room.hand_in(-1, 12, 12)
    assert end_if_over(place.store, place.clock.now(), NODE.room) is not None
    for _ in range(40):
        lesson.look_again()
        (found,) = visibility.verdicts_of(place.store, session)
        if found.verdict == "uncertain":
            break
    assert (found.verdict, found.in_force.because) == ("uncertain", ("trust_changed",))
    assert problems_of_facts(place.store) == []
    lesson.judge.close()


@RULE
def test_an_order_bears_no_class_much_smaller_than_those_that_were_counted(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What looks like a head weighs more among ten people than it did among two dozen."""
    bears_nothing(monkeypatch)
    lesson, room, _ = calibrated(place, 10, 11)
    for number in range(ENOUGH):
        start_us = lesson.start_us - DAY_US * (1 + number % 4) - HOUR_US * (number // 4)
        room.ask(start_us, lower=24, upper=28, pictures=1)
    room.count(26)
    order = give(place.store, place.clock.now(), NODE.room)
    assert (order.fewest, order.people) == (12, 24)
    later = place.segment(1000)
    place.clock.advance(301)
    found = judged(lesson, held(lesson, later["start_us"], later["end_us"]))
    assert (found.verdict, found.device.data["reason"]) == ("uncertain", "fewer_than_proven")
    assert found.device.data["trust"] is None and found.device.data["proposal"]["verdict"] == "shown"
    assert problems_of_facts(place.store) == []
    lesson.judge.close()


def held(lesson: Lesson, start_us: int, end_us: int) -> str:
    """Another lesson of the same class, with the same ten trainees, counted each five seconds."""
    session, store = str(uuid4()), lesson.store
    store.execute(
        "INSERT INTO session (id, class_id, room, kind, planned_start_us, planned_end_us, class_hours, state,"
        " opened_us, closed_us) VALUES (?, 'c-1', ?, 'theory', ?, ?, 1, 'closed', ?, ?)",
        (session, NODE.room, start_us, end_us, start_us, end_us),
    )
    for row in store.rows("SELECT person_id FROM check_in WHERE session_id = ?", (SESSION,)):
        answer = {"id": str(uuid4()), "session_id": session, "person_id": row["person_id"]}
        answer |= {"outcome": "accepted", "method": "face", "liveness": "live"}
        store.insert("check_in", {**answer, "at_us": start_us, "simulated": 1})
    (segment,) = footage.segments_between(store, "rear", start_us, end_us)
    for before in store.rows("SELECT * FROM head_count WHERE session_id = ?", (SESSION,)):
        shift = start_us - lesson.start_us
        count = HeadCount(
            segment["run_id"],
            segment["sequence"],
            segment["start_ticks"] + before["pts_ticks"],
            before["at_us"] + shift,
            session,
            11,
            11,
            DETECTOR,
            True,
            tuple(tuple(box) for box in json.loads(before["boxes"])),
        )
        with store.transaction():
            insert_count(store, count)
    return session


@RULE
def test_a_calibration_made_in_a_class_hour_leaves_it_unasked(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    bears_nothing(monkeypatch)
    row = place.segment(1000)
    place.clock.advance(301)
    lesson = made(place.store, place.clock, place.paths, NODE.room, row["start_us"], row["end_us"])
    room = CountedRoom(place.store, place.paths, place.clock, NODE.room)
    room.calibrate(row["start_us"] - DAY_US)
    room.calibrate(row["start_us"] + 100_000_000)
    lesson.check_in(10)
    lesson.count(11, places_of(lesson), detector=DETECTOR)
    assert lesson.judged().device.data["calibration"] is None
    assert asked_hours(place.store) == []
    assert calibration.newest_calibration(place.store, NODE.room) is not None
    lesson.judge.close()


@RULE
def test_where_hr_do_not_count_nothing_is_drawn_and_nothing_waits(
    rig: Rig, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    bears_nothing(monkeypatch)
    lesson, _ = filmed(rig, paths)
    assert is_blind(rig.store, SESSION), "class hours that are not judged yet may be asked for"
    values = HrConfiguration(revision=2).model_dump_json()
    configuration.insert_revision(rig.store, revision=2, document=values, message=None, applied_us=0)
    assert not is_blind(rig.store, SESSION)
    assert lesson.judged().verdict == "uncertain"
    assert trust.drawn_of_hour(rig.store, SESSION, 1) == []
    assert not is_blind(rig.store, SESSION)
    lesson.judge.close()

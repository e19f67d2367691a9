"""Footage of no lesson is announced before it goes, and can be given to its class until then."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agent.archive import usage
from agent.archive.shortage import Storage
from agent.classes.binding import BindingError, bind, held_lesson
from agent.classes.document import SHANGHAI, PlannedSession
from agent.classes.unbinding import UnbindRefusedError, unbind
from agent.store import classes, timetable_edits
from agent.store.facts import FactType
from agent.timekeeping.watch import ClockWatch, Instruments
from tests.archive.retention.room import DAY_S, YEAR, Room
from tests.evidence.schemas import problems_of_facts

DAY_US = DAY_S * 1_000_000


def announcements(room: Room) -> list[dict[str, Any]]:
    assert problems_of_facts(room.store) == []
    return [json.loads(row["data"]) for row in room.facts(FactType.UNSCHEDULED_DUE)]


def lesson_of(room: Room, after: timedelta = timedelta(), number: int = 0) -> PlannedSession:
    """The lesson that the footage from the segment with that number on is of, as somebody types it, so long
    `after` its stamps."""
    rows = sorted(room.rows(), key=lambda row: row.start_us)
    first, last = (
        datetime.fromtimestamp(us / 1e6, UTC).astimezone(SHANGHAI) + after
        for us in (rows[number].start_us, rows[-1].end_us + 60_000_000)
    )
    return held_lesson("r101", "practical", f"{first:%Y-%m-%d}", f"{first:%H:%M}", f"{last:%H:%M}", 1)


@pytest.mark.promise("I1")
def test_two_weeks_before_it_goes_it_is_announced_once(room: Room) -> None:
    room.pass_time(1)
    files = room.record()
    room.pass_time(10)
    assert announcements(room) == []
    room.pass_time(9)
    (said,) = announcements(room)
    assert said["segments"] == len(files) and said["people"] is False
    assert 10 * DAY_US < said["due_us"] - room.clock.wall_us < 14 * DAY_US
    room.pass_time(5)
    assert len(announcements(room)) == 1
    room.pass_time(8)
    assert room.expire() == len(files)


@pytest.mark.promise("I1")
def test_a_device_that_was_off_announces_late_and_deletes_a_week_after(room: Room) -> None:
    room.pass_time(1)
    files = room.record()
    room.clock.advance(31 * DAY_S)
    room.pass_time(1)
    room.pass_time(5)
    assert room.expire() == 0, "announced five days ago"
    (said,) = announcements(room)
    assert said["due_us"] - room.clock.wall_us > 1 * DAY_US
    room.pass_time(2.1)
    assert room.expire() == len(files)


@pytest.mark.promise("I1")
def test_given_to_its_class_it_stays_for_three_years(room: Room) -> None:
    """The device's clock was a day off, or the timetable named another room: HR enters what was held."""
    room.pass_time(1)
    files = room.record()
    room.pass_time(29)
    held = lesson_of(room)
    with pytest.raises(BindingError, match="nothere"):
        bind(room.store, room.clock.now(), "nothere", held, simulated=True)
    session = bind(room.store, room.clock.now(), "older", held, simulated=True)
    assert problems_of_facts(room.store) == []
    found = classes.session(room.store, session)
    assert found is not None and (found.state, found.close_reason) == ("closed", "entered_afterwards")
    with pytest.raises(BindingError, match="another lesson"):
        bind(room.store, room.clock.now(), "older", held, simulated=True)
    room.pass_time(40)
    assert room.expire() == 0
    room.pass_time(2.7 * YEAR)
    assert room.expire() == 0
    room.pass_time(0.4 * YEAR)
    assert room.expire() == len(files)


@pytest.mark.promise("I1")
def test_taken_back_it_is_of_no_lesson_again_and_goes_a_week_after_a_new_announcement(room: Room) -> None:
    """Bound to the wrong class after it was announced, taken back long after its days were over."""
    room.pass_time(1)
    files = room.record()
    room.pass_time(29)
    assert len(announcements(room)) == 1
    lesson = bind(room.store, room.clock.now(), "older", lesson_of(room), simulated=True)
    room.pass_time(40)
    assert room.expire() == 0
    unbind(room.store, room.clock.now(), lesson, "wrong class", simulated=True)
    room.sign()
    assert problems_of_facts(room.store) == []
    (cancelled,) = room.facts(FactType.SESSION_CANCELLED)
    assert json.loads(cancelled["data"])["reason"] == "entered_by_mistake"
    (changed,) = room.facts(FactType.SESSION_PLAN_CHANGED)
    assert "wrong class" not in changed["data"] and cancelled["session_id"] == lesson
    assert room.expire() == 0, "not announced since"
    room.pass_time(1)
    assert len(announcements(room)) == 2
    room.pass_time(5)
    assert room.expire() == 0
    room.pass_time(2.1)
    assert room.expire() == len(files)


def test_taken_back_the_footage_can_be_given_to_the_right_class(room: Room) -> None:
    room.pass_time(1)
    room.record()
    room.pass_time(2)
    room.add_class("right")
    held = lesson_of(room)
    wrong = bind(room.store, room.clock.now(), "older", held, simulated=True)
    unbind(room.store, room.clock.now(), wrong, "wrong class", simulated=True)
    with pytest.raises(UnbindRefusedError, match="already"):
        unbind(room.store, room.clock.now(), wrong, "wrong class", simulated=True)
    bind(room.store, room.clock.now(), "right", held, simulated=True)
    room.pass_time(60)
    assert room.expire() == 0
    (edit,) = timetable_edits.edits_of(room.store, "older")
    assert (edit.session_id, edit.reason, edit.after) == (wrong, "wrong class", None)


@pytest.mark.promise("I1", "I8")
def test_footage_under_a_clock_that_was_corrected_is_bound_and_taken_back_by_its_true_time(
    room: Room,
) -> None:
    """The clock ran five hours behind and was not synchronised; both came right while the machine ran on."""
    watch = ClockWatch(Instruments(lambda: 10_000, lambda: None), simulated=True)
    room.pass_time(1)
    room.clock.clock_state = "unsynchronised"
    room.clock.step_wall(-5 * 3600)
    watch.look(room.store, room.clock.now())
    files = room.record()
    room.clock.step_wall(5 * 3600)
    room.clock.clock_state = "synchronised"
    for _ in range(2):
        room.clock.advance(1)
        watch.look(room.store, room.clock.now())
    room.sign()
    stamped, held = lesson_of(room), lesson_of(room, after=timedelta(hours=5))
    room.pass_time(29)
    (said,) = announcements(room)
    assert held.start_us <= said["start_us"] < said["end_us"] <= held.end_us
    with pytest.raises(BindingError, match="not filmed"):
        bind(room.store, room.clock.now(), "older", stamped, simulated=True)
    lesson = bind(room.store, room.clock.now(), "older", held, simulated=True)
    room.pass_time(40)
    assert room.expire() == 0
    unbind(room.store, room.clock.now(), lesson, "wrong class", simulated=True)
    room.sign()
    assert room.expire() == 0, "not announced since"
    room.pass_time(1)
    assert len(announcements(room)) == 2
    room.pass_time(7.1)
    assert room.expire() == len(files)


def test_other_footage_that_was_announced_stays_so(room: Room) -> None:
    room.pass_time(1)
    files = room.record()
    room.pass_time(1)
    room.record()
    other = lesson_of(room, number=len(files))
    room.pass_time(29)
    assert len(announcements(room)) > 0
    lesson = bind(room.store, room.clock.now(), "older", other, simulated=True)
    before = room.store.rows("SELECT run_id, sequence FROM unscheduled_notice ORDER BY announced_us")
    unbind(room.store, room.clock.now(), lesson, "wrong class", simulated=True)
    after = room.store.rows("SELECT run_id, sequence FROM unscheduled_notice ORDER BY announced_us")
    assert 0 < len(after) < len(before)


REST = {
    "check_ins": "INSERT INTO check_in (id, session_id, outcome, method, at_us, liveness, simulated)"
    " VALUES ('c', :lesson, 'unknown', 'face', 1, 'live', 1)",
    "make_up": "INSERT INTO make_up (session_id, hour, person_id, missed_session_id, missed_hour, bound_us)"
    " VALUES (:lesson, 1, 'p', :other, 1, 1)",
    "corrected": "INSERT INTO attendance_correction (id, session_id, hour, person_id, state, teacher_id,"
    " account, reason, video_from_us, video_until_us, corrected_us)"
    " VALUES ('k', :lesson, 1, 'p', 'attended', 'p', 'hr', 'seen', 1, 2, 1)",
    "decided": "INSERT INTO visibility_verdict (id, session_id, hour, verdict, decided_by, reason, stated_us,"
    " simulated, because, data, basis)"
    " VALUES ('v', :lesson, 1, 'shown', 'hr', 'seen', 1, 1, '[]', '{}', '{}')",
    "hold": "INSERT INTO legal_hold (class_id, reason, placed_us) VALUES ('older', 'complaint', 1)",
    "expired": "UPDATE segment SET expired_us = 1",
}


@pytest.mark.parametrize("what", sorted(REST))
def test_what_somebody_built_on_is_not_taken_back(room: Room, what: str) -> None:
    room.pass_time(1)
    room.record()
    room.pass_time(2)
    lesson = bind(room.store, room.clock.now(), "older", lesson_of(room), simulated=True)
    (other, *_) = classes.sessions(room.store, class_id="older")
    room.store.execute("INSERT INTO person (id, name, created_us) VALUES ('p', 'P', 1)")
    values = {"lesson": lesson, "other": other.id}
    room.store.execute(REST[what], {key: each for key, each in values.items() if f":{key}" in REST[what]})
    with pytest.raises(UnbindRefusedError) as refused:
        unbind(room.store, room.clock.now(), lesson, "wrong class", simulated=True)
    assert refused.value.code == what
    found = classes.session(room.store, lesson)
    assert found is not None and found.state == "closed" and room.facts(FactType.SESSION_CANCELLED) == []


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501])
def test_a_lesson_of_the_timetable_or_without_a_reason_stays(room: Room, reason: str) -> None:
    (held, *_) = classes.sessions(room.store, class_id="older")
    now = room.clock.now()
    for lesson, why, code in (
        (held.id, "x", "timetable"),
        ("gone", "x", "none"),
        (held.id, reason, "reason"),
    ):
        with pytest.raises(UnbindRefusedError) as refused:
            unbind(room.store, now, lesson, why, simulated=True)
        assert refused.value.code == code


@pytest.mark.parametrize(
    ("kind", "day", "start", "end", "hours", "word"),
    [
        ("theory", "2026-13-01", "08:30", "09:30", 1, "day"),
        ("theory", "2026-11-21", "08:30", "half past", 1, "day"),
        ("theory", "2026-11-21", "08:30", "08:30", 1, "end"),
        ("theory", "2026-11-21", "08:30", "09:30", 0, "class hours"),
    ],
)
def test_what_is_mistyped_is_named(
    room: Room, kind: Any, day: str, start: str, end: str, hours: int, word: str
) -> None:
    with pytest.raises(BindingError, match=word):
        held_lesson("r101", kind, day, start, end, hours)


def test_a_lesson_of_today_or_without_footage_cannot_be_entered_so(room: Room) -> None:
    room.pass_time(1)
    room.record()
    with pytest.raises(BindingError, match="not over"):
        bind(room.store, room.clock.now(), "older", lesson_of(room), simulated=True)
    elsewhere = held_lesson("r102", "theory", "2026-11-20", "08:30", "09:30", 1)
    with pytest.raises(BindingError, match="not filmed"):
        bind(room.store, room.clock.now(), "older", elsewhere, simulated=True)


def test_the_summary_lists_it_and_people_make_it_an_alert(room: Room) -> None:
    room.pass_time(1)
    files = room.record()
    room.pass_time(20)
    assert summary(room)["detail"] == {}
    held = room.rows()[0]
    room.store.execute(
        "INSERT INTO head_count (run_id, sequence, pts_ticks, at_us, counted, boxes, detector, simulated)"
        " VALUES (?, 0, 0, ?, 3, '[]', 'test', 1)",
        (held.run_id, held.start_us + 1_000_000),
    )
    seen = summary(room)
    (stretch,) = seen["content"]["no_lesson"]
    assert stretch["segments"] == len(files) and stretch["people"] is True
    assert seen["detail"]["no_lesson_stretches"] == 1 and "补录" in seen["zh"]


def summary(room: Room) -> dict[str, Any]:
    part = Storage(room.settings, room.rig.paths, policies=room.policies)
    words = [part.step(room.store, room.clock.now()) for _ in range(5)]
    return {
        "detail": words[-1].detail,
        "zh": words[-1].zh,
        "content": usage.read(room.rig.paths.runtime),
    }

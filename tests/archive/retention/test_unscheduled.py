"""Footage of no lesson is announced before it goes, and can be given to its class until then."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from agent.archive import usage
from agent.archive.shortage import Storage
from agent.classes.binding import BindingError, bind, held_lesson
from agent.classes.document import SHANGHAI, PlannedSession
from agent.store import classes
from agent.store.facts import FactType
from tests.archive.retention.room import DAY_S, YEAR, Room
from tests.evidence.schemas import problems_of_facts

DAY_US = DAY_S * 1_000_000


def announcements(room: Room) -> list[dict[str, Any]]:
    assert problems_of_facts(room.store) == []
    return [json.loads(row["data"]) for row in room.facts(FactType.UNSCHEDULED_DUE)]


def lesson_of(room: Room) -> PlannedSession:
    """The lesson that the footage is of, as somebody types it."""
    rows = room.rows()
    first, last = (
        datetime.fromtimestamp(us / 1e6, UTC).astimezone(SHANGHAI)
        for us in (rows[0].start_us, rows[-1].end_us + 60_000_000)
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

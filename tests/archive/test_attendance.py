"""Attendance as records: when it is stated, and that a statement which no longer holds is superseded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from agent.archive.attendance import ALL_NS, ROUND_NS, AttendanceBook
from agent.classes.binding import bind, held_lesson
from agent.classes.unbinding import unbind
from agent.clock import Stamp
from agent.paths import Paths
from agent.role import RoleContext
from agent.store.attendance_records import statements
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from tests.classes.attending import CLASS, ROOM, Roll, at
from tests.clocks import ManualClock
from tests.evidence.schemas import problems_of_facts
from tests.web.lesson import settings_for

DAY = "2025-10-09"


@pytest.fixture
def roll(store: Store) -> Roll:
    return Roll(store)


@pytest.fixture
def book(paths: Paths, clock: ManualClock) -> AttendanceBook:
    settings = settings_for(paths, 1, environment="production")
    return AttendanceBook(RoleContext("archive", settings, paths, clock))


def turn(store: Store, book: AttendanceBook, clock: ManualClock, moment: str, **changes: Any) -> None:
    """The archive's steps of an hour, at that time."""
    clock.step_wall((at(moment) - clock.wall_us) / 1_000_000 - ALL_NS / 1e9)
    clock.advance(ALL_NS / 1e9)
    now = clock.now()
    stamp = Stamp(now.wall_us, now.monotonic_ns, now.boot_id, changes.get("state", now.clock_state))
    assert book.step(store, stamp).state == "running"
    book.step(store, stamp)


def facts(store: Store) -> list[Mapping[str, Any]]:
    rows = store.rows("SELECT data FROM fact WHERE type = 'class.attendance-stated' ORDER BY id")
    return [json.loads(row["data"]) for row in rows]


@pytest.mark.rule("R16")
def test_the_opening_head_count_is_stated_the_day_after_once(
    store: Store, roll: Roll, book: AttendanceBook, clock: ManualClock
) -> None:
    lesson = roll.lesson(f"{DAY} 08:00", hours=1)
    roll.answer(lesson, "A", 0)
    entry = roll.answer(lesson, "B", 0, "awaiting_confirmation", method="pin")
    roll.lesson("2025-10-20 08:00", hours=1, state="planned")
    turn(store, book, clock, f"{DAY} 23:00")
    assert facts(store) == [], "the day is not over"
    turn(store, book, clock, "2025-10-10 00:01", state="unsynchronised")
    assert facts(store) == [], "and nobody answers for this clock"
    turn(store, book, clock, "2025-10-10 00:02")
    (stated,) = facts(store)
    assert stated["part"] == "opening"
    assert stated["opening"] == {"day": DAY, "lessons": 1, "trainees": {"at_least": 1, "at_most": 2}}
    assert stated["notices"] == ["henan-2025"]
    turn(store, book, clock, "2025-10-10 02:00")
    assert len(facts(store)) == 1, "nothing moved"
    store.execute("UPDATE check_in SET outcome = 'accepted' WHERE id = ?", (entry,))
    turn(store, book, clock, "2025-10-10 04:00")
    first, second = facts(store)
    assert second["supersedes"] == first["statement"]
    assert second["because"] == ["check_ins_decided"]
    assert second["opening"]["trainees"] == {"at_least": 2, "at_most": 2}
    assert [each.id for each in statements(store, CLASS)] == [first["statement"], second["statement"]]
    store.execute("UPDATE person SET name = '' WHERE id = ?", (roll.people["C"],))
    turn(store, book, clock, "2025-10-10 05:00")
    assert len(facts(store)) == 2, "a name that was corrected or erased moved nobody's attendance"
    roll.configure(late_after_minutes=3)
    turn(store, book, clock, "2025-10-10 06:00")
    assert facts(store)[-1]["because"] == ["rules_changed"]


@pytest.mark.rule("R17")
def test_the_training_is_stated_when_its_last_lesson_is_over(
    store: Store, roll: Roll, book: AttendanceBook, clock: ManualClock
) -> None:
    first = roll.lesson(f"{DAY} 08:00", hours=2)
    last = roll.lesson("2025-10-20 08:00", hours=1, kind="examination", state="planned")
    for letter in "AB":
        roll.answer(first, letter, 0)
    turn(store, book, clock, "2025-10-19 08:00")
    assert [each["part"] for each in facts(store)] == ["opening"]
    store.execute(
        "UPDATE session SET state = 'closed', opened_us = planned_start_us, closed_us = planned_end_us"
        " WHERE id = ?",
        (last,),
    )
    turn(store, book, clock, "2025-10-20 09:00")
    assert len(facts(store)) == 1, "entries of the last lesson may still be confirmed"
    turn(store, book, clock, "2025-10-20 10:00")
    stated = facts(store)[-1]
    assert (stated["part"], stated["average"]) == (
        "training",
        {"hours": 2, "attendances": {"at_least": 4, "at_most": 4}},
    )
    assert stated["examined"] == {"at_least": 0, "at_most": 0}
    rows = {each["person"]: each for each in stated["trainees"]}
    assert rows[roll.people["A"]]["required"] == 3
    assert rows[roll.people["A"]]["attended"] == {"at_least": 2, "at_most": 2}
    assert rows[roll.people["C"]]["attended"] == {"at_least": 0, "at_most": 0}
    roll.configure(late_after_minutes=3)
    turn(store, book, clock, "2026-10-20 10:00")
    assert facts(store)[-1] == stated, "it keeps the rules that it was stated by"


@pytest.mark.rule("R16")
def test_a_lesson_taken_back_takes_the_counts_with_it_that_were_stated_of_it(
    store: Store, roll: Roll, book: AttendanceBook, clock: ManualClock
) -> None:
    """Entered afterwards for the wrong class, it was the only lesson of the opening day and the training."""
    store.execute("UPDATE class SET planned_hours = 1")
    roll.film(roll.lesson(f"{DAY} 08:00", hours=1, state="cancelled"), 0, 45)
    turn(store, book, clock, f"{DAY} 23:00")
    held = held_lesson(ROOM, "theory", DAY, "08:00", "08:45", 1)
    lesson = bind(store, clock.now(), CLASS, held, simulated=False)
    turn(store, book, clock, "2025-10-10 08:00")
    assert [each["part"] for each in facts(store)] == ["opening", "training"]
    assert facts(store)[0]["opening"]["trainees"] == {"at_least": 0, "at_most": 0}
    unbind(store, clock.now(), lesson, "wrong class", simulated=False)
    turn(store, book, clock, "2025-10-10 10:00")
    opening, training = facts(store)[2:]
    assert (opening["part"], training["part"]) == ("opening", "training")
    assert (opening["opening"], training["opening"], training["average"]) == (None, None, None)
    assert opening["because"] == ["lessons_changed"]
    assert {each["required"] for each in training["trainees"]} == {0}
    assert problems_of_facts(store) == []
    turn(store, book, clock, "2025-10-11 10:00")
    assert len(facts(store)) == 4, "nothing moved"


@pytest.mark.rule("R5")
def test_a_training_that_goes_on_after_it_was_stated_is_stated_anew(
    store: Store, roll: Roll, book: AttendanceBook, clock: ManualClock
) -> None:
    store.execute("UPDATE class SET planned_hours = 1")
    first = roll.lesson(f"{DAY} 08:00", hours=1)
    turn(store, book, clock, "2025-10-10 08:00")
    assert facts(store)[-1]["part"] == "training"
    roll.lesson("2025-10-30 08:00", hours=1, state="planned")
    turn(store, book, clock, "2025-10-12 08:00")
    assert len(facts(store)) == 2, "a lesson that is to come moves no count"
    roll.answer(first, "A", 0)
    turn(store, book, clock, "2025-10-14 08:00")
    assert facts(store)[-1]["part"] == "training"
    assert facts(store)[-1]["average"]["attendances"] == {"at_least": 1, "at_most": 1}


@pytest.mark.rule("R5")
def test_between_two_lessons_of_which_the_next_is_not_entered_yet_no_training_is_over(
    store: Store, roll: Roll, book: AttendanceBook, clock: ManualClock
) -> None:
    """Stated after each lesson, it would be superseded by the next, and hold the class to the rules of its
    first day."""
    for day in range(9, 12):
        roll.answer(roll.lesson(f"2025-10-{day:02d} 08:00"), "A", 0)
        turn(store, book, clock, f"2025-10-{day:02d} 23:00")
    turn(store, book, clock, "2025-11-08 23:00")
    assert [each["part"] for each in facts(store)] == ["opening"]
    turn(store, book, clock, "2025-11-11 08:00")
    assert [each["part"] for each in facts(store)] == ["opening", "training"], (
        "broken off: six of forty hours"
    )


def test_a_class_is_reckoned_anew_when_a_fact_speaks_of_it(
    store: Store, roll: Roll, book: AttendanceBook, clock: ManualClock
) -> None:
    roll.answer(roll.lesson(f"{DAY} 08:00", hours=1), "A", 0)
    roll.lesson("2025-10-20 08:00", hours=1, state="planned")
    turn(store, book, clock, "2025-10-10 08:00")
    store.execute("UPDATE check_in SET outcome = 'rejected'")
    clock.advance(ROUND_NS / 1e9)
    book.step(store, clock.now())
    assert len(facts(store)) == 1, "nobody said so"
    with store.transaction():
        state_fact(
            store,
            clock.now(),
            Fact(FactType.TRAINING_ENDED, f"class/{CLASS}", False, {"day": "2025-10-10"}, class_id=CLASS),
        )
    clock.advance(ROUND_NS / 1e9)
    book.step(store, clock.now())
    assert facts(store)[-1]["opening"]["trainees"] == {"at_least": 0, "at_most": 0}


def test_a_class_whose_notice_is_gone_is_said_and_the_others_are_stated(
    store: Store, roll: Roll, book: AttendanceBook, clock: ManualClock
) -> None:
    store.execute("UPDATE class SET opening_day = '1999-01-01'")
    clock.advance(ALL_NS / 1e9)
    word = book.step(store, clock.now())
    assert word.state == "fault" and CLASS in word.zh

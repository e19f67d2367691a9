"""Which class hours were held: never more than happened, and only inside a class hour's own borders."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.classes.class_hours import class_hours
from agent.classes.held import EMPTY_US, HourAsHeld, _as_held, empty_stretches, hours_as_held
from agent.store import classes as table
from agent.store import continuity, visibility
from agent.store.classes import Session
from agent.store.database import Store
from tests.classes.attending import Roll, at

MINUTE = 60_000_000
FORTY = 40 * MINUTE
DAY = "2025-10-09"
START = at(f"{DAY} 08:00")
NOW = at("2025-10-10 08:00")


class Room:
    """One lesson, 08:00-09:30, two class hours, and what was counted in it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.roll = Roll(store)
        self.session = self.roll.lesson(f"{DAY} 08:00")

    def happened(self, opened: float | None, closed: float | None, state: str = "closed") -> None:
        """In minutes from the planned start."""
        self.store.execute(
            "UPDATE session SET opened_us = ?, closed_us = ?, state = ? WHERE id = ?",
            (
                None if opened is None else START + round(opened * MINUTE),
                None if closed is None else START + round(closed * MINUTE),
                state,
                self.session,
            ),
        )

    def count(self, heads: int, *minutes: float) -> None:
        self.roll.count(self.session, heads, *minutes)

    def hours(self, now_us: int = NOW) -> tuple[HourAsHeld, ...]:
        session = table.session(self.store, self.session)
        assert session is not None
        return hours_as_held(self.store, session, FORTY, now_us)

    def said(self, now_us: int = NOW) -> list[tuple[str, float]]:
        return [(each.standing, each.held_us / MINUTE) for each in self.hours(now_us)]


@pytest.fixture
def room(store: Store) -> Room:
    return Room(store)


def test_early_starts_and_overruns_give_no_class_hour_more_time(room: Room) -> None:
    room.happened(-30, 150)
    assert room.said() == [("held", 45), ("held", 45)]


@pytest.mark.rule("R10")
@pytest.mark.parametrize(
    ("opened", "first"), [(5, ("held", 40)), (5.1, ("short", 39.9)), (45, ("not_held", 0))]
)
def test_a_late_start_takes_its_time_from_the_first_hour_alone(
    room: Room, opened: float, first: tuple[str, float]
) -> None:
    room.happened(opened, 120)
    (standing, minutes), second = room.said()
    assert (standing, round(minutes, 3)) == first and second == ("held", 45), "an overrun makes nothing good"


def test_an_early_end_takes_it_from_the_last(room: Room) -> None:
    room.happened(-5, 80)
    assert room.said() == [("held", 45), ("short", 35)]
    room.happened(-5, 44)
    assert room.said() == [("held", 44), ("not_held", 0)]


def test_a_room_in_which_nobody_is_counted_holds_no_lesson(room: Room) -> None:
    room.happened(-15, 95)
    room.count(0, -10, 0, 3, 6, 9, 12)
    room.count(20, 13, 20, 40, 60, 75)
    room.count(0, 76, 80, 85, 90, 95)
    assert room.said() == [("short", 33), ("short", 31)]
    assert all(each.counted for each in room.hours())


def test_a_count_that_missed_them_is_no_empty_room(room: Room) -> None:
    room.happened(-15, 95)
    room.count(20, 0, 10)
    room.count(0, 20, 22, 24.9)
    room.count(20, 26, 60)
    assert room.said() == [("held", 45), ("held", 45)]


def test_without_counts_nothing_is_taken_off_and_it_is_said(room: Room) -> None:
    room.happened(0, 90)
    assert [each.counted for each in room.hours()] == [False, False]


def test_what_is_still_on_may_still_be_held(room: Room) -> None:
    room.happened(-15, None, "open")
    assert room.said(START + 20 * MINUTE) == [("not_yet", 20), ("not_yet", 0)]
    assert room.said(START + 50 * MINUTE) == [("held", 45), ("not_yet", 5)]


def test_what_was_called_off_or_never_began_was_not_held(room: Room) -> None:
    room.happened(None, 90, "cancelled")
    assert room.said() == [("not_held", 0)] * 2
    room.happened(None, None, "planned")
    assert room.said(START - 1) == [("not_yet", 0)] * 2
    assert room.said(START + 45 * MINUTE) == [("not_held", 0), ("not_yet", 0)]


@given(
    st.lists(st.tuples(st.integers(-30, 150), st.integers(0, 2)), max_size=40),
    st.integers(-40, 100),
    st.integers(0, 140),
    st.booleans(),
)
def test_never_more_than_happened(
    counted: list[tuple[int, int]], opened: int, lasted: int, with_break: bool
) -> None:
    counts = sorted((START + minute * MINUTE, heads) for minute, heads in dict(counted).items())
    pauses = ((START + 40 * MINUTE, START + 50 * MINUTE),) if with_break else ()
    opened_us, closed_us = START + opened * MINUTE, START + (opened + lasted) * MINUTE
    session = Session(
        "a",
        "c",
        "r",
        "theory",
        START,
        START + 90 * MINUTE,
        2,
        "closed",
        opened_us,
        closed_us,
        "planned_end",
        pauses,
    )
    empty = empty_stretches(counts)
    assert all(end - begin >= EMPTY_US for begin, end in empty)
    hours = [_as_held(session, hour, counts, empty, FORTY, NOW) for hour in class_hours(session)]
    assert all(0 <= each.held_us <= each.hour.end_us - each.hour.start_us for each in hours)
    assert sum(each.held_us for each in hours) <= max(0, closed_us - opened_us)
    for each in hours:
        assert (each.standing == "held") == (each.held_us >= FORTY)


def test_two_counts_of_nobody_hours_apart_say_nothing_of_between() -> None:
    hours_apart = [(0, 0), (3 * 3_600_000_000, 0)]
    assert empty_stretches(hours_apart) == []
    often = [(at_us, 0) for at_us in range(0, 2 * EMPTY_US, 5_000_000)]
    assert empty_stretches(often) == [(0, 2 * EMPTY_US - 5_000_000)]
    assert empty_stretches([*often, (20 * EMPTY_US, 0)]) == [(0, 2 * EMPTY_US - 5_000_000)]


def test_a_lesson_opened_under_a_wrong_clock_is_judged_by_nobody(store: Store) -> None:
    roll = Roll(store)
    wrong, again = roll.lesson("2025-10-09 08:00"), roll.lesson("2025-10-09 14:00")
    store.execute("UPDATE session SET close_reason = 'clock_was_wrong' WHERE id = ?", (wrong,))
    now_us = at("2025-10-10 08:00")
    seen = visibility.sessions_to_judge(store, "R101", now_us, 9)
    filmed = continuity.unjudged_sessions(store, "R101", now_us, 9)
    assert [each.id for each in seen] == [each.id for each in filmed] == [again]

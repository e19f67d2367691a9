"""Class hours cut from the plan: with breaks between them nothing is lost and nothing counted twice."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.classes.class_hours import breaks_between, breaks_of, breaks_problem, class_hours
from agent.store.classes import Session

MINUTE_US = 60_000_000
START_US = 1_795_221_000_000_000


def lesson(minutes: int, hours: int, breaks: tuple[tuple[int, int], ...] = ()) -> Session:
    """`breaks` in minutes after its start."""
    return Session(
        "a",
        "c",
        "room-101",
        "theory",
        START_US,
        START_US + minutes * MINUTE_US,
        hours,
        "planned",
        None,
        None,
        None,
        tuple((START_US + begin * MINUTE_US, START_US + end * MINUTE_US) for begin, end in breaks),
    )


def minutes(session: Session) -> list[tuple[float, float]]:
    return [
        ((hour.start_us - START_US) / MINUTE_US, (hour.end_us - START_US) / MINUTE_US)
        for hour in class_hours(session)
    ]


def test_without_breaks_they_are_equal_parts() -> None:
    assert minutes(lesson(180, 4)) == [(0, 45), (45, 90), (90, 135), (135, 180)]


@pytest.mark.rule("R10")
def test_forty_five_minutes_with_ten_between() -> None:
    pauses = breaks_between(START_US, START_US + 210 * MINUTE_US, 4, 10 * MINUTE_US)
    session = lesson(
        210, 4, tuple(((a - START_US) // MINUTE_US, (b - START_US) // MINUTE_US) for a, b in pauses)
    )
    assert minutes(session) == [(0, 45), (55, 100), (110, 155), (165, 210)]
    assert [each.number for each in breaks_of(session)] == [1, 2, 3], "each after its class hour"


def test_one_long_break_leaves_whole_class_hours_on_either_side() -> None:
    assert minutes(lesson(200, 4, ((90, 110),))) == [(0, 45), (45, 90), (110, 155), (155, 200)]
    assert minutes(lesson(190, 4, ((135, 145),))) == [(0, 45), (45, 90), (90, 135), (145, 190)]


@pytest.mark.parametrize(
    ("breaks", "says"),
    [
        (((0, 10),), "between two class hours"),
        (((80, 90),), "before the lesson does"),
        (((40, 40),), "in order"),
        (((40, 50), (45, 55)), "in order"),
        (((40, 45), (45, 50)), "next to another"),
        (((20, 25), (40, 45), (60, 65)), "at most 2"),
    ],
)
def test_breaks_that_cannot_be_are_refused(breaks: tuple[tuple[int, int], ...], says: str) -> None:
    session = lesson(90, 3, breaks)
    plan = session.planned_start_us, session.planned_end_us, session.class_hours, session.breaks
    problem = breaks_problem(*plan)
    assert problem is not None and says in problem[1]
    with pytest.raises(ValueError, match=says):
        class_hours(session)


@given(st.data())
def test_hours_and_breaks_tile_the_lesson(data: st.DataObject) -> None:
    hours = data.draw(st.integers(1, 24))
    length = data.draw(st.integers(hours * 2, 12 * 60))
    borders = sorted(data.draw(st.sets(st.integers(1, length - 1), max_size=2 * (hours - 1))))
    pairs = tuple(zip(borders[::2], borders[1::2], strict=False))
    session = lesson(length, hours, pairs)
    if breaks_problem(session.planned_start_us, session.planned_end_us, hours, session.breaks) is not None:
        return
    cut = class_hours(session)
    assert [hour.number for hour in cut] == list(range(1, hours + 1))
    tiles = sorted([(h.start_us, h.end_us) for h in cut] + list(session.breaks))
    assert tiles[0][0] == session.planned_start_us and tiles[-1][1] == session.planned_end_us
    assert all(before[1] == after[0] for before, after in itertools.pairwise(tiles)), (
        "a hole, or something twice"
    )
    assert all(hour.end_us > hour.start_us for hour in cut)
    assert len(breaks_of(session)) == len(session.breaks)

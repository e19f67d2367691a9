"""The judgement against a slow and simple oracle, over wild timetables."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.archive.entitlement import (
    ROLL_US,
    Due,
    Entitlement,
    Kept,
    Years,
    judge_class,
    midnight_us,
    years_after,
)
from agent.archive.footage_time import TrueTime
from agent.store.trainings import Lesson, Training
from tests.archive.retention.room import DAY_S, HOUR_US, POLICIES

DAY_US = DAY_S * 1_000_000
BASE_US = 1_795_219_200_000_000
YEAR_US = 365 * DAY_US


def training(class_id: str, end_us: int | None, **more: object) -> Training:
    values: dict[str, object] = {
        "class_id": class_id,
        "opening_day": "2026-01-05",
        "city": "jiaozuo",
        "notices": (),
        "end_us": end_us,
        "open_sessions": 0,
        "planned_sessions": 0,
        "stated_day": None,
        "on_hold": False,
    }
    return Training(**{**values, **more})  # type: ignore[arg-type]


lessons = st.lists(
    st.builds(
        lambda room, class_id, start, length: Lesson(
            room, class_id, BASE_US + start * HOUR_US, BASE_US + (start + length) * HOUR_US
        ),
        st.sampled_from(["r1", "r2"]),
        st.sampled_from(["a", "b", "c"]),
        st.integers(0, 2000),
        st.integers(1, 12),
    ),
    max_size=30,
)


@pytest.mark.promise("I1")
@pytest.mark.rule("R8")
@given(lessons, st.integers(0, 2000), st.booleans(), st.booleans(), st.sampled_from(["", "a", "b"]))
def test_no_footage_is_due_before_every_class_that_it_touches(
    held: list[Lesson], at_hour: int, is_prompt: bool, no_start: bool, on_hold: str
) -> None:
    trainings = [
        training(c, max((x.end_us for x in held if x.class_id == c), default=None), on_hold=c == on_hold)
        for c in ("a", "b", "c")
    ]
    rules = Entitlement(
        trainings,
        sorted(held, key=lambda lesson: lesson.start_us),
        POLICIES,
        Years(4, 3, 30),
        timetable_us=BASE_US + 500 * HOUR_US,
        unreported_us=None,
    )
    start_us = BASE_US + at_hour * HOUR_US
    end_us = start_us + 300_000_000
    judged = rules.judge("r1", TrueTime(None if no_start else start_us, end_us), is_prompt=is_prompt)
    touched = {
        lesson.class_id
        for lesson in held
        if lesson.room == "r1"
        and lesson.start_us - ROLL_US < end_us
        and (no_start or lesson.end_us + ROLL_US > start_us)
    }
    if on_hold in touched:
        assert isinstance(judged, Kept)
        return
    assert isinstance(judged, Due) and set(judged.classes) == touched
    for each in trainings:
        if each.class_id in touched:
            assert each.end_us is not None and judged.due_us >= each.end_us + 4 * YEAR_US
    if not touched:
        knows = is_prompt and not no_start and start_us >= BASE_US + 500 * HOUR_US
        least = 30 * DAY_US if knows else 10 * YEAR_US
        assert judged.due_us >= end_us + least
        assert not knows or judged.due_us <= end_us + 32 * DAY_US


def test_without_a_policy_for_its_day_a_class_is_kept() -> None:
    judged = judge_class(training("a", BASE_US, opening_day="2019-01-01"), "video_retention", 3, POLICIES)
    assert judged == Kept("policy", ("a",))
    judged = judge_class(training("a", BASE_US, opening_day="nonsense"), "video_retention", 3, POLICIES)
    assert judged == Kept("policy", ("a",))


@pytest.mark.rule("R8")
def test_a_class_is_kept_by_the_notices_that_it_took_on_whatever_its_day_would_give_now() -> None:
    """Of the two only the city's notice speaks of check-in records."""
    by_day = training("a", BASE_US, city="jiaozuo", notices=("henan-2025",))
    assert judge_class(by_day, "check_in_record_retention", 3, POLICIES) == Kept("policy", ("a",))
    moved = training("a", BASE_US, city="zhengzhou", notices=("henan-2025", "jiaozuo-2021"))
    assert isinstance(judge_class(moved, "check_in_record_retention", 3, POLICIES), Due)
    gone = training("a", BASE_US, notices=("henan-2025", "of-a-folder-that-is-gone"))
    assert judge_class(gone, "video_retention", 3, POLICIES) == Kept("policy", ("a",))


def test_without_any_lesson_a_class_is_kept() -> None:
    assert judge_class(training("a", None), "video_retention", 3, POLICIES) == Kept("no_end", ("a",))


def test_the_leap_day_and_the_last_minute() -> None:
    assert years_after(date(2028, 2, 29), 3) == date(2031, 3, 1)
    assert midnight_us(date(2026, 11, 21)) - BASE_US == 16 * HOUR_US, "BASE is 08:00 that day"


def test_what_is_not_confirmed_and_what_has_no_time_is_kept() -> None:
    rules = Entitlement([], [], POLICIES, Years(3, 3, 30), timetable_us=0, unreported_us=BASE_US)
    assert rules.judge("r1", TrueTime(BASE_US - 5, BASE_US), is_prompt=True) == Kept("unreported", ())
    assert rules.judge("r1", None, is_prompt=True) == Kept("time_unknown", ())

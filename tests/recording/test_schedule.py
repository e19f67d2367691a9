"""What is recorded when: single cases, and class hours with a failing camera."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.classes.class_hours import class_hours
from agent.classes.recording_plan import (
    VALID_US,
    PlannedRecording,
    plan_content,
)
from agent.recording.plan import MINIMUM_MARGIN_US
from agent.recording.schedule import LOOK_US, Progress, Schedule
from agent.store.classes import SessionKind
from tests.clocks import ManualClock
from tests.recording.planned import (
    FIFTEEN_US,
    HOUR_US,
    MIDNIGHT_US,
    MINUTE_US,
    ROLL_S,
    SECOND_US,
    Camera,
    Film,
    clock_at,
    lesson,
    mode_at,
    plan_of,
    schedule_at,
    working_stretches,
)


@pytest.fixture
def schedule(tmp_path: Path) -> Schedule:
    return schedule_at(tmp_path / "plan.json")


@pytest.mark.rule("R2")
@pytest.mark.rule("R4")
@pytest.mark.rule("R5")
@pytest.mark.parametrize("kind", ["theory", "examination", "make_up"])
def test_these_are_recorded_whole_from_pre_roll_to_post_roll(schedule: Schedule, kind: SessionKind) -> None:
    start = MIDNIGHT_US + 9 * HOUR_US
    made = lesson(1, start, 90, kind)
    plan = replace(plan_of(MIDNIGHT_US, PlannedRecording(made, None)), valid_until_us=2**62)
    before, after = start - ROLL_S * SECOND_US, made.planned_end_us + ROLL_S * SECOND_US
    assert [mode_at(schedule, plan, at) for at in (before - 1, before)] == [
        "rest",
        "whole",
    ]
    assert [mode_at(schedule, plan, at) for at in (after - 1, after)] == [
        "whole",
        "rest",
    ]


def test_people_are_recorded_beyond_the_plan_and_without_one(schedule: Schedule) -> None:
    now = MIDNIGHT_US
    assert mode_at(schedule, plan_of(now), now) == "rest"
    assert mode_at(schedule, plan_of(now, people_us=now + MINUTE_US), now) == "people"
    assert mode_at(schedule, plan_of(now, nobody_s=now + MINUTE_US), now) == "unscheduled"
    assert mode_at(schedule, plan_of(now, nobody_s=now), now) == "rest"


@pytest.mark.rule("R3")
def test_a_clock_that_was_set_back_takes_a_reached_minimum_with_it(schedule: Schedule) -> None:
    """By a clock ten minutes fast 17 minutes of the class hour were filmed: in truth, seven."""
    start = MIDNIGHT_US + 9 * HOUR_US
    plan = plan_of(start, PlannedRecording(lesson(1, start, 90), FIFTEEN_US))
    plan = replace(plan, valid_until_us=2**62)
    by_fast = Progress(start, start + 17 * MINUTE_US)
    assert mode_at(schedule, plan, start + 17 * MINUTE_US, by_fast) == "rest"
    now = clock_at(start + 7 * MINUTE_US, set_by_us=-10 * MINUTE_US).now()
    assert schedule.judge(plan, now, None).mode == "minimum"


@pytest.mark.rule("R3")
def test_two_lessons_that_share_the_room_get_each_its_minimum(schedule: Schedule) -> None:
    start = MIDNIGHT_US + 9 * HOUR_US
    first, second = lesson(1, start, 90), lesson(2, start + 10 * MINUTE_US, 90)
    plan = plan_of(start, PlannedRecording(first, FIFTEEN_US), PlannedRecording(second, FIFTEEN_US))
    plan = replace(plan, valid_until_us=2**62)
    for minutes, mode in ((17, "minimum"), (25, "minimum"), (27, "rest")):
        now = start + minutes * MINUTE_US
        assert mode_at(schedule, plan, now, Progress(start, now)) == mode, minutes


@pytest.mark.rule("R3")
def test_a_plan_without_its_class_hours_is_no_plan(schedule: Schedule, tmp_path: Path) -> None:
    made = lesson(1, MIDNIGHT_US, 90)
    good = {
        "written_us": MIDNIGHT_US,
        "valid_until_us": MIDNIGHT_US + VALID_US,
        **plan_content([PlannedRecording(made, FIFTEEN_US)], None, None),
    }
    now = ManualClock(wall_us=MIDNIGHT_US).now()
    changes: tuple[dict[str, object], ...] = (
        {"hours": []},
        {"minimum_us": None},
        {"mode": "less"},
        {"hours": [[0, 1]]},
        {"hours": [[MIDNIGHT_US, made.planned_end_us], [MIDNIGHT_US, made.planned_end_us]]},
    )
    for change in changes:
        bad = {**good, "sessions": [{**good["sessions"][0], **change}]}
        (tmp_path / "plan.json").write_text(json.dumps(bad), encoding="utf-8")
        decision = schedule.decide(now, None)
        assert decision.record and decision.because == "plan unreadable: ValueError", change


@pytest.mark.rule("R2")
@pytest.mark.rule("R3")
def test_a_break_asks_for_video_where_the_whole_is_recorded_and_for_none_beside_a_minimum(
    schedule: Schedule,
) -> None:
    pause = (MIDNIGHT_US + 45 * MINUTE_US, MIDNIGHT_US + 55 * MINUTE_US)
    made = replace(lesson(1, MIDNIGHT_US, 100), breaks=(pause,))
    for minimum_us, records in ((None, True), (FIFTEEN_US, False)):
        for at_us in (pause[0], pause[0] + 5 * MINUTE_US, pause[1] - 1):
            plan = plan_of(at_us, PlannedRecording(made, minimum_us))
            assert schedule.judge(plan, clock_at(at_us).now(), None).record is records
        again = plan_of(pause[1], PlannedRecording(made, minimum_us))
        assert schedule.judge(again, clock_at(pause[1]).now(), None).record, "the next class hour begins"


@pytest.mark.rule("R3")
@settings(max_examples=80, deadline=None)
@given(
    limit_s=st.integers(60, 1200),
    hour_s=st.integers(600, 2700),
    faults=st.lists(st.tuples(st.integers(0, 5400), st.integers(1, 400)), max_size=6),
)
def test_a_class_hour_with_room_for_the_minimum_gets_it_whatever_breaks(
    limit_s: int, hour_s: int, faults: list[tuple[int, int]]
) -> None:
    """Second by second over a lesson of two class hours. Whoever rests has the minimum behind him; wherever
    the camera worked long enough at a stretch, the minimum is reached."""
    made = replace(lesson(1, MIDNIGHT_US, 1), planned_end_us=MIDNIGHT_US + 2 * hour_s * SECOND_US)
    plan = replace(plan_of(MIDNIGHT_US, PlannedRecording(made, limit_s * SECOND_US)), valid_until_us=2**62)
    camera = Camera(
        sorted((MIDNIGHT_US + a * SECOND_US, MIDNIGHT_US + (a + length) * SECOND_US) for a, length in faults)
    )
    schedule, film = schedule_at(Path("nowhere")), Film()
    rested: dict[int, int] = {}
    for hour in class_hours(made):
        for at_us in range(hour.start_us, hour.end_us, SECOND_US):
            decision = schedule.judge(plan, clock_at(at_us).now(), film.progress)
            if not decision.record:
                assert film.longest_in(hour.start_us, at_us) >= limit_s * SECOND_US
                rested[hour.number] = rested.get(hour.number, 0) + 1
            film.step(at_us, SECOND_US, records=decision.record and camera.works(at_us))
        worked = working_stretches(camera, hour.start_us, hour.end_us)
        wanted_us = limit_s * SECOND_US + MINIMUM_MARGIN_US
        if max(worked, default=0) >= wanted_us:
            assert film.longest_in(hour.start_us, hour.end_us) >= limit_s * SECOND_US
        if not faults and hour_s > limit_s + (MINIMUM_MARGIN_US + LOOK_US) // SECOND_US + 5:
            assert rested.get(hour.number, 0) > 0, "recorded on although the minimum was reached"


def filmed(chance: random.Random | None, minutes: int = 45) -> list[int]:
    """The seconds recorded of an undisturbed class hour, counted from its beginning."""
    made = lesson(1, MIDNIGHT_US, minutes, hours=1)
    plan = replace(plan_of(MIDNIGHT_US, PlannedRecording(made, FIFTEEN_US)), valid_until_us=2**62)
    schedule = Schedule(Path("nowhere"), pre_roll_s=ROLL_S, post_roll_s=ROLL_S, chance=chance)
    film, seconds = Film(), []
    for second in range(minutes * 60):
        at_us = MIDNIGHT_US + second * SECOND_US
        decision = schedule.judge(plan, clock_at(at_us).now(), film.progress)
        film.step(at_us, SECOND_US, records=decision.record)
        if decision.record:
            seconds.append(second)
    return seconds


@pytest.mark.rule("R3")
def test_whoever_goes_home_behind_the_minimum_is_looked_at_and_cannot_know_when() -> None:
    """Teach 20 minutes and leave. Whenever that is, until a minute before the end a look is still to come;
    the first may come at any time. It saves HR nothing if they come so often that all is recorded."""
    chance = random.Random(3)
    reached_s, look_s, hour_s = 16 * 60, LOOK_US // SECOND_US, 45 * 60
    first_looks, recorded = [], []
    for _ in range(120):
        seconds = filmed(chance)
        after = [each for each in seconds if each > reached_s + 1]
        assert seconds[:reached_s] == list(range(reached_s)), "the minimum first: it cannot be lost"
        assert after[-1] >= hour_s - look_s - 1, "a last minute that nobody looks at, and no more"
        first_looks.append(after[0])
        recorded.append(len(seconds))
    slack_s = hour_s - look_s - reached_s
    for third in range(3):
        begin = reached_s + third * slack_s / 3
        share = sum(begin <= each < begin + slack_s / 3 for each in first_looks) / len(first_looks)
        assert 0.2 < share < 0.47, f"looks favour a time: {share:.2f} in third {third + 1}"
    assert sum(recorded) / len(recorded) < 22 * 60


@pytest.mark.rule("R3")
def test_no_two_recorders_look_at_the_same_time() -> None:
    """The machine's own chance; five equal hours by accident are one in 10^12."""
    assert len({tuple(filmed(None)) for _ in range(5)}) > 1

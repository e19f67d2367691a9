"""Class hours judged from file times: exact lengths, every missing second with its reason, three verdicts."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.classes.class_hours import ClassHour, VideoDemand
from agent.recording.class_hour_report import (
    ClassHourReport,
    Hole,
    Unprovable,
    report_class_hours,
)
from agent.recording.file_times import FileTimes
from agent.recording.gaps import new_gap
from tests.clocks import ManualClock

SECOND = 1_000_000
MINUTE = 60 * SECOND
TICKS = 90_000
WHOLE = VideoDemand("R2", "whole", ())
QUARTER = VideoDemand("R3", 15 * MINUTE, ())
HOUR = ClassHour(1, 0, 45 * MINUTE)


def times(run: str, sequence: int, start_s: float, length_s: float, *, from_s: float = 0.0) -> FileTimes:
    """A file that begins at wall second `start_s` and at the run's second `from_s`."""
    first = round(from_s * TICKS)
    return FileTimes(
        run=run,
        sequence=sequence,
        ticks_per_second=TICKS,
        stretches=((first, first + round(length_s * TICKS)),),
        camera_dts=hash(run) % 10**9 * TICKS,
        boot_id="boot",
        monotonic_start_ns=round((start_s + 10**6) * 1e9),
        wall_start_us=round(start_s * SECOND),
        gaps_before=(),
        is_whole=True,
    )


def judge(
    *files: FileTimes,
    holes: tuple[Hole, ...] = (),
    unprovable: tuple[Unprovable, ...] = (),
    demand: VideoDemand = WHOLE,
    now_s: float = 10_000,
    is_live: bool = False,
) -> ClassHourReport:
    (report,) = report_class_hours(
        [HOUR], files, holes, unprovable, demand, round(now_s * SECOND), is_live=is_live
    )
    return report


@pytest.mark.rule("R2")
@pytest.mark.rule("R4")
@pytest.mark.rule("R5")
def test_the_whole_is_met_without_any_gap_and_with_two_seconds_missing_it_is_not() -> None:
    assert judge(times("a", 0, -10, 2800)).verdict == "met"
    broken = judge(
        times("a", 0, -10, 1010),
        times("b", 0, 1002, 1800),
        holes=(Hole(1000 * SECOND, 1002 * SECOND, "camera"),),
    )
    assert (broken.verdict, broken.missing_us, broken.unexplained_us) == ("not_met", 2 * SECOND, 0)
    assert [(m.reason, m.length_us) for m in broken.missing] == [("camera", 2 * SECOND)]


@pytest.mark.rule("R3")
@pytest.mark.parametrize(("seconds", "verdict"), [(900, "met"), (900 - 1 / TICKS, "not_met")])
def test_the_minutes_are_exact_to_one_tick(seconds: float, verdict: str) -> None:
    report = judge(times("a", 0, 100, seconds), demand=QUARTER, holes=(Hole(0, None, "plan"),))
    assert report.verdict == verdict
    assert report.recorded[0].seconds == Fraction(round(seconds * TICKS), TICKS)


@pytest.mark.rule("R3")
def test_two_long_runs_with_a_second_between_them_are_not_added_up() -> None:
    parts = (times("a", 0, 0, 800), times("b", 0, 801, 800))
    report = judge(*parts, demand=QUARTER)
    assert (report.verdict, report.longest_us) == ("not_met", 800 * SECOND)


@pytest.mark.rule("R3")
def test_file_after_file_and_run_after_run_without_a_missing_frame_is_one() -> None:
    first, second = times("a", 0, 0, 300), times("a", 1, 300.03, 300, from_s=300)
    renamed = replace(times("b", 0, 600, 400), camera_dts=first.camera_dts + 600 * TICKS)
    report = judge(first, second, renamed, demand=QUARTER)
    assert (report.verdict, report.longest_us) == ("met", 1000 * SECOND)
    assert report.recorded[0].runs == ("a", "b")
    assert judge(first, second, replace(renamed, camera_dts=0), demand=QUARTER).longest_us == 600 * SECOND
    assert judge(first, second, replace(renamed, boot_id="later"), demand=QUARTER).longest_us == 600 * SECOND


@pytest.mark.rule("R3")
def test_a_camera_whose_stamps_stood_still_with_its_pictures_is_not_taken_for_unbroken() -> None:
    first = times("a", 0, 0, 600)
    later = replace(times("b", 0, 603, 600), camera_dts=first.camera_dts + 600 * TICKS)
    assert judge(first, later).longest_us == 600 * SECOND
    stated = new_gap("rear", "camera", 600 * SECOND, ManualClock().now(), simulated=True, run_before="a")
    at_once = replace(
        later, wall_start_us=601 * SECOND, monotonic_start_ns=later.monotonic_start_ns - 2 * 10**9
    )
    assert judge(first, at_once).longest_us == 1200 * SECOND
    assert judge(first, replace(at_once, gaps_before=(stated,))).longest_us == 600 * SECOND


@pytest.mark.promise("I3")
def test_a_clock_that_is_set_costs_no_second() -> None:
    """Forwards: wall time that never was is not missing. Backwards: the order is the recording's."""
    first = times("a", 0, 0, 600)
    forwards = replace(
        times("b", 0, 1200, 1600),
        camera_dts=first.camera_dts + 600 * TICKS,
        monotonic_start_ns=first.monotonic_start_ns + 600 * 10**9,
    )
    report = judge(first, forwards, holes=(Hole(600 * SECOND, 1200 * SECOND, "clock"),))
    assert (report.verdict, report.missing, report.longest_us) == ("met", (), 2100 * SECOND)
    backwards = replace(forwards, wall_start_us=300 * SECOND, stretches=((0, 2600 * TICKS),))
    report = judge(first, backwards)
    assert report.verdict == "met" and len(report.recorded) == 1


def test_a_running_class_hour_is_not_judged_before_its_time() -> None:
    filmed = times("a", 0, -10, 600)
    assert judge(filmed, now_s=592, is_live=True).verdict == "not_yet"
    assert judge(filmed, now_s=592, is_live=True).missing == ()
    assert judge(filmed, now_s=592, is_live=True, demand=QUARTER).verdict == "not_yet"
    assert judge(times("a", 0, 0, 950), now_s=951, is_live=True, demand=QUARTER).verdict == "met"
    early = judge(times("a", 0, 5, 600), now_s=606, is_live=True, holes=(Hole(0, 5 * SECOND, "power"),))
    assert early.verdict == "not_met", "the beginning cannot be made good"
    assert judge(now_s=-5).verdict == "not_yet" and judge(now_s=-5).missing == ()


@pytest.mark.promise("I3")
def test_a_recorder_that_says_nothing_leaves_its_silence_unexplained() -> None:
    report = judge(times("a", 0, -10, 600), now_s=700)
    assert report.unexplained_us == 110 * SECOND


def test_a_file_that_is_gone_is_named_and_proves_nothing() -> None:
    gone = Unprovable("segments/r/000001.mp4", 300 * SECOND, 600 * SECOND, "expired", "")
    report = judge(
        times("a", 0, -10, 310), times("a", 2, 600, 3000, from_s=610), unprovable=(gone,), demand=WHOLE
    )
    assert [(m.reason, m.length_us) for m in report.missing] == [("expired", 300 * SECOND)]
    assert (report.verdict, report.unexplained_us) == ("not_met", 0)


def test_damage_inside_a_file_breaks_the_run() -> None:
    torn = replace(times("a", 0, 0, 0), stretches=((0, 500 * TICKS), (501 * TICKS, 2700 * TICKS)))
    report = judge(torn, unprovable=(Unprovable("p", 0, 2700 * SECOND, "damaged", ""),))
    assert [(m.start_us, m.length_us, m.reason) for m in report.missing] == [
        (500 * SECOND, SECOND, "damaged")
    ]
    assert report.longest_us == 2199 * SECOND


@pytest.mark.promise("I3")
@given(
    parts=st.lists(st.tuples(st.integers(-60, 2700), st.integers(1, 900)), max_size=8),
    gaps=st.lists(st.tuples(st.integers(-60, 2700), st.integers(1, 900)), max_size=8),
)
def test_recorded_and_missing_tile_every_class_hour(
    parts: list[tuple[int, int]], gaps: list[tuple[int, int]]
) -> None:
    files = [times(f"r{n}", 0, start, length) for n, (start, length) in enumerate(parts)]
    holes = tuple(Hole(start * SECOND, (start + length) * SECOND, "camera") for start, length in gaps)
    report = judge(*files, holes=holes)
    filmed = {t for start, length in parts for t in range(start, start + length)}
    stated = {t for start, length in gaps for t in range(start, start + length)}
    hour = set(range(2700))
    assert report.missing_us == len(hour - filmed) * SECOND
    assert report.unexplained_us == len(hour - filmed - stated) * SECOND
    assert (report.verdict == "met") == (hour <= filmed)

"""Coverage of an interval: exact lengths by ticks, and not one second left unexplained without saying so."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.recording.continuity import coverage

SECOND = 1_000_000


def segment(
    run: str,
    sequence: int,
    ticks: tuple[int, int],
    seconds: tuple[float, float],
    monotonic: float | None = None,
    end_reason: str = "rotation",
) -> dict[str, Any]:
    return {
        "boot_id": "boot",
        "monotonic_start_ns": round((seconds[0] if monotonic is None else monotonic) * 1_000_000_000),
        "end_reason": end_reason,
        "run_id": run,
        "sequence": sequence,
        "start_ticks": ticks[0],
        "end_ticks": ticks[1],
        "start_us": round(seconds[0] * SECOND),
        "end_us": round(seconds[1] * SECOND),
        "ticks_per_second": 90_000,
    }


def gap(reason: str, start: float, end: float | None, before: str = "a", after: str = "b") -> dict[str, Any]:
    return {
        "reason": reason,
        "start_us": round(start * SECOND),
        "end_us": None if end is None else round(end * SECOND),
        "run_before": before,
        "run_after": after,
    }


@pytest.mark.rule("R3")
def test_the_longest_stretch_is_exact_to_the_tick_and_not_by_the_wall_clock() -> None:
    """A camera whose clock is slow by 1 part in 1000: its own ticks count."""
    rows = [segment("a", 0, (0, 26_973_000), (0, 300)), segment("a", 1, (26_973_000, 53_946_001), (300, 600))]
    found = coverage(rows, [], 0, 600 * SECOND)
    assert found.longest == Fraction(53_946_001, 90_000)
    assert found.unexplained == ()


@pytest.mark.rule("R3")
@pytest.mark.parametrize("missing", [1, -1])
def test_one_tick_less_or_more_between_two_files_is_a_seam(missing: int) -> None:
    rows = [segment("a", 0, (0, 900_000), (0, 10)), segment("a", 1, (900_000 + missing, 1_800_000), (10, 20))]
    assert len(coverage(rows, [], 0, 20 * SECOND).stretches) == 2


@pytest.mark.rule("R3")
def test_a_class_hour_sees_only_its_share() -> None:
    rows = [segment("a", 0, (0, 27_000_000), (0, 300)), segment("a", 1, (27_000_000, 54_000_000), (300, 600))]
    assert coverage(rows, [], 100 * SECOND, 400 * SECOND).longest == 300


@pytest.mark.promise("I3")
def test_what_is_neither_video_nor_gap_is_named() -> None:
    rows = [segment("a", 0, (0, 900_000), (10, 20)), segment("b", 0, (0, 900_000), (30, 40))]
    found = coverage(rows, [gap("camera", 20, 25)], 0, 50 * SECOND)
    assert found.unexplained == ((0, 10 * SECOND), (25 * SECOND, 30 * SECOND), (40 * SECOND, 50 * SECOND))
    assert found.unexplained_seconds == 25


@pytest.mark.promise("I3")
def test_a_gap_that_lasts_reaches_to_the_end() -> None:
    found = coverage([segment("a", 0, (0, 900_000), (0, 10))], [gap("disk", 10, None)], 0, 60 * SECOND)
    assert found.unexplained == ()
    assert [(g.start_us, g.end_us, g.reason) for g in found.gaps] == [(10 * SECOND, 60 * SECOND, "disk")]


def set_clock(seconds: float, *, lost: float = 0) -> list[dict[str, Any]]:
    """Ten seconds, the clock set by `seconds`, ten seconds more; `lost` seconds are missing in between."""
    begins = 10 + lost
    return [
        segment("a", 0, (0, 900_000), (5000, 5010), monotonic=0, end_reason="clock"),
        segment("b", 0, (0, 900_000), (5000 + begins + seconds, 5010 + begins + seconds), monotonic=begins),
    ]


@pytest.mark.rule("R3")
@pytest.mark.parametrize("step", [3600, -5, -10, -3600])
def test_a_set_clock_does_not_break_footage(step: float) -> None:
    rows = set_clock(step)
    gaps = [gap("clock", 5010, max(5010, 5010 + step))]
    assert coverage(rows, gaps, 0, 9000 * SECOND).longest == 20
    assert coverage(set_clock(step, lost=3), gaps, 0, 9000 * SECOND).longest == 10, "frames are missing"


@pytest.mark.promise("I3")
@pytest.mark.parametrize(("step", "doubled"), [(3600, 0), (-5, 5), (-10, 10), (-3600, 0)])
def test_wall_time_that_passed_twice_is_counted_once_and_said(step: float, doubled: int) -> None:
    found = coverage(set_clock(step), [gap("clock", 5010, max(5010, 5010 + step))], 0, 9000 * SECOND)
    assert sum(end - start for start, end in found.twice) == doubled * SECOND
    assert found.seconds_on_video == 20 - doubled


@given(
    spans=st.lists(st.tuples(st.integers(0, 60), st.integers(1, 10), st.booleans()), max_size=12),
    window=st.tuples(st.integers(0, 70), st.integers(1, 30)),
)
@pytest.mark.promise("I3")
def test_every_instant_is_video_gap_or_unexplained(
    spans: list[tuple[int, int, bool]], window: tuple[int, int]
) -> None:
    rows, gaps = [], []
    for number, (start, length, is_video) in enumerate(spans):
        if is_video:
            rows.append(segment(f"r{number}", 0, (0, length * 90_000), (start, start + length)))
        else:
            gaps.append(gap("camera", start, start + length))
    start, end = window[0], window[0] + window[1]
    found = coverage(rows, gaps, start * SECOND, end * SECOND)
    known = {t for a, n, _ in spans for t in range(a, a + n)}
    unexplained = {t for a, b in found.unexplained for t in range(a // SECOND, b // SECOND)}
    assert unexplained == set(range(start, end)) - known


def test_an_empty_interval_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        coverage([], [], 5, 5)

"""Which key frames of a recording ought to be counted: what a watch would have looked at that never slept.

A watch that looks each N seconds sees the newest key frame each time. Laid on the run's own time from its
first tick, that is a fixed choice among the recording's key frames: made again after a crash, it is the
same.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

NEAR: Final = 0.9
"""Share of the interval within which a picture that was counted at once stands for the planned one. A watch
looks at its own pace: its pictures lie up to a key frame's distance beside the plan's."""


@dataclass(frozen=True, slots=True)
class PlannedFrame:
    """A key frame of a finished segment."""

    run_id: str
    sequence: int
    offset: int
    """Of the `moof` that begins with it, in the file."""
    ticks: int
    """Its decoding time, from the segment's `start_ticks`."""
    run_us: int
    """The same in the run's own time, microseconds."""
    true_us: int
    """When it was taken, true time."""
    until_us: int
    """Run time at which the next key frame, or the footage's end, takes its place."""


def chosen(frames: Iterable[PlannedFrame], every_us: int) -> list[PlannedFrame]:
    """Of `frames`, those that a look each `every_us` meets; ValueError unless that is longer than nothing.

    >>> frames = [PlannedFrame("r", 0, 0, 0, s * 1000, s * 1000, s * 1000 + 2000) for s in range(0, 12, 2)]
    >>> [frame.run_us for frame in chosen(frames, 5000)]
    [0, 4000, 10000]
    """
    if every_us <= 0:
        raise ValueError(f"every_us is {every_us}, expected a length of time")
    return [frame for frame in frames if -(-frame.run_us // every_us) * every_us < frame.until_us]


def within(frames: Iterable[PlannedFrame], hours: Sequence[tuple[int, int]]) -> list[PlannedFrame]:
    """Those that lie in one of `hours`, [start_us, end_us) in true time."""
    return [frame for frame in frames if any(start <= frame.true_us < end for start, end in hours)]


def not_near(frames: Iterable[PlannedFrame], looks_us: Sequence[int], every_us: int) -> list[PlannedFrame]:
    """Those beside which none of `looks_us`, true times in order, lies."""
    reach_us = round(NEAR * every_us)

    def is_near(frame: PlannedFrame) -> bool:
        at = bisect_left(looks_us, frame.true_us - reach_us + 1)
        return at < len(looks_us) and looks_us[at] < frame.true_us + reach_us

    return [frame for frame in frames if not is_near(frame)]

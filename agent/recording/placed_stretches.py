"""Where in the day the stretches of the files lie, and which follow each other without a missing frame.

Lengths are counted in the files' decoding ticks and exact to one tick; wall time only says where in the day a
file lies. Where a file is followed without a missing frame it reaches, in wall time, to the beginning of the
next: arrival jitter and a camera's drift are no gaps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Final, NamedTuple

from agent.recording.file_times import FileTimes

JITTER_US: Final = 2_000_000
"""A file that follows another without a missing frame and whose wall time differs by more lies beyond a set
of the clock: then each keeps its own place in the day."""


@dataclass(frozen=True, slots=True)
class PlacedStretch:
    """A stretch of one file without a missing frame; wall times in UTC microseconds."""

    start_us: int
    end_us: int
    ticks: int
    """How long it lasts."""
    ticks_per_second: int
    run: str
    chain: int
    """The same number for what follows without a missing frame."""

    def clipped(self, start_us: int, end_us: int) -> ClippedStretch | None:
        """Its part within [start_us, end_us); None when there is none."""
        first, last = max(self.start_us, start_us), min(self.end_us, end_us)
        if last <= first:
            return None
        share = Fraction(last - first, self.end_us - self.start_us)
        return ClippedStretch(
            first, last, share * Fraction(self.ticks, self.ticks_per_second), self.run, self.chain
        )


@dataclass(frozen=True, slots=True)
class ClippedStretch:
    """A part of a `PlacedStretch`."""

    start_us: int
    end_us: int
    seconds: Fraction
    """By the file's ticks, in proportion to the wall time that is left of it."""
    run: str
    chain: int


class _Unplaced(NamedTuple):
    file: FileTimes
    start: int
    end: int
    """Ticks of the run."""

    @property
    def start_us(self) -> int:
        """By the file's own stamp."""
        first, _ = self.file.stretches[0]
        return self.file.wall_start_us + _us(self.start - first, self.file.ticks_per_second)


def place_stretches(files: Iterable[FileTimes]) -> list[PlacedStretch]:
    """All stretches of `files`, which come in any order, in the order of recording."""
    found = [
        _Unplaced(file, start, end)
        for file in _in_order(files)
        for start, end in file.stretches
        if end > start
    ]
    placed: list[PlacedStretch] = []
    chain = 0
    for number, (file, start, end) in enumerate(found):
        start_us, ticks, per_second = found[number].start_us, end - start, file.ticks_per_second
        if number and not _follows(found[number - 1], found[number]):
            chain += 1
        end_us = start_us + max(1, _us(ticks, per_second))
        next_us = file.reaches_us if end == file.stretches[-1][1] else None
        if number + 1 < len(found) and _follows(found[number], found[number + 1]):
            next_us = found[number + 1].start_us
        if next_us is not None and abs(next_us - end_us) <= JITTER_US and next_us > start_us:
            end_us = next_us
        placed.append(PlacedStretch(start_us, end_us, ticks, per_second, file.run, chain))
    return placed


def _in_order(files: Iterable[FileTimes]) -> list[FileTimes]:
    """In the order of recording, which the wall clock does not tell where it was set back."""
    found = list(files)
    boots: dict[str, int] = {}
    for file in found:
        boots[file.boot_id] = min(boots.get(file.boot_id, file.wall_start_us), file.wall_start_us)
    return sorted(found, key=lambda file: (boots[file.boot_id], file.boot_id, file.monotonic_start_ns))


def _us(ticks: int, per_second: int) -> int:
    return round(Fraction(ticks * 1_000_000, per_second))


def _follows(before: _Unplaced, after: _Unplaced) -> bool:
    """True when not one frame is missing between the two: the ticks join within a run. From run to run the
    camera's own stamps must join, the recorder must have noticed no gap (a set wall clock is none), and the
    monotonic clock must agree: a camera may have stopped its stamps together with its pictures."""
    first, _, end = before
    second, start, _ = after
    if first.run == second.run:
        return start == end
    if (first.boot_id, first.ticks_per_second) != (second.boot_id, second.ticks_per_second):
        return False
    if second.sequence or first.camera_dts + end != second.camera_dts + start:
        return False
    if any(gap.reason != "clock" for gap in second.gaps_before):
        return False
    lasted_us = _us(end - first.stretches[0][0], first.ticks_per_second)
    return abs((second.monotonic_start_ns - first.monotonic_start_ns) // 1000 - lasted_us) <= JITTER_US


def seams(stretches: Sequence[PlacedStretch]) -> Iterator[tuple[int, int]]:
    """Wall time that never was: the clock was set forwards between two frames that follow each other."""
    for before, after in pairwise(stretches):
        if before.chain == after.chain and after.start_us > before.end_us:
            yield before.end_us, after.start_us

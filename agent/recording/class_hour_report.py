"""What is proven of each class hour: recorded runs, the longest one, what is missing and why, the verdict.

Pure: file times, gaps and class hours go in. What follows without a missing frame is told by
`agent.recording.placed_stretches`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final, Literal

from agent.classes.class_hours import ClassHour, VideoDemand
from agent.recording.file_times import FileTimes
from agent.recording.gaps import GapReason
from agent.recording.placed_stretches import ClippedStretch, PlacedStretch, place_stretches, seams

Verdict = Literal["met", "not_met", "not_yet"]
"""`not_yet`: the class hour is not over and may still be met. "Whole" is not met with any gap inside, however
short: the notices allow none, and the missing seconds stand beside the verdict with their reason."""

MissingReason = (
    GapReason
    | Literal["plan", "not_in_service", "begun_anew"]
    | Literal["expired", "archived", "file_missing", "damaged", "unexplained"]
)
"""Besides the gaps' reasons. `plan`: nothing was to be recorded (HR's minimum was reached, or no lesson was
planned then). `not_in_service`, `begun_anew`: before the recording began, or began anew on a disk without
history. `expired`, `archived`, `file_missing`, `damaged`: it was recorded and cannot be proven from
what lies here. `unexplained`: must not occur (I3)."""

NOT_STATED: Final = ("plan", "not_in_service", "begun_anew")
"""Reasons that nobody states: they follow from what was recorded when."""

LIVE_DELAY_US: Final = 5_000_000
"""While the recorder lives, the last seconds before now are on their way to the disk and not missing."""


@dataclass(frozen=True, slots=True)
class Unprovable:
    """Time that the index calls recorded and no readable file proves."""

    path: str
    start_us: int
    end_us: int
    reason: Literal["expired", "archived", "file_missing", "damaged"]
    detail: str


@dataclass(frozen=True, slots=True)
class Hole:
    """Why there is no video in [start_us, end_us), as somebody stated it."""

    start_us: int
    end_us: int | None
    """None while it lasts."""
    reason: GapReason | Literal["plan", "not_in_service", "begun_anew"]


@dataclass(frozen=True, slots=True)
class Recorded:
    """Video without a missing frame, clipped to the class hour."""

    start_us: int
    end_us: int
    seconds: Fraction
    """By the files' ticks."""
    runs: tuple[str, ...]
    """Several where one continues the other to the tick (the clock was set, the stream was renamed)."""

    @property
    def length_us(self) -> int:
        return round(self.seconds * 1_000_000)


@dataclass(frozen=True, slots=True)
class Missing:
    """Time without provable video, clipped to the class hour."""

    start_us: int
    end_us: int
    reason: MissingReason

    @property
    def length_us(self) -> int:
        return self.end_us - self.start_us


@dataclass(frozen=True, slots=True)
class ClassHourReport:
    """One class hour. `missing` reaches to now where the hour is not over."""

    hour: ClassHour
    recorded: tuple[Recorded, ...]
    missing: tuple[Missing, ...]
    verdict: Verdict

    @property
    def longest_us(self) -> int:
        """The longest video without a missing frame."""
        return max((each.length_us for each in self.recorded), default=0)

    @property
    def missing_us(self) -> int:
        return sum(each.length_us for each in self.missing)

    @property
    def unexplained_us(self) -> int:
        return sum(each.length_us for each in self.missing if each.reason == "unexplained")


def report_class_hours(
    hours: Iterable[ClassHour],
    files: Iterable[FileTimes],
    holes: Sequence[Hole],
    unprovable: Sequence[Unprovable],
    demand: VideoDemand,
    now_us: int,
    *,
    is_live: bool,
) -> tuple[ClassHourReport, ...]:
    """`files` in any order; `is_live`: the recorder speaks, so that what it sent last is still on its way."""
    stretches = place_stretches(files)
    until_us = _known_until(stretches, now_us) if is_live else now_us
    return tuple(_report(hour, stretches, holes, unprovable, demand, now_us, until_us) for hour in hours)


def _known_until(stretches: Sequence[PlacedStretch], now_us: int) -> int:
    last_us = max((each.end_us for each in stretches if each.end_us <= now_us), default=0)
    return last_us if now_us - last_us <= LIVE_DELAY_US else now_us


def _report(
    hour: ClassHour,
    stretches: Sequence[PlacedStretch],
    holes: Sequence[Hole],
    unprovable: Sequence[Unprovable],
    demand: VideoDemand,
    now_us: int,
    until_us: int,
) -> ClassHourReport:
    clips = [clip for each in stretches if (clip := each.clipped(hour.start_us, hour.end_us))]
    recorded = tuple(_joined(clips))
    end_us = max(hour.start_us, min(hour.end_us, until_us))
    covered = sorted([*((c.start_us, c.end_us) for c in clips), *seams(stretches)])
    missing = tuple(_missing(_uncovered(covered, hour.start_us, end_us), holes, unprovable, end_us))
    verdict = _verdict(recorded, missing, demand, is_over=now_us >= hour.end_us and until_us >= hour.end_us)
    return ClassHourReport(hour, recorded, missing, verdict)


def _verdict(
    recorded: Sequence[Recorded], missing: Sequence[Missing], demand: VideoDemand, *, is_over: bool
) -> Verdict:
    if demand.limit == "whole":
        if missing:
            return "not_met"
        return "met" if is_over else "not_yet"
    longest = max((each.seconds for each in recorded), default=Fraction(0))
    if longest * 1_000_000 >= demand.limit:
        return "met"
    return "not_met" if is_over else "not_yet"


def _joined(clips: Iterable[ClippedStretch]) -> Iterator[Recorded]:
    last: tuple[int, Recorded] | None = None
    for clip in clips:
        if last is not None and last[0] == clip.chain:
            kept = last[1]
            runs = kept.runs if kept.runs[-1] == clip.run else (*kept.runs, clip.run)
            last = (
                clip.chain,
                replace(
                    kept, end_us=max(kept.end_us, clip.end_us), seconds=kept.seconds + clip.seconds, runs=runs
                ),
            )
            continue
        if last is not None:
            yield last[1]
        last = clip.chain, Recorded(clip.start_us, clip.end_us, clip.seconds, (clip.run,))
    if last is not None:
        yield last[1]


def _uncovered(covered: Iterable[tuple[int, int]], start_us: int, end_us: int) -> Iterator[tuple[int, int]]:
    position = start_us
    for first, last in covered:
        if first >= end_us:
            break
        if first > position:
            yield position, first
        position = max(position, last)
    if position < end_us:
        yield position, end_us


def _missing(
    uncovered: Iterable[tuple[int, int]],
    holes: Sequence[Hole],
    unprovable: Sequence[Unprovable],
    until_us: int,
) -> Iterator[Missing]:
    """Each stretch cut up by what explains it: a stated gap first, then a file that cannot be read, then the
    plan and what lies before a beginning; the rest is unexplained."""
    stated = [(h.start_us, until_us if h.end_us is None else h.end_us, h.reason) for h in holes]
    explained: list[tuple[int, int, MissingReason]] = [
        *(each for each in stated if each[2] not in NOT_STATED),
        *((u.start_us, u.end_us, u.reason) for u in unprovable),
        *(each for each in stated if each[2] in NOT_STATED),
    ]
    for stretch in uncovered:
        open_parts = [stretch]
        found: list[Missing] = []
        for start_us, end_us, reason in explained:
            left: list[tuple[int, int]] = []
            for first, last in open_parts:
                begin, end = max(first, start_us), min(last, end_us)
                if begin >= end:
                    left.append((first, last))
                    continue
                found.append(Missing(begin, end, reason))
                left += [part for part in ((first, begin), (end, last)) if part[0] < part[1]]
            open_parts = left
        found += [Missing(first, last, "unexplained") for first, last in open_parts]
        yield from sorted(found, key=lambda each: each.start_us)

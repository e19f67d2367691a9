"""Which part of an interval is on video, which is a gap with a reason, and which is neither (I3, R3).

Lengths of footage come from decoding ticks and are exact to one tick; wall stamps only place them in the day.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Protocol

ARRIVAL_JITTER_NS = 2_000_000_000
"""By so much the arrival of two packets may differ from what their time stamps say."""


class Fields(Protocol):
    """A row by column names: `sqlite3.Row`, or a dictionary."""

    def __getitem__(self, key: str, /) -> Any: ...


@dataclass(frozen=True, slots=True)
class Stretch:
    """Footage without a missing frame, clipped to the interval asked for."""

    start_us: int
    end_us: int
    run_id: str
    seconds: Fraction
    """By ticks, not by the wall clock."""
    continues: bool = False
    """True: no frame is missing since the stretch before, only the wall clock was set in between."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A gap, clipped to the interval asked for."""

    start_us: int
    end_us: int
    reason: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """What is known of an interval."""

    stretches: tuple[Stretch, ...]
    gaps: tuple[Missing, ...]
    unexplained: tuple[tuple[int, int], ...]
    """Neither video nor gap, (start_us, end_us) each: must be empty (I3)."""
    twice: tuple[tuple[int, int], ...] = ()
    """Wall time that passed twice because the clock was set back, on video both times. Rows in true time
    (`agent.store.true_time`) have none."""

    @property
    def unexplained_seconds(self) -> float:
        return sum(end - start for start, end in self.unexplained) / 1_000_000

    @property
    def seconds_on_video(self) -> float:
        """Of the interval; no second counts twice, whatever the clock did."""
        doubled = sum(end - start for start, end in self.twice)
        return (sum(each.end_us - each.start_us for each in self.stretches) - doubled) / 1_000_000

    @property
    def longest(self) -> Fraction:
        """Seconds of the longest footage without a missing frame (R3), across settings of the clock."""
        longest = lasting = Fraction(0)
        for stretch in self.stretches:
            lasting = stretch.seconds + (lasting if stretch.continues else 0)
            longest = max(longest, lasting)
        return longest


def coverage(segments: Iterable[Fields], gaps: Iterable[Fields], start_us: int, end_us: int) -> Coverage:
    """`segments` and `gaps` as `agent.store.footage` or `agent.store.true_time` give them by
    `segments_between` and `gaps_between`. ValueError when the interval is empty."""
    if end_us <= start_us:
        raise ValueError(f"an interval from {start_us} to {end_us} is empty")
    ordered = _in_order(list(segments))
    gap_rows = sorted(gaps, key=lambda row: int(row["start_us"]))
    stretches = _stretches(ordered, start_us, end_us)
    missing = tuple(
        Missing(max(row["start_us"], start_us), min(_end(row, end_us), end_us), row["reason"])
        for row in gap_rows
        if row["start_us"] < end_us and _end(row, end_us) > start_us
    )
    known = [(s.start_us, s.end_us) for s in stretches] + [(g.start_us, g.end_us) for g in missing]
    twice = _overlaps(sorted((s.start_us, s.end_us) for s in stretches))
    return Coverage(tuple(stretches), missing, tuple(_holes(known, start_us, end_us)), tuple(twice))


def _in_order(segments: Sequence[Fields]) -> list[Fields]:
    """In the order of recording, which the wall clock does not tell where it was set back."""
    boots: dict[str, int] = {}
    for row in segments:
        boots[row["boot_id"]] = min(boots.get(row["boot_id"], row["start_us"]), row["start_us"])
    return sorted(
        segments,
        key=lambda row: (
            boots[row["boot_id"]],
            row["boot_id"],
            row["monotonic_start_ns"],
            row["sequence"],
        ),
    )


def _end(gap: Fields, now_us: int) -> int:
    return now_us if gap["end_us"] is None else int(gap["end_us"])


def _stretches(segments: Sequence[Fields], start_us: int, end_us: int) -> list[Stretch]:
    joined: list[Stretch] = []
    last: Fields | None = None
    for row in segments:
        clipped = _clip(row, start_us, end_us)
        if clipped is None:
            continue
        if last is not None and _is_next(last, row):
            before = joined.pop()
            seconds = before.seconds + clipped.seconds
            end = max(before.end_us, clipped.end_us)
            clipped = replace(before, end_us=end, run_id=clipped.run_id, seconds=seconds)
        elif last is not None and _goes_on_beyond_a_set_clock(last, row):
            # The wall clock's jump is no footage: each side keeps its own place in the day.
            clipped = replace(clipped, continues=True)
        joined.append(clipped)
        last = row
    return joined


def _is_next(last: Fields, row: Fields) -> bool:
    return bool(
        last["run_id"] == row["run_id"]
        and row["sequence"] == last["sequence"] + 1
        and row["start_ticks"] == last["end_ticks"]
    )


def _goes_on_beyond_a_set_clock(last: Fields, row: Fields) -> bool:
    """True when only the wall clock was set in between, or the camera changed its stream. The monotonic
    clock decides: after either a disk or a camera may have failed before the next run's first fragment.
    Where the clock's first setting stands for time without power, that time lies before both, and in true
    time they meet."""
    meets = abs(row["start_us"] - last["end_us"]) <= ARRIVAL_JITTER_NS // 1000
    was_set = last["end_reason"] in ("clock", "stream") or (last["end_reason"] == "power" and meets)
    if not was_set or row["sequence"] != 0 or last["boot_id"] != row["boot_id"]:
        return False
    lasted_ns = (last["end_ticks"] - last["start_ticks"]) * 1_000_000_000 // last["ticks_per_second"]
    apart_ns = row["monotonic_start_ns"] - last["monotonic_start_ns"] - lasted_ns
    return bool(abs(apart_ns) <= ARRIVAL_JITTER_NS)


def _clip(row: Fields, start_us: int, end_us: int) -> Stretch | None:
    first, last = max(row["start_us"], start_us), min(row["end_us"], end_us)
    if last <= first:
        return None
    ticks = Fraction(row["end_ticks"] - row["start_ticks"])
    # A segment inside the interval counts its own ticks; a cut one its share of them.
    share = Fraction(last - first, row["end_us"] - row["start_us"])
    return Stretch(first, last, row["run_id"], ticks * share / row["ticks_per_second"])


def _overlaps(spans: Sequence[tuple[int, int]]) -> Iterable[tuple[int, int]]:
    """What lies in more than one of `spans`, which begin in order; each instant counts once a doubling."""
    position = 0
    for first, last in spans:
        if first < position:
            yield first, min(last, position)
        position = max(position, last)


def _holes(known: list[tuple[int, int]], start_us: int, end_us: int) -> Iterable[tuple[int, int]]:
    position = start_us
    for first, last in sorted(known):
        if first > position:
            yield position, first
        position = max(position, last)
    if position < end_us:
        yield position, end_us

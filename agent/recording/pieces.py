"""Recorded time as pieces that are addressed by bytes: what playlist, virtual file and clip are cut from.

The smallest piece is a group of pictures, because playing begins at a key frame. Pieces join to stretches
without a missing frame inside one run. Pure: rows and offsets in, no file is opened here.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, overload

import numpy as np
import numpy.typing as npt


class Piece(NamedTuple):
    """One group of pictures; ticks count from the run's start, bytes from the file's."""

    start_ticks: int
    end_ticks: int
    start: int
    end: int
    """With the seal of its last fragment."""


class Pieces(Sequence[Piece]):
    """Pieces that follow one another in one file without a hole: their edges, in two packed arrays.

    A day holds 43 000 pieces of two seconds; made one by one they would cost a page a tenth of a second. So
    a `Piece` is made when it is asked for, and what is asked of all of them is asked of the arrays.
    """

    def __init__(self, ticks: array[int], offsets: array[int]) -> None:
        """Both of type "q", one entry more than there are pieces: the last is the end of the last piece."""
        self.ticks = ticks
        self.offsets = offsets

    @classmethod
    def of(cls, pieces: Sequence[Piece]) -> Pieces:
        """From pieces of which each begins where the one before ends."""
        last = pieces[-1:]
        ticks = array("q", [p.start_ticks for p in pieces] + [p.end_ticks for p in last])
        return cls(ticks, array("q", [p.start for p in pieces] + [p.end for p in last]))

    def __len__(self) -> int:
        return len(self.ticks) - 1 if self.ticks else 0

    @overload
    def __getitem__(self, place: int) -> Piece: ...
    @overload
    def __getitem__(self, place: slice) -> Pieces: ...
    def __getitem__(self, place: int | slice) -> Piece | Pieces:
        if isinstance(place, slice):
            start, stop, step = place.indices(len(self))
            if step != 1:
                raise ValueError(f"pieces are cut without steps, not by {step}")
            end = stop + 1 if stop > start else start
            return Pieces(self.ticks[start:end], self.offsets[start:end])
        number = range(len(self))[place]
        ticks, offsets = self.ticks, self.offsets
        return Piece(ticks[number], ticks[number + 1], offsets[number], offsets[number + 1])

    def __iter__(self) -> Iterator[Piece]:
        return map(Piece, self.ticks, self.ticks[1:], self.offsets, self.offsets[1:])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Pieces):
            return NotImplemented
        return self is other or (self.ticks == other.ticks and self.offsets == other.offsets)

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.ticks.tobytes(), self.offsets.tobytes()))

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """Bytes of each, shape (pieces,)."""
        edges = np.frombuffer(self.offsets, np.int64)
        return edges[1:] - edges[:-1]

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Ticks of each, shape (pieces,)."""
        edges = np.frombuffer(self.ticks, np.int64)
        return edges[1:] - edges[:-1]

    @property
    def byte_range(self) -> tuple[int, int]:
        """(start, end) of all of them. IndexError without any."""
        return self.offsets[0], self.offsets[-1]

    @cached_property
    def longest(self) -> int:
        """Ticks of the longest; 0 without any."""
        return int(self.lengths.max(initial=0))

    @cached_property
    def densest(self) -> float:
        """Most bytes a tick of any; 0 without any."""
        return float((self.sizes / np.maximum(self.lengths, 1)).max(initial=0.0))


class PartialSegment(NamedTuple):
    """One fragment of a file that grows, or grew a moment ago."""

    start_ticks: int
    end_ticks: int
    start: int
    end: int
    is_key_frame: bool


@dataclass(frozen=True, slots=True)
class PlayableSegment:
    """A segment file and the pieces of it that are wanted. `path` is relative to the video folder."""

    run_id: str
    sequence: int
    path: Path
    start_us: int
    """Wall time of `start_ticks`, UTC microseconds."""
    start_ticks: int
    end_ticks: int
    ticks_per_second: int
    pieces: Pieces
    first: int
    """Offset of the file's first piece: before it stands the header."""
    fragment_count: int = 0
    """Of the whole file."""
    is_open: bool = False
    """True while the recorder writes it: its last piece still grows."""
    parts: tuple[PartialSegment, ...] = ()
    """Only of what grows: fragments, for a player close behind the recorder."""

    def wall_us(self, ticks: int) -> int:
        """When the picture at `ticks` of the run was taken, UTC microseconds."""
        return self.start_us + (ticks - self.start_ticks) * 1_000_000 // self.ticks_per_second

    @property
    def key(self) -> tuple[str, int]:
        """(run, sequence): its identity."""
        return self.run_id, self.sequence

    @property
    def end_us(self) -> int:
        """Where the file's footage ends."""
        return self.wall_us(self.end_ticks)

    @property
    def from_us(self) -> int:
        """Beginning of the wanted pieces."""
        return self.wall_us(self.pieces.ticks[0])

    @property
    def until_us(self) -> int:
        return self.wall_us(self.pieces.ticks[-1])

    @property
    def byte_range(self) -> tuple[int, int]:
        """(start, end) of the wanted pieces, without the header."""
        return self.pieces.byte_range

    def cut(self, start_us: int, end_us: int) -> PlayableSegment | None:
        """Only the pieces that reach into [start_us, end_us); None when no piece does."""
        if start_us <= self.start_us and self.end_us <= end_us and len(self.pieces):
            return self
        first = bisect_right(self.pieces, start_us, key=lambda piece: self.wall_us(piece.end_ticks))
        last = bisect_right(self.pieces, end_us - 1, key=lambda piece: self.wall_us(piece.start_ticks))
        if last <= first:
            return None
        if first == 0 and last == len(self.pieces):
            return self
        kept = self.pieces[first:last]
        parts = tuple(p for p in self.parts if kept[0].start <= p.start < kept[-1].end)
        return replace(
            self, pieces=kept, parts=parts, is_open=self.is_open and kept[-1].end == self.pieces[-1].end
        )


@dataclass(frozen=True, slots=True)
class Stretch:
    """Pieces of one run without a missing frame between them, over one file or several."""

    segments: tuple[PlayableSegment, ...]

    @property
    def run_id(self) -> str:
        return self.segments[0].run_id

    @property
    def ticks_per_second(self) -> int:
        return self.segments[0].ticks_per_second

    @property
    def start_ticks(self) -> int:
        return self.segments[0].pieces.ticks[0]

    @property
    def end_ticks(self) -> int:
        return self.segments[-1].pieces.ticks[-1]

    @property
    def from_us(self) -> int:
        return self.segments[0].from_us

    @property
    def until_us(self) -> int:
        return self.segments[-1].until_us

    @property
    def seconds(self) -> float:
        """By ticks: the length of what is played."""
        return (self.end_ticks - self.start_ticks) / self.ticks_per_second

    @property
    def size(self) -> int:
        """Bytes of media, without headers."""
        return sum(end - start for start, end in (segment.byte_range for segment in self.segments))


class Places(NamedTuple):
    """What a finished file's row says of its pieces. `gops` is the column `segment.gops`."""

    gops: bytes
    size: int
    """Bytes of the file."""
    start_ticks: int
    end_ticks: int


def pieces_of(places: Places) -> Pieces | None:
    """The pieces of one finished file; None when the column is damaged, does not fit the file (its disk is
    carried about) or is empty."""
    return pieces_of_all([places])[0]


def pieces_of_all(files: Sequence[Places]) -> list[Pieces | None]:
    """`pieces_of` for many files by one pass over all of them: a day has 288, with 43 000 pieces."""
    if not files:
        return []
    gops = [b"" if len(places.gops) % 8 else places.gops for places in files]
    edges = np.frombuffer(b"".join(part + bytes(8) for part in gops), ">u4").reshape(-1, 2).T.astype(np.int64)
    counts = np.array([len(part) // 8 + 1 for part in gops])
    stops = np.cumsum(counts)
    last = stops - 1  # the room that was left: where the file ends
    _, sizes, starts, ends = (np.array(column) for column in zip(*files, strict=True))
    edges[1] += np.repeat(starts, counts)
    edges[0, last], edges[1, last] = sizes, ends
    steps = edges[:, 1:] - edges[:, :-1]
    falls = (steps[0] <= 0) | (steps[1] < 0)
    falls[last[:-1]] = False  # from one file to the next
    damaged = set(np.searchsorted(last, np.flatnonzero(falls), side="right").tolist())
    offsets, ticks = (array("q", row.tobytes()) for row in edges)
    if not steps.shape[1]:  # one file without a group of pictures
        return [None]
    steps[:, last[:-1]] = 0
    starts = np.minimum(stops - counts, steps.shape[1] - 1)
    longest = np.maximum.reduceat(steps[1], starts).tolist()
    densest = np.maximum.reduceat(steps[0] / np.maximum(steps[1], 1), starts).tolist()
    laid_out = list[Pieces | None]()
    for place, (begin, stop) in enumerate(zip((stops - counts).tolist(), stops.tolist(), strict=True)):
        if stop - begin < 2 or place in damaged:
            laid_out.append(None)
            continue
        pieces = Pieces(ticks[begin:stop], offsets[begin:stop])
        # What each would find out by itself, in many small steps.
        vars(pieces).update(longest=longest[place], densest=densest[place])
        laid_out.append(pieces)
    return laid_out


def cut_all(segments: Iterable[PlayableSegment], start_us: int, end_us: int) -> list[PlayableSegment]:
    """What of `segments` reaches into [start_us, end_us): runs in the order of wall time, each run whole.

    Where the clock was set back two runs share wall time; their files in turns would be torn footage.
    """
    kept = [s for s in (segment.cut(start_us, end_us) for segment in segments) if s is not None]
    begins: dict[str, int] = {}
    for segment in kept:
        begins[segment.run_id] = min(begins.get(segment.run_id, segment.from_us), segment.from_us)
    return sorted(kept, key=lambda s: (begins[s.run_id], s.run_id, s.sequence))


def stretches(segments: Sequence[PlayableSegment]) -> list[Stretch]:
    """`segments`, cut and in order, joined where one continues the other to the tick."""
    joined: list[list[PlayableSegment]] = []
    for segment in segments:
        if joined and _continues(joined[-1][-1], segment):
            joined[-1].append(segment)
        else:
            joined.append([segment])
    return [Stretch(tuple(group)) for group in joined]


def _continues(last: PlayableSegment, following: PlayableSegment) -> bool:
    return (
        last.run_id == following.run_id
        and last.sequence + 1 == following.sequence
        and last.pieces.ticks[-1] == last.end_ticks == following.start_ticks
        and following.pieces.ticks[0] == following.start_ticks
    )

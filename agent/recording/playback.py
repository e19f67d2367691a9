"""From the index to what can be played: which pieces there are, which footage is not to be had, and why."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from agent.log import get_logger
from agent.recording.growing import OutsideError
from agent.recording.pieces import (
    Pieces,
    Places,
    PlayableSegment,
    Stretch,
    cut_all,
    pieces_of_all,
    stretches,
)
from agent.recording.virtual_mp4 import Header, MediaError, read_header
from agent.store.database import Store
from agent.store.playback import PlayRow, segment_to_play, segments_to_play

KEPT_FILES = 512
"""Files whose pieces are kept laid out, more than a day of 5-minute files at 4 KB each: pages of one view
ask for the same files again and again."""

log = get_logger(__name__)

AbsentReason = Literal["expired", "missing", "damaged"]
"""`expired`: removed by retention. `missing`: the index knows the file and the disk does not (an archive
disk, a theft). `damaged`: index and file do not fit each other."""


@dataclass(frozen=True, slots=True)
class Absent:
    """Footage that was recorded and cannot be played here."""

    run_id: str
    sequence: int
    start_us: int
    end_us: int
    reason: AbsentReason


@dataclass(frozen=True)
class Recorded:
    """What of a range is there. Files are looked for, not opened."""

    segments: tuple[PlayableSegment, ...]
    """Cut to the range, in the order of wall time."""
    absent: tuple[Absent, ...]

    @cached_property
    def stretches(self) -> list[Stretch]:
        """`segments`, joined where no frame is missing between them."""
        return stretches(self.segments)

    @property
    def is_growing(self) -> bool:
        """True when the recorder writes on inside the range."""
        return any(segment.is_open for segment in self.segments)

    def segment(self, run_id: str, sequence: int) -> PlayableSegment | None:
        """The wanted pieces of one file."""
        return next((s for s in self.segments if s.key == (run_id, sequence)), None)

    def with_headers(self, video: Path) -> tuple[Recorded, dict[tuple[str, int], Header]]:
        """Open the first file of each stretch: (what is readable, headers by (run, sequence)). A file whose
        header is damaged counts as absent, and what follows it begins a stretch of its own."""
        found, headers = self, dict[tuple[str, int], Header]()
        while True:
            bad = None
            for stretch in found.stretches:
                first = stretch.segments[0]
                try:
                    headers[first.key] = headers.get(first.key) or read_header(video, first.path, first.first)
                except (OSError, OutsideError, MediaError) as error:
                    log.warning("segment.unreadable", run=first.run_id, error=str(error))
                    bad = first
                    break
            if bad is None:
                return found, headers
            lost = Absent(*bad.key, bad.start_us, bad.end_us, "damaged")
            kept = tuple(segment for segment in found.segments if segment is not bad)
            found = Recorded(kept, (*found.absent, lost))


def recorded_between(
    store: Store,
    video: Path,
    camera: str,
    growing: Sequence[PlayableSegment],
    start_us: int,
    end_us: int,
) -> Recorded:
    """What is to be had of [start_us, end_us) from a camera; `growing` as `GrowingSegments.read` gives it."""
    return recorded_of(segments_to_play(store, camera, start_us, end_us), video, growing, start_us, end_us)


def recorded_in_segment(
    store: Store,
    video: Path,
    growing: Sequence[PlayableSegment],
    run_id: str,
    sequence: int,
    start_us: int,
    end_us: int,
) -> PlayableSegment | None:
    """The pieces of one file within [start_us, end_us); None when there are none or it is not to be had."""
    row = segment_to_play(store, run_id, sequence)
    found = recorded_of([row] if row else [], video, growing, start_us, end_us)
    return found.segment(run_id, sequence)


def recorded_of(
    rows: Sequence[PlayRow], video: Path, growing: Sequence[PlayableSegment], start_us: int, end_us: int
) -> Recorded:
    """What is to be had of `rows` and of what grows."""
    there: list[PlayableSegment] = []
    absent: list[Absent] = []
    folder = os.fspath(video)
    for row, laid_out in zip(rows, _kept.lay_out(rows), strict=True):
        reason = _absence(folder, row)
        if reason is None and laid_out is not None:
            there.append(laid_out)
        else:
            absent.append(Absent(row.run_id, row.sequence, row.start_us, row.end_us, reason or "damaged"))
    known = {(row.run_id, row.sequence) for row in rows}
    there += [segment for segment in growing if segment.key not in known]
    return Recorded(tuple(cut_all(there, start_us, end_us)), tuple(absent))


def _absence(video: str, row: PlayRow) -> AbsentReason | None:
    if row.expired_us is not None:
        return "expired"
    try:
        # Looked at, not opened: whoever opens it makes sure that it lies in the video folder. By names, not
        # by Path objects: a day has 288 files.
        is_whole = os.stat(f"{video}/{row.path}").st_size >= row.size  # noqa: PTH116
    except OSError:
        return "missing"
    return None if is_whole else "damaged"


class _Kept:
    """Finished files with their pieces laid out, those that were asked for last. For any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._laid_out: dict[PlayRow, PlayableSegment | None] = {}

    def lay_out(self, rows: Sequence[PlayRow]) -> list[PlayableSegment | None]:
        """Each of `rows` as it can be played; None when it does not fit its file."""
        with self._lock:
            kept = self._laid_out
            missing = [row for row in rows if row not in kept]
            places = [Places(row.gops, row.size, row.start_ticks, row.end_ticks) for row in missing]
            found = {row: kept.pop(row) for row in rows if row in kept}
            found |= zip(missing, map(_playable, missing, pieces_of_all(places)), strict=True)
            kept |= found
            for row in list(kept)[:-KEPT_FILES]:
                del kept[row]
            return [found[row] for row in rows]


_kept = _Kept()


def _playable(row: PlayRow, pieces: Pieces | None) -> PlayableSegment | None:
    if pieces is None:
        return None
    return PlayableSegment(
        row.run_id,
        row.sequence,
        Path(row.path),
        row.start_us,
        row.start_ticks,
        row.end_ticks,
        row.ticks_per_second,
        pieces,
        pieces.byte_range[0],
        row.fragment_count,
    )

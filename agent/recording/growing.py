"""The segment that the recorder writes now, as far as it is durable (I2), without disturbing the recorder.

The status board says how many bytes of which file are durable; the boxes up to there are walked, each once.
When the recorder turns to the next file, the one before is complete but may not be in the index yet: it is
kept here until it is, so that a playlist never loses what it has shown.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from agent import bmff, board
from agent.log import get_logger
from agent.paths import Paths
from agent.recording.header import HeaderError, SegmentHeader
from agent.recording.pieces import PartialSegment, Piece, Pieces, PlayableSegment

log = get_logger(__name__)


class OutsideError(ValueError):
    """A path that does not stay in the video folder."""


def inside(video: Path, relative: Path) -> Path:
    """`relative` under the video folder. OutsideError when it leads out of it, as by a link (I12)."""
    path = (video / relative).resolve()
    if not path.is_relative_to(video.resolve()):
        raise OutsideError("a segment's path leads out of the video folder")
    return path


@dataclass(frozen=True, slots=True)
class _Claim:
    """What the recorder's status says."""

    run_id: str
    sequence: int
    path: Path
    durable_bytes: int


class GrowingSegments:
    """What is not in the index yet, newest last; remembers how far it has walked. For any thread."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._lock = threading.Lock()
        self._walks: list[_Walk] = []

    def read(self) -> list[PlayableSegment]:
        """At most two: the file before, complete, and the one that grows. Empty when nothing is recorded, or
        status and file do not say enough (logged). What the index knows already, the caller leaves out."""
        with self._lock:
            try:
                claim = self._claim()
                self._turn_to(claim)
                if claim is not None and self._walks:
                    self._walks[-1].go_on(claim.durable_bytes)
            except FileNotFoundError:  # closed and expired, or a disk that just went
                self._walks.clear()
            except (OSError, ValueError, KeyError, TypeError, bmff.BoxError, HeaderError) as error:
                log.warning("recorder-status.unreadable", error=f"{type(error).__name__}: {error}")
                self._walks.clear()
            return [found for walk in self._walks if (found := walk.segment()) is not None]

    def _claim(self) -> _Claim | None:
        status = board.read_json(self._paths.status / "recorder.json")
        if status is None:  # a runtime folder that was emptied: nobody vouches for any file
            self._walks.clear()
            return None
        detail = status.get("detail")
        segment: Any = detail.get("segment") if isinstance(detail, dict) else None
        if not isinstance(segment, dict):
            return None
        return _Claim(
            str(UUID(segment["run"])),
            int(segment["sequence"]),
            Path(segment["path"]),
            int(segment["durable_bytes"]),
        )

    def _turn_to(self, claim: _Claim | None) -> None:
        last = self._walks[-1] if self._walks else None
        if last is not None and (claim is None or last.claim_key != (claim.run_id, claim.sequence)):
            last.finish()
        if claim is not None and (last is None or last.claim_key != (claim.run_id, claim.sequence)):
            self._walks = [*self._walks[-1:], _Walk(self._paths.video, claim)]


@cache
def growing_segments(paths: Paths) -> GrowingSegments:
    """The one reader of an installation in this process: walking is done once for all pages."""
    return GrowingSegments(paths)


def growing_segment(paths: Paths) -> PlayableSegment | None:
    """The segment that the recorder writes now; None when there is none, or nobody vouches for it."""
    found = growing_segments(paths).read()
    return found[-1] if found and found[-1].is_open else None


class _Walk:
    """One file's fragments so far."""

    def __init__(self, video: Path, claim: _Claim) -> None:
        self.claim_key = (claim.run_id, claim.sequence)
        self._relative = claim.path
        self._path = inside(video, claim.path)
        self._track: bmff.Track | None = None
        self._header: SegmentHeader | None = None
        self._position = 0
        self._is_finished = False
        self._parts: list[PartialSegment] = []

    def go_on(self, durable_bytes: int) -> None:
        """Walk on to `durable_bytes`. OSError, bmff.BoxError, HeaderError."""
        descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            end = min(durable_bytes, os.fstat(descriptor).st_size)
            read_at = bmff.file_reader(descriptor, end)
            if self._track is None:
                self._read_header(read_at, end)
            if self._track is not None:
                self._walk(read_at, end, self._track)
        finally:
            os.close(descriptor)

    def finish(self) -> None:
        """The recorder went on to another file: this one is complete, up to its last whole fragment."""
        if not self._is_finished:
            self._is_finished = True
            try:
                self.go_on(self._path.stat().st_size)
            except FileNotFoundError:
                self._parts.clear()

    def segment(self) -> PlayableSegment | None:
        """What is known; None before the first durable fragment."""
        if self._header is None or self._track is None or not self._parts:
            return None
        pieces: list[Piece] = []
        for part in self._parts:
            if part.is_key_frame or not pieces:
                pieces.append(Piece(part.start_ticks, part.end_ticks, part.start, part.end))
            else:
                pieces[-1] = pieces[-1]._replace(end_ticks=part.end_ticks, end=part.end)
        return PlayableSegment(
            *self.claim_key,
            self._relative,
            self._header.wall_start_us,
            self._parts[0].start_ticks,
            self._parts[-1].end_ticks,
            self._track.timescale,
            Pieces.of(pieces),
            self._parts[0].start,
            len(self._parts),
            not self._is_finished,
            tuple(self._parts),
        )

    def _read_header(self, read_at: bmff.ReadAt, end: int) -> None:
        track: bmff.Track | None = None
        for box in bmff.boxes(read_at, 0, end):
            if box.type == b"moov":
                track = bmff.read_track(bmff.payload(read_at, box))
            elif box.type == b"uuid" and track is not None:
                self._header = SegmentHeader.from_payload(bmff.payload(read_at, box))
                self._track, self._position = track, box.end
                return
            elif box.type == b"moof":
                raise bmff.BoxError("no segment header before the first fragment")

    def _walk(self, read_at: bmff.ReadAt, end: int, track: bmff.Track) -> None:
        for fragment in bmff.fragments(read_at, track, self._position, end):
            seal = next(bmff.boxes(read_at, fragment.end, end), None)
            if seal is None or seal.type != b"uuid":
                return  # a torn tail: no fragment without its seal
            begin, key = fragment.decode_time, bool(fragment.samples) and fragment.samples[0].is_key_frame
            part = PartialSegment(begin, begin + fragment.duration, fragment.start, seal.end, key)
            self._parts.append(part)
            self._position = seal.end

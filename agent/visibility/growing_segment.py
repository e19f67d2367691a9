"""The newest key frame of the file that the recorder is writing, without ever disturbing the recorder.

The rule speaks of the recording (R6), so the recording itself is looked at: whole fragments within the bytes
that are durable, nothing from the torn tail behind them. Read-only; whatever fails here, the recorder does
not notice (I11). The footage is input from outside (I12): lengths are checked before anything is read.
"""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from agent import bmff
from agent.bmff import BoxError, Sample, Track
from agent.clock import Stamp
from agent.paths import Paths
from agent.role import fresh_word

SEGMENT_HEADER: Final = uuid.UUID("7a1c56e0-3f0d-4d0b-9a52-3c1a6e1f8b01")
"""The recorder's header box; a test holds it equal to the recorder's own."""
LARGEST_KEY_FRAME: Final = 16 << 20


@dataclass(frozen=True, slots=True)
class SegmentIdentity:
    """What a segment's header says of it, as far as the watcher needs it."""

    run: str
    sequence: int
    simulated: bool
    boot_id: str
    monotonic_start_ns: int
    wall_start_us: int


@dataclass(frozen=True, slots=True)
class KeyFrame:
    """One key frame, still encoded."""

    segment: SegmentIdentity
    track: Track
    pts_ticks: int
    """Within the run."""
    at_us: int
    """Wall time of the picture by the segment's own anchors."""
    data: bytes
    between: tuple[int, ...]
    """Sizes in bytes of the frames between the key frame before and this one; () for a file's first."""
    path: Path
    group_before: tuple[Sample, ...]
    """The key frame before and what lies between, to be read where somebody needs them; () for a file's
    first."""
    _age_ticks: int

    def age_s(self, now: Stamp) -> float:
        """Seconds since the picture was taken, in monotonic time; infinite for footage of another boot."""
        if self.segment.boot_id != now.boot_id:
            return float("inf")
        taken_ns = self.segment.monotonic_start_ns + self._age_ticks * 1_000_000_000 // self.track.timescale
        return (now.monotonic_ns - taken_ns) / 1e9


@dataclass(frozen=True, slots=True)
class _Place:
    path: Path
    durable_bytes: int | None
    """None: unknown, whole fragments up to the end of the file."""


class SegmentFollower:
    """Follows the recorder from segment to segment; reads each fragment's header once."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._reader: _SegmentReader | None = None

    def newest_key_frame(self, now: Stamp) -> KeyFrame | None:
        """The last key frame that is durable `now`; None while there is none.

        OSError when the file cannot be read, BoxError when it is damaged. Both leave this object usable.
        """
        place = self._locate(now)
        if place is None:
            return None
        if self._reader is None or self._reader.path != place.path:
            self._reader = _SegmentReader(place.path)
        try:
            return self._reader.newest_key_frame(place.durable_bytes)
        except (OSError, BoxError):
            self._reader = None
            raise

    def _locate(self, now: Stamp) -> _Place | None:
        status = fresh_word(self._paths.status / "recorder.json", now)
        if status is None:
            return self._newest_file()
        detail = status.get("detail")
        segment = detail.get("segment") if isinstance(detail, dict) else None
        return self._claimed(segment) if isinstance(segment, dict) else None

    def _claimed(self, segment: dict[str, Any]) -> _Place | None:
        path, durable = segment.get("path"), segment.get("durable_bytes")
        if not isinstance(path, str) or not isinstance(durable, int):
            return None
        whole = self._paths.video / path
        if not whole.resolve().is_relative_to(self._paths.video.resolve()):
            raise BoxError(f"the recorder's status names {path!r}, outside the video folder")
        return _Place(whole, durable)

    def _newest_file(self) -> _Place | None:
        """Without the board (runtime folder full or new) the newest segment file is the one being written.
        Reads every name on the video disk, so it is no way to learn that the recorder rests."""
        newest = max(
            self._paths.segments.glob("*/*.mp4"), key=lambda path: path.stat().st_mtime_ns, default=None
        )
        return None if newest is None else _Place(newest, None)


class _SegmentReader:
    """One segment file; remembers how far it has walked."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._header: tuple[SegmentIdentity, Track] | None = None
        self._position = 0
        self._first_ticks: int | None = None
        self._newest: tuple[int, Sample] | None = None
        self._group: list[Sample] = []
        """From the newest key frame on."""
        self._group_before: tuple[Sample, ...] = ()

    def newest_key_frame(self, durable_bytes: int | None) -> KeyFrame | None:
        descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            size = os.fstat(descriptor).st_size
            end = size if durable_bytes is None else min(size, durable_bytes)
            if end < self._position:
                raise BoxError(f"{self.path}: shrank to {end} bytes after {self._position} were read")
            read_at = bmff.file_reader(descriptor, end)
            if self._header is None:
                self._read_header(read_at, end)
            if self._header is None:
                return None
            self._walk(read_at, end, self._header[1])
            return self._key_frame(read_at, *self._header)
        finally:
            os.close(descriptor)

    def _read_header(self, read_at: bmff.ReadAt, end: int) -> None:
        track: Track | None = None
        for box in bmff.boxes(read_at, 0, end):
            if box.type == b"moov":
                track = bmff.read_track(bmff.payload(read_at, box))
            elif box.type == b"uuid" and track is not None:
                content = bmff.read_json_uuid(bmff.payload(read_at, box), SEGMENT_HEADER)
                if content is not None:
                    self._header, self._position = (_identity(content), track), box.end
                    return
            elif box.type in (b"moof", b"mdat"):
                raise BoxError(f"{self.path}: no segment header before the first fragment")

    def _walk(self, read_at: bmff.ReadAt, end: int, track: Track) -> None:
        for fragment in bmff.fragments(read_at, track, self._position, end):
            ticks = fragment.decode_time
            if self._first_ticks is None:
                self._first_ticks = ticks
            for sample in fragment.samples:
                if sample.is_key_frame:
                    self._newest = (ticks + sample.composition_offset, sample)
                    self._group_before, self._group = tuple(self._group), []
                if self._newest is not None:
                    self._group.append(sample)
                ticks += sample.duration
            self._position = fragment.end

    def _key_frame(self, read_at: bmff.ReadAt, identity: SegmentIdentity, track: Track) -> KeyFrame | None:
        if self._newest is None or self._first_ticks is None:
            return None
        pts_ticks, sample = self._newest
        if sample.size > LARGEST_KEY_FRAME:
            raise BoxError(f"{self.path}: a key frame of {sample.size} bytes")
        elapsed = pts_ticks - self._first_ticks
        return KeyFrame(
            segment=identity,
            track=track,
            pts_ticks=_in_range(pts_ticks),
            at_us=_in_range(identity.wall_start_us + elapsed * 1_000_000 // track.timescale),
            data=read_at(sample.offset, sample.size),
            between=tuple(each.size for each in self._group_before[1:]),
            path=self.path,
            group_before=self._group_before,
            _age_ticks=elapsed,
        )


def _identity(content: dict[str, Any]) -> SegmentIdentity:
    try:
        return SegmentIdentity(
            run=str(uuid.UUID(content["run"])),
            sequence=_in_range(int(content["sequence"])),
            # Whatever is not plainly a live camera is simulated (I9).
            simulated=content["origin"]["simulated"] is not False,
            boot_id=str(content["boot_id"]),
            monotonic_start_ns=_in_range(int(content["monotonic_start_ns"])),
            wall_start_us=_in_range(int(content["wall_start_us"])),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise BoxError(f"the segment header is incomplete: {error!r}") from error


def _in_range(value: int) -> int:
    """BoxError for a number that the database could not hold: no recorder wrote it."""
    if not 0 <= value < 2**62:
        raise BoxError("a number in the segment is beyond all measure")
    return value

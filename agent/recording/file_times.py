"""What a segment file's own time stamps say (`tfdt` and `trun`, ISO/IEC 14496-12): when it holds video.

Two ways of reading: the time stamps alone (the `moof` boxes, a thousandth of the file), or every byte, with
seals and hash, where the question is whether the file still is what was signed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from agent import bmff
from agent.recording.gaps import Gap
from agent.recording.header import HeaderError, SegmentHeader
from agent.recording.scan import SEAL_SIZE, NotASegmentError, scan_segment


class UnprovableError(Exception):
    """The file proves nothing; the message says why, in English without a path."""


@dataclass(frozen=True, slots=True)
class FileTimes:
    """One segment file. `stretches` are [start, end) in decoding ticks of the run, each without a missing
    frame, in order; more than one only where the file is damaged inside."""

    run: str
    sequence: int
    ticks_per_second: int
    stretches: tuple[tuple[int, int], ...]
    camera_dts: int
    """The camera's own decoding stamp at the run's tick 0: ties runs of one stream together."""
    boot_id: str
    monotonic_start_ns: int
    wall_start_us: int
    """Of the file's first tick."""
    gaps_before: tuple[Gap, ...]
    is_whole: bool
    """False: bytes in the file belong to no whole fragment."""
    reaches_us: int | None = None
    """Where the next file begins by the index, if that file cannot be read."""


def read_times(path: Path, durable_bytes: int | None = None) -> FileTimes:
    """By the time stamps alone, without reading the pictures.

    `durable_bytes`: of the file that grows, what may be believed; its tail is then no damage.
    UnprovableError when it is no segment or holds no footage; OSError when it is gone or cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        size = os.fstat(descriptor).st_size
        end = size if durable_bytes is None else min(size, durable_bytes)
        read_at = bmff.file_reader(descriptor, end)
        header, track, position = _header(read_at, end)
        spans: list[tuple[int, int]] = []
        whole = True
        try:
            for fragment in bmff.fragments(read_at, track, position, end):
                spans.append((fragment.decode_time, fragment.decode_time + fragment.duration))
                position = fragment.end + SEAL_SIZE
        except bmff.BoxError:
            whole = False
        return _times(header, spans, is_whole=whole and (durable_bytes is not None or position == end))
    finally:
        os.close(descriptor)


def read_times_and_bytes(path: Path, sha256: bytes) -> FileTimes:
    """By every byte: fragments count under their seal only, and the file's hash must be the signed one.

    UnprovableError, also when the hash is another; OSError.
    """
    try:
        scan = scan_segment(path)
    except NotASegmentError as error:
        raise UnprovableError(str(error)) from error
    if scan.hashes.sha256 != sha256 or scan.torn_bytes:
        raise UnprovableError("the file's bytes are not those that were signed")
    spans = [(each.decode_time, each.decode_time + each.duration) for each in scan.fragments]
    return _times(scan.header, spans, is_whole=not scan.damaged)


def _header(read_at: bmff.ReadAt, end: int) -> tuple[SegmentHeader, bmff.Track, int]:
    try:
        boxes = bmff.boxes(read_at, 0, end)
        first, moov, header = next(boxes, None), next(boxes, None), next(boxes, None)
        if not (first and moov and header) or (first.type, moov.type) != (b"ftyp", b"moov"):
            raise UnprovableError("the file ends before its header does")
        track = bmff.read_track(bmff.payload(read_at, moov))
        return SegmentHeader.from_payload(bmff.payload(read_at, header)), track, header.end
    except (bmff.BoxError, HeaderError) as error:
        raise UnprovableError(str(error)) from error


def _times(header: SegmentHeader, spans: Iterable[tuple[int, int]], *, is_whole: bool) -> FileTimes:
    stretches: list[tuple[int, int]] = []
    for start, end in spans:
        if stretches and stretches[-1][1] == start:
            stretches[-1] = (stretches[-1][0], end)
        elif stretches and start < stretches[-1][1]:
            raise UnprovableError(f"decoding time goes back from tick {stretches[-1][1]} to {start}")
        else:
            stretches.append((start, end))
    if not stretches:
        raise UnprovableError("the file holds no whole fragment")
    return FileTimes(
        run=header.run,
        sequence=header.sequence,
        ticks_per_second=header.ticks_per_second,
        stretches=tuple(stretches),
        camera_dts=header.camera_dts,
        boot_id=header.boot_id,
        monotonic_start_ns=header.monotonic_start_ns,
        wall_start_us=header.wall_start_us,
        gaps_before=header.gaps_before,
        is_whole=is_whole,
    )

"""One key frame of a finished segment, by its presentation time: the picture that a count was made from."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from agent import bmff
from agent.bmff import BoxError, Track


@dataclass(frozen=True, slots=True)
class FoundFrame:
    """A key frame, still encoded."""

    track: Track
    data: bytes
    """The access unit as the file holds it, at most 16 MiB."""


def key_frame_at(path: Path, moof_offsets: list[int], pts_ticks: int) -> FoundFrame:
    """The key frame presented at `pts_ticks` of its run; `moof_offsets` are where the groups of pictures to
    look at begin. OSError, BoxError when the file has no such key frame or is damaged."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        size = os.fstat(descriptor).st_size
        read_at = bmff.file_reader(descriptor, size)
        track = _track(read_at, size, path)
        for offset in moof_offsets:
            fragment = next(bmff.fragments(read_at, track, offset, size), None)
            if fragment is None or not fragment.samples:
                continue
            sample = fragment.samples[0]
            if sample.is_key_frame and fragment.decode_time + sample.composition_offset == pts_ticks:
                if sample.size > 16 << 20:
                    raise BoxError(f"{path}: a key frame of {sample.size} bytes")
                return FoundFrame(track, read_at(sample.offset, sample.size))
    finally:
        os.close(descriptor)
    raise BoxError(f"{path}: no key frame is presented at tick {pts_ticks}")


def _track(read_at: bmff.ReadAt, size: int, path: Path) -> Track:
    for box in bmff.boxes(read_at, 0, size):
        if box.type == b"moov":
            return bmff.read_track(bmff.payload(read_at, box))
        if box.type in (b"moof", b"mdat"):
            break
    raise BoxError(f"{path}: no moov before the first fragment")

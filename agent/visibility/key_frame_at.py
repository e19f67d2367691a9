"""One key frame of a finished segment, by its presentation time: the picture that a count was made from."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from agent import bmff
from agent.bmff import BoxError, Track
from agent.visibility.recorded_parts import RecordedParts


@dataclass(frozen=True, slots=True)
class FoundFrame:
    """A key frame, still encoded."""

    track: Track
    data: bytes
    """The access unit as the file holds it."""


def key_frame_at(path: Path, fragments: bytes, moof_offsets: list[int], pts_ticks: int) -> FoundFrame:
    """The key frame presented at `pts_ticks` of its run; `moof_offsets` are where the groups of pictures to
    look at begin, `fragments` the hashes of what was recorded. OSError; BoxError when the file has no such
    key frame, or not the recorded bytes there."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        size = os.fstat(descriptor).st_size
        parts = RecordedParts(bmff.file_reader(descriptor, size), size, fragments)
        wrong = ""
        for offset in moof_offsets:
            try:
                _, presented, data = parts.key_frame_at(offset)
            except BoxError as error:  # a neighbour that was damaged is not this picture
                wrong = f": {error}"
                continue
            if presented == pts_ticks:
                return FoundFrame(parts.track, data)
    finally:
        os.close(descriptor)
    raise BoxError(f"{path}: no key frame is presented at tick {pts_ticks}{wrong}")

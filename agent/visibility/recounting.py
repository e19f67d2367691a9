"""Counting pictures of a finished segment: only bytes whose hash the segment's record binds (I2, I4).

A picture that is counted at once is counted as it is written. Afterwards the file has lain on a disk, where
somebody may have put another in its place: so header and fragment are held against their hashes first.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agent import bmff
from agent.bmff import BoxError, ReadAt, Track
from agent.store.catch_up import Refusal
from agent.store.heads import BoxRow

if TYPE_CHECKING:
    from models.heads import HeadCounter

# PyAV is imported where a picture is counted: the archive, which asks for it, never does so itself.

DIGEST: Final = 32
LARGEST_PART: Final = 64 << 20
"""A header or fragment beyond it is not read: of half a second of video none is."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Key frames of one segment."""

    path: Path
    fragments: bytes
    """`segment.fragments`."""
    start_ticks: int
    """Decoding time, within the run, of the segment's first sample."""
    pictures: tuple[tuple[int, int], ...]
    """(offset of the `moof` that begins with it, ticks since the segment's start) of each."""


@dataclass(frozen=True, slots=True)
class Recounted:
    """One key frame, counted."""

    ticks: int
    """As in `Wanted.pictures`."""
    pts_ticks: int
    """Presentation time within the run."""
    boxes: tuple[BoxRow, ...]
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Refused:
    """A key frame that cannot be counted, and will not be countable later."""

    ticks: int
    reason: Refusal
    what: str


def recounted(counter: HeadCounter, wanted: Wanted) -> Iterator[Recounted | Refused]:
    """Each of `wanted.pictures`, one after the other. OSError when the file cannot be read now; ModelError
    when the counter cannot count."""
    from agent.visibility.key_frame_decoder import PictureError

    descriptor = os.open(wanted.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        size = os.fstat(descriptor).st_size
        read_at = bmff.file_reader(descriptor, size)
        known = {wanted.fragments[at : at + DIGEST] for at in range(0, len(wanted.fragments), DIGEST)}
        track = _track(read_at, size, known)
        for offset, ticks in wanted.pictures:
            try:
                if isinstance(track, str):
                    raise BoxError(track)
                yield _counted(counter, read_at, size, known, track, offset, ticks, wanted.start_ticks)
            except BoxError as error:
                yield Refused(ticks, "altered", str(error))
            except PictureError as error:
                yield Refused(ticks, "undecodable", str(error))
    finally:
        os.close(descriptor)


def _counted(
    counter: HeadCounter, read_at: ReadAt, size: int, known: set[bytes], track: Track, offset: int, ticks: int
) -> Recounted:
    from agent.visibility.key_frame_decoder import decode

    end = _part_end(read_at, offset, size)
    part = _held_against(read_at, offset, end, known, "fragment")
    fragment = next(bmff.fragments(bmff.bytes_reader(part), track, 0, len(part)), None)
    if fragment is None or not fragment.samples or not fragment.samples[0].is_key_frame:
        raise BoxError(f"no key frame begins the fragment at byte {offset}")
    sample = fragment.samples[0]
    picture = decode(track, part[sample.offset : sample.offset + sample.size])
    boxes = tuple(
        (found.box.left, found.box.top, found.box.right, found.box.bottom, round(found.score, 3))
        for found in counter.count(picture)
    )
    pts_ticks = fragment.decode_time + sample.composition_offset
    return Recounted(ticks, pts_ticks, boxes, picture.shape[1], picture.shape[0])


def _track(read_at: ReadAt, size: int, known: set[bytes]) -> Track | str:
    """The video track by the file's header, or what is wrong with that: then no picture of it can be
    counted."""
    try:
        end = _part_end(read_at, 0, size)
        header = bmff.bytes_reader(_held_against(read_at, 0, end, known, "header"))
        moov = next((box for box in bmff.boxes(header, 0, end) if box.type == b"moov"), None)
        if moov is None:
            return "the header has no moov"
        return bmff.read_track(bmff.payload(header, moov))
    except BoxError as error:
        return str(error)


def _part_end(read_at: ReadAt, start: int, size: int) -> int:
    """Where the part that begins at `start` ends: before the next `moof`, or with the last whole box."""
    end = start
    for box in bmff.boxes(read_at, start, size):
        if box.type == b"moof" and box.start > start:
            break
        end = box.end
    return end


def _held_against(read_at: ReadAt, start: int, end: int, known: set[bytes], what: str) -> bytes:
    if not start < end <= start + LARGEST_PART:
        raise BoxError(f"no {what} of {end - start} bytes is at byte {start}")
    part = read_at(start, end - start)
    if len(part) != end - start or hashlib.sha256(part).digest() not in known:
        raise BoxError(f"the {what} at byte {start} is not the one whose hash was recorded")
    return part

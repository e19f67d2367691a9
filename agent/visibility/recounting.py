"""Counting pictures of a finished segment: only bytes whose hash the segment's record binds (I2, I4).

A picture that is counted at once is counted as it is written. Afterwards the file has lain on a disk, where
somebody may have put another in its place: so header and fragment are held against their hashes first. Each
picture that is counted is held against what the room looks like, too: nobody may have looked for tampering
when it was taken.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import ConfigDict

from agent import bmff
from agent.bmff import BoxError, ReadAt
from agent.store.catch_up import Refusal
from agent.store.heads import BoxRow
from agent.store.tamper import TamperKind
from agent.visibility.recorded_parts import RecordedParts

if TYPE_CHECKING:
    from agent.visibility.looking_back import LookingBack
    from models.heads import HeadCounter

# PyAV is imported where a picture is counted: the archive, which asks for it, never does so itself.

Measure = Literal["brightness", "contrast", "visible", "transmission", "displacement", "sharpness"]


@dataclass(frozen=True, slots=True)
class RoomView:
    """What a room looks like when nothing is wrong."""

    reference: int | None
    """Number of the reference view; None: what the camera showed last while nothing was wrong."""
    grey_png: bytes


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
    start_us: int = 0
    """When the segment's first sample was taken, by its own stamps."""
    view: RoomView | None = None
    """None: nobody knows, and nothing is looked for."""


@dataclass(frozen=True, slots=True)
class Tampered:
    """What a picture shows is wrong with the camera, or its picture."""

    __pydantic_config__ = ConfigDict(extra="forbid", allow_inf_nan=False)

    kind: TamperKind
    since_us: int
    """Time of the first picture that showed it, as `Wanted.start_us` counts; of those that were looked at."""
    looks: int
    """In a row, that agreed when it was found."""
    measured: dict[Measure, float]
    """As in the record `camera.tampered`."""


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
    tampered: Tampered | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A key frame that cannot be counted, and will not be countable later."""

    ticks: int
    reason: Refusal
    what: str


def recounted(
    counter: HeadCounter, wanted: Wanted, looking: LookingBack | None = None
) -> Iterator[Recounted | Refused]:
    """Each of `wanted.pictures`, one after the other. `looking`: who looked at the pictures before, so that
    what lasts is known. OSError when the file cannot be read now; ModelError when the counter cannot
    count."""
    from agent.visibility.key_frame_decoder import PictureError
    from agent.visibility.looking_back import LookingBack

    looking = looking or LookingBack()

    descriptor = os.open(wanted.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        size = os.fstat(descriptor).st_size
        parts = _parts(bmff.file_reader(descriptor, size), size, wanted.fragments)
        for offset, ticks in wanted.pictures:
            try:
                if isinstance(parts, BoxError):
                    raise parts
                yield _counted(counter, looking, wanted, parts, offset, ticks)
            except BoxError as error:
                yield Refused(ticks, "altered", str(error))
            except PictureError as error:
                yield Refused(ticks, "undecodable", str(error))
    finally:
        os.close(descriptor)


def _counted(
    counter: HeadCounter,
    looking: LookingBack,
    wanted: Wanted,
    parts: RecordedParts,
    offset: int,
    ticks: int,
) -> Recounted:
    from agent.visibility.key_frame_decoder import decode

    decoded, presented, data = parts.key_frame_at(offset)
    if decoded - wanted.start_ticks != ticks:  # recorded, too, but elsewhere: copied over this one
        raise BoxError(
            f"the fragment at byte {offset} is that of tick {decoded - wanted.start_ticks}, not of {ticks}"
        )
    picture = decode(parts.track, data)
    boxes = tuple(
        (found.box.left, found.box.top, found.box.right, found.box.bottom, round(found.score, 3))
        for found in counter.count(picture)
    )
    at_us = wanted.start_us + (presented - wanted.start_ticks) * 1_000_000 // parts.track.timescale
    tampered = looking.look(picture, at_us, wanted.view)
    return Recounted(ticks, presented, boxes, picture.shape[1], picture.shape[0], tampered)


def _parts(read_at: ReadAt, size: int, fragments: bytes) -> RecordedParts | BoxError:
    """The file's parts, or what is wrong with its header: then no picture of it can be counted."""
    try:
        return RecordedParts(read_at, size, fragments)
    except BoxError as error:
        return error

"""The last picture of a group of pictures, what the encoder made of it with all the bits it spent on it, and
the one in its middle."""

from __future__ import annotations

import os
from typing import Final

from agent import bmff
from agent.bmff import Sample
from agent.visibility.growing_segment import KeyFrame
from agent.visibility.key_frame_decoder import decode_last_brightness
from models.images import GreyImage

MOST_FRAMES: Final = 300
LARGEST_GROUP: Final = 32 << 20
"""Bytes. A longer or larger group is not asked for: ten seconds at 30 pictures, or 128 Mbit/s."""
LARGEST_PICTURE: Final = 4096 * 2304
"""Pixels. A decoder may hold sixteen pictures: 230 MB of these, and a gigabyte of what a stream may claim."""
LARGEST_WORK: Final = 50 * LARGEST_PICTURE
"""Pixels of all pictures of a group, which are decoded one after the other while the next key frame waits:
two seconds of 4K at 25 pictures."""


MIDDLE_WORK: Final = 30 * 1920 * 1080
"""Pixels of all pictures up to the middle one, which is decoded at each look of a lesson: half a group of two
seconds of 1080p at 30 pictures."""


def picture_before(frame: KeyFrame) -> GreyImage | None:
    """Brightness (0..255) of the picture just before `frame`; None for the first of a file and where decoding
    it would take too much. OSError, BoxError, PictureError."""
    return _last_of(frame, frame.group_before)


def picture_amid(frame: KeyFrame) -> GreyImage | None:
    """The same of the picture in the middle between `frame` and the key frame before, or, of large pictures,
    of one as far from the key frame before as little work allows."""
    pixels = max(1, frame.track.width * frame.track.height)
    most = min(len(frame.group_before) // 2 + 1, max(2, MIDDLE_WORK // pixels))
    return _last_of(frame, frame.group_before[:most])


def _last_of(frame: KeyFrame, group: tuple[Sample, ...]) -> GreyImage | None:
    pixels = frame.track.width * frame.track.height
    if not group or len(group) > MOST_FRAMES or sum(sample.size for sample in group) > LARGEST_GROUP:
        return None
    if pixels > LARGEST_PICTURE or pixels * len(group) > LARGEST_WORK:
        return None
    descriptor = os.open(frame.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        read_at = bmff.file_reader(descriptor, os.fstat(descriptor).st_size)
        units = [read_at(sample.offset, sample.size) for sample in group]
    finally:
        os.close(descriptor)
    return decode_last_brightness(frame.track, units, LARGEST_PICTURE)

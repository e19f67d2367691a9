"""The last picture of a group of pictures: what the encoder made of it with all the bits it spent on it."""

from __future__ import annotations

import os
from typing import Final

from agent import bmff
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


def picture_before(frame: KeyFrame) -> GreyImage | None:
    """Brightness (0..255) of the picture just before `frame`; None for the first of a file and where decoding
    it would take too much. OSError, BoxError, PictureError."""
    group, pixels = frame.group_before, frame.track.width * frame.track.height
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

"""Header and fragments of a finished segment, only where they are the bytes whose hash was recorded (I2, I4).

What was written has lain on a disk since, where somebody may have put another film in its place: whoever
counts or shows a picture of it reads it here.
"""

from __future__ import annotations

import hashlib
from typing import Final

from agent import bmff
from agent.bmff import BoxError, ReadAt, Track

DIGEST: Final = 32
LARGEST_PART: Final = 64 << 20
"""A header or fragment beyond it is not read: of half a second of video none is."""


class RecordedParts:
    """One file, read through `read_at`."""

    def __init__(self, read_at: ReadAt, size: int, fragments: bytes) -> None:
        """`fragments`: the column `segment.fragments`. BoxError when the header is not the recorded one."""
        self._read_at, self._size = read_at, size
        self._known = {fragments[at : at + DIGEST] for at in range(0, len(fragments), DIGEST)}
        header = self._part(0, "header")
        walked = bmff.bytes_reader(header)
        moov = next((box for box in bmff.boxes(walked, 0, len(header)) if box.type == b"moov"), None)
        if moov is None:
            raise BoxError("the header has no moov")
        self.track: Track = bmff.read_track(bmff.payload(walked, moov))

    def key_frame_at(self, offset: int) -> tuple[int, int, bytes]:
        """Of the fragment at `offset` that begins with a key frame: its decoding and presentation time within
        the run, and the encoded picture. BoxError when there is none, or another than was recorded."""
        part = self._part(offset, "fragment")
        fragment = next(bmff.fragments(bmff.bytes_reader(part), self.track, 0, len(part)), None)
        if fragment is None or not fragment.samples or not fragment.samples[0].is_key_frame:
            raise BoxError(f"no key frame begins the fragment at byte {offset}")
        sample = fragment.samples[0]
        picture = part[sample.offset : sample.offset + sample.size]
        return fragment.decode_time, fragment.decode_time + sample.composition_offset, picture

    def _part(self, start: int, what: str) -> bytes:
        end = self._end_of_part(start)
        if not start < end <= start + LARGEST_PART:
            raise BoxError(f"no {what} of {end - start} bytes is at byte {start}")
        part = self._read_at(start, end - start)
        if len(part) != end - start or hashlib.sha256(part).digest() not in self._known:
            raise BoxError(f"the {what} at byte {start} is not the one whose hash was recorded")
        return part

    def _end_of_part(self, start: int) -> int:
        """Before the next `moof`, or with the last whole box."""
        end = start
        for box in bmff.boxes(self._read_at, start, self._size):
            if box.type == b"moof" and box.start > start:
                break
            end = box.end
        return end

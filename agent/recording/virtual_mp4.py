"""A stretch of a run as one MP4 file that exists nowhere: header, index, and the fragments where they lie.

Nothing is remuxed and nothing is written to the disk: the file is a list of slices of segment files, and a
group of pictures is read when a byte of it is asked for. Edited are only, in place and without moving a
byte: `tfdt`, so that the file begins at 0; `mfhd`, so that fragments of several files count upwards; and the
type of our seal boxes, which becomes `free`: a seal over an edited `moof` would be a false statement. As
evidence serves the segment file, or a clip with its signed hashes; this file is for watching.
"""

from __future__ import annotations

import hashlib
import os
import struct
import sys
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path

from agent import bmff
from agent.recording.growing import inside
from agent.recording.header import SEAL_BOX
from agent.recording.pieces import Piece, PlayableSegment, Stretch

FORMAT = b"1"
"""Counted up when the same stretch would give other bytes: part of the entity tag."""
LARGEST_PIECE = 256 << 20
"""Bytes; a group of pictures beyond this is damage (ten seconds at 200 Mbit/s)."""
_MOST_REFERENCES = 0xFFFF
_SIDX = struct.Struct(">I4sIIIQQHH")
_BEGINS_WITH_KEY_FRAME = 0x90000000
"""A stream access point of type 1 at its start."""


class MediaError(Exception):
    """The segment files do not hold what the index says of them; the message names file and place."""


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the fragments of a segment file."""

    init: bytes
    """`ftyp` and `moov`."""
    track: bmff.Track
    timescales: dict[int, int]
    """Ticks per second of every track by its id, sound included."""


def read_header(video: Path, relative: Path, first: int) -> Header:
    """The header of one segment file, which ends before byte `first`. OSError, OutsideError, MediaError."""
    path = inside(video, relative)
    try:
        with path.open("rb") as file:
            read_at = bmff.file_reader(file.fileno(), first)
            boxes = bmff.boxes(read_at, 0, first)
            ftyp, moov = next(boxes, None), next(boxes, None)
            if ftyp is None or moov is None or (ftyp.type, moov.type) != (b"ftyp", b"moov"):
                raise MediaError(f"{relative}: does not begin with ftyp and moov")
            content = bmff.payload(read_at, moov)
            return Header(read_at(0, moov.end), bmff.read_track(content), bmff.timescales(content))
    except bmff.BoxError as error:
        raise MediaError(f"{relative}: {error}") from error


class VirtualMp4:
    """`size` bytes that `read` gives; the same for the same stretch, whoever asks and how often."""

    def __init__(self, video: Path, stretch: Stretch, header: Header) -> None:
        self._video = video
        self._stretch = stretch
        self._header = header
        sizes = [end - start for start, end in (segment.byte_range for segment in stretch.segments)]
        count = sum(len(segment.pieces) for segment in stretch.segments)
        self._each = max(1, -(-count // _MOST_REFERENCES))
        front = len(header.init) + _SIDX.size + 12 * -(-count // self._each)
        self._begins = list(accumulate(sizes, initial=front))
        """Where each file's share begins in the virtual file; at last, where the file ends."""
        self.size = self._begins[-1]
        self._fragments_before = list(accumulate((s.fragment_count for s in stretch.segments), initial=0))
        self._earliest = self._earliest_presentation()

    @property
    def etag(self) -> str:
        """Strong entity tag (RFC 9110, 8.8.3): of which bytes of which files it is made."""
        digest = hashlib.sha256(FORMAT)
        for segment in self._stretch.segments:
            digest.update(f"{segment.run_id}/{segment.sequence}:{segment.byte_range};".encode())
        return f'"{digest.hexdigest()[:32]}"'

    def read(self, start: int, end: int) -> Iterator[bytes]:
        """Bytes [start, end), a group of pictures at a time. OSError, MediaError."""
        init, front = self._header.init, self._begins[0]
        if start < len(init):
            yield init[start:end]
        if start < front and end > len(init):
            yield self._index[max(0, start - len(init)) : end - len(init)]
        position = max(start, front)
        while position < end:
            number = bisect_right(self._begins, position) - 1
            segment = self._stretch.segments[number]
            # From a place in the file to one here; a share's bytes lie together in both.
            shift = self._begins[number] - segment.byte_range[0]
            place = bisect_right(segment.pieces.offsets, position - shift) - 1
            piece = segment.pieces[place]
            content = self._piece(segment, piece, self._fragments_before[number])
            yield bytes(memoryview(content)[position - shift - piece.start : end - shift - piece.start])
            position = piece.end + shift

    @cached_property
    def _index(self) -> bytes:
        """`sidx` (8.16.3): one reference a piece; several pieces together where there are too many. Made when
        a byte of it is asked for: a day has 43 000 pieces, and the bytes before it need not wait."""
        sizes = [size for segment in self._stretch.segments for size in segment.pieces.sizes]
        lengths = [length for segment in self._stretch.segments for length in segment.pieces.lengths]
        if self._each > 1:
            groups = range(0, len(sizes), self._each)
            sizes = [sum(sizes[at : at + self._each]) for at in groups]
            lengths = [sum(lengths[at : at + self._each]) for at in groups]
        values = array("I", bytes(12 * len(sizes)))
        values[::3], values[1::3] = array("I", sizes), array("I", lengths)
        values[2::3] = array("I", [_BEGINS_WITH_KEY_FRAME]) * len(sizes)
        if sys.byteorder == "little":
            values.byteswap()
        track = self._header.track
        size = _SIDX.size + 12 * len(sizes)
        about = (1 << 24, track.track_id, track.timescale, self._earliest, 0, 0, len(sizes))
        return _SIDX.pack(size, b"sidx", *about) + values.tobytes()

    def _earliest_presentation(self) -> int:
        """Ticks from the file's 0 to its first picture: with B-frames the key frame is shown later than 0."""
        segment, (_, _, start, end) = self._stretch.segments[0], self._stretch.segments[0].pieces[0]
        with inside(self._video, segment.path).open("rb") as file:
            read_at = bmff.file_reader(file.fileno(), end)
            try:
                first = next(bmff.fragments(read_at, self._header.track, start, end), None)
            except bmff.BoxError as error:
                raise MediaError(f"{segment.path}: {error}") from error
        if first is None or not first.samples:
            raise MediaError(f"{segment.path}: no whole fragment at byte {start}")
        decoded, shown = 0, []
        for sample in first.samples:
            shown.append(decoded + sample.composition_offset)
            decoded += sample.duration
        return max(0, min(shown))

    def _piece(self, segment: PlayableSegment, piece: Piece, fragments_before: int) -> bytearray:
        """One group of pictures as it stands in the virtual file."""
        size = piece.end - piece.start
        if size > LARGEST_PIECE:
            raise MediaError(f"{segment.path}: {size} bytes without a key frame")
        with inside(self._video, segment.path).open("rb") as file:
            content = bytearray(os.pread(file.fileno(), size, piece.start))
        if len(content) != size:
            raise MediaError(f"{segment.path}: ends before byte {piece.end}")
        try:
            self._edit(content, fragments_before)
        except (bmff.BoxError, struct.error) as error:
            raise MediaError(f"{segment.path}, byte {piece.start}: {error}") from error
        return content

    def _edit(self, content: bytearray, fragments_before: int) -> None:
        read_at = bmff.bytes_reader(bytes(content))
        for box in bmff.boxes(read_at, 0, len(content)):
            if box.type == b"moof":
                self._edit_moof(content, read_at, box, fragments_before)
            elif box.type == b"uuid" and content[box.payload : box.payload + 16] == SEAL_BOX.bytes:
                content[box.start + 4 : box.start + 8] = b"free"

    def _edit_moof(
        self, content: bytearray, read_at: bmff.ReadAt, moof: bmff.Box, fragments_before: int
    ) -> None:
        for box in bmff.boxes(read_at, moof.payload, moof.end):
            if box.type == b"mfhd":
                # Each file counts its own fragments from 1; here they go on counting from file to file.
                (number,) = struct.unpack_from(">I", content, box.payload + 4)
                struct.pack_into(">I", content, box.payload + 4, (fragments_before + number) & 0xFFFFFFFF)
            elif box.type == b"traf":
                self._rebase(content, read_at, box)

    def _rebase(self, content: bytearray, read_at: bmff.ReadAt, traf: bmff.Box) -> None:
        track_id = self._header.track.track_id
        for box in bmff.boxes(read_at, traf.payload, traf.end):
            if box.type == b"tfhd":
                (track_id,) = struct.unpack_from(">I", content, box.payload + 4)
            elif box.type == b"tfdt":
                form = ">Q" if content[box.payload] == 1 else ">I"
                (time,) = struct.unpack_from(form, content, box.payload + 4)
                begin = self._stretch.start_ticks * self._header.timescales.get(
                    track_id, self._header.track.timescale
                )
                struct.pack_into(
                    form, content, box.payload + 4, max(0, time - begin // self._header.track.timescale)
                )

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
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np
import numpy.typing as npt

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
_REFERENCE = np.dtype([("size", ">u4"), ("length", ">u4"), ("access", ">u4")])
_LARGEST_REFERENCE, _LONGEST_REFERENCE = (1 << 31) - 1, (1 << 32) - 1
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


def index_references(path: Path, sizes: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> bytes:
    """Entries of `sidx`, one for each of `sizes` in bytes and `lengths` in ticks. MediaError when one is too
    large for it; `path` is named then."""
    if sizes.max(initial=0) > _LARGEST_REFERENCE or lengths.max(initial=0) > _LONGEST_REFERENCE:
        raise MediaError(f"{path}: a piece of {sizes.max()} bytes and {lengths.max()} ticks is damage")
    entries = np.empty(len(sizes), _REFERENCE)
    entries["size"], entries["length"] = sizes, lengths
    entries["access"] = _BEGINS_WITH_KEY_FRAME
    return entries.tobytes()


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
        self._together = max(1, -(-count // _MOST_REFERENCES))
        self._references = -(-count // self._together)
        front = len(header.init) + _SIDX.size + _REFERENCE.itemsize * self._references
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
        at = len(init)
        for part in self._index() if start < front else ():
            if at >= end:
                return
            if start < at + len(part):
                yield part[max(0, start - at) : end - at]
            at += len(part)
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

    def _index(self) -> Iterator[bytes]:
        """`sidx` (8.16.3): its head, and then a file's references at a time, so that the first byte need not
        wait for a day's 43 000 pieces: one reference a piece; several pieces together where there are too
        many. MediaError for a piece that no reference can address."""
        track = self._header.track
        size = _SIDX.size + _REFERENCE.itemsize * self._references
        about = (1 << 24, track.track_id, track.timescale, self._earliest, 0, 0, self._references)
        yield _SIDX.pack(size, b"sidx", *about)
        if self._together == 1:
            for segment in self._stretch.segments:
                yield index_references(segment.path, segment.pieces.sizes, segment.pieces.lengths)
            return
        begins = range(0, sum(len(s.pieces) for s in self._stretch.segments), self._together)
        sizes = np.concatenate([segment.pieces.sizes for segment in self._stretch.segments])
        lengths = np.concatenate([segment.pieces.lengths for segment in self._stretch.segments])
        path = self._stretch.segments[0].path
        yield index_references(path, np.add.reduceat(sizes, begins), np.add.reduceat(lengths, begins))

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

"""Reading a segment file back: which parts are whole, which are damaged, where a torn tail begins.

"A demuxer opens it" proves nothing: libav hands out torn frames from a torn tail. Here a fragment counts
only when its boxes lie whole in the file and its seal holds the SHA-256 of its bytes.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from agent import bmff
from agent.recording.gops import LARGEST, Gop, pack_gops
from agent.recording.header import HeaderError, SegmentHeader, sealed_digest
from agent.recording.segment_file import FileHashes


class NotASegmentError(Exception):
    """The file does not begin with a whole header of ours: nothing in it can be placed in time."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the file; all parts together tile it up to the torn tail."""

    start: int
    end: int
    sha256: bytes
    fragment: bmff.Fragment | None
    """None for the header (the first part) and for a damaged stretch between whole fragments."""


@dataclass(frozen=True, slots=True)
class Scan:
    """What stands in a segment file."""

    header: SegmentHeader
    parts: tuple[Part, ...]
    hashes: FileHashes
    """Of the file up to the torn tail."""
    file_bytes: int

    @property
    def fragments(self) -> list[bmff.Fragment]:
        return [part.fragment for part in self.parts if part.fragment]

    @property
    def gops(self) -> bytes:
        """Where the groups of pictures begin, as in the column `segment.gops`; b"" without footage. What does
        not fit into the column our writer did not write (it closes a segment long before)."""
        whole = self.fragments
        gops = [
            Gop(fragment.start, fragment.decode_time - whole[0].decode_time)
            for fragment in whole
            if fragment.samples and fragment.samples[0].is_key_frame
        ]
        return pack_gops(gop for gop in gops if gop.offset <= LARGEST and 0 <= gop.ticks <= LARGEST)

    @property
    def torn_bytes(self) -> int:
        """Length of the tail that is no whole fragment."""
        return self.file_bytes - self.hashes.size

    @property
    def damaged(self) -> list[Part]:
        """Stretches that are no whole fragment although whole ones follow: not the work of a power cut."""
        return [part for part in self.parts[1:] if part.fragment is None]


def scan_segment(path: Path) -> Scan:
    """Read the file at `path` from end to end. NotASegmentError, OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(descriptor).st_size
        return _Scanner(bmff.file_reader(descriptor, size), size).scan()
    finally:
        os.close(descriptor)


def read_header(path: Path) -> SegmentHeader:
    """Only the header, without reading the footage. NotASegmentError, OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(descriptor).st_size
        return _Scanner(bmff.file_reader(descriptor, size), size).read_header()[0]
    finally:
        os.close(descriptor)


def has_footage(path: Path) -> bool:
    """True when at least the first fragment is whole. OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(descriptor).st_size
        return _Scanner(bmff.file_reader(descriptor, size), size).has_footage()
    except NotASegmentError:
        return False
    finally:
        os.close(descriptor)


class _Scanner:
    def __init__(self, read_at: bmff.ReadAt, size: int) -> None:
        self._read_at = read_at
        self._size = size

    def scan(self) -> Scan:
        header, track, position = self.read_header()
        parts = [self._part(0, position, None)]
        while position < self._size:
            fragment = self._whole_fragment(position, track)
            if fragment is None:
                following = self._next_whole_fragment(position, track)
                if following is None:
                    break
                parts.append(self._part(position, following, None))
                position = following
                continue
            sealed_end = fragment.end + SEAL_SIZE
            parts.append(self._part(position, sealed_end, fragment))
            position = sealed_end
        whole = hashlib.sha256()
        for part in parts:
            whole.update(self._read_at(part.start, part.end - part.start))
        hashes = FileHashes(position, whole.digest(), tuple(part.sha256 for part in parts))
        return Scan(header, tuple(parts), hashes, self._size)

    def has_footage(self) -> bool:
        _, track, position = self.read_header()
        return self._whole_fragment(position, track) is not None

    def read_header(self) -> tuple[SegmentHeader, bmff.Track, int]:
        """The header, the track, and where the first fragment begins."""
        try:
            boxes = bmff.boxes(self._read_at, 0, self._size)
            first, moov, header = next(boxes, None), next(boxes, None), next(boxes, None)
            if not (first and moov and header) or (first.type, moov.type) != (b"ftyp", b"moov"):
                raise NotASegmentError("the file ends before its header does")
            track = bmff.read_track(bmff.payload(self._read_at, moov))
            return SegmentHeader.from_payload(bmff.payload(self._read_at, header)), track, header.end
        except (bmff.BoxError, HeaderError) as error:
            raise NotASegmentError(str(error)) from error

    def _part(self, start: int, end: int, fragment: bmff.Fragment | None) -> Part:
        return Part(start, end, hashlib.sha256(self._read_at(start, end - start)).digest(), fragment)

    def _whole_fragment(self, start: int, track: bmff.Track) -> bmff.Fragment | None:
        """The sealed fragment that begins at `start`, if one does."""
        try:
            boxes = bmff.boxes(self._read_at, start, self._size)
            moof, mdat, seal = next(boxes, None), next(boxes, None), next(boxes, None)
            if not (moof and mdat and seal) or (moof.type, mdat.type) != (b"moof", b"mdat"):
                return None
            digest = hashlib.sha256(self._read_at(start, mdat.end - start)).digest()
            if (
                seal.end - seal.start != SEAL_SIZE
                or sealed_digest(bmff.payload(self._read_at, seal)) != digest
            ):
                return None
            return bmff.read_fragment(self._read_at, moof, mdat, track)
        except bmff.BoxError:
            return None  # the answer to the question asked: no whole fragment begins here

    def _next_whole_fragment(self, start: int, track: bmff.Track) -> int | None:
        """Where the next whole fragment after `start` begins; None when only a torn tail is left."""
        rest = self._read_at(start, self._size - start)
        found = rest.find(b"moof", 5)
        while found >= 0:
            if self._whole_fragment(start + found - 4, track) is not None:
                return start + found - 4
            found = rest.find(b"moof", found + 1)
        return None


SEAL_SIZE = 8 + 16 + 32
"""Bytes of the box that closes a fragment."""

"""A segment file's bytes for a browser's player: its sound track taken out of view, byte for byte in place.

A player feeds pictures and sound into one buffer that plays only where both are there (Media Source
Extensions, `buffered`): sound that breaks off would stop the pictures, and a range whose runs have it in part
would not play at all. So the boxes that describe sound become `free`, which every reader passes over; no byte
moves. The file on the disk, a stretch to keep and a clip have their sound.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path

from agent import bmff
from agent.recording.sound_boxes import TRACK_ID

CHUNK = 256 * 1024


def read_silenced(path: Path, aligned: int, start: int, end: int, known_end: int) -> Iterator[bytes]:
    """Bytes [start, end) of the file at `path` without sound; `aligned`, at most `start`, is where a box
    begins, and nothing is read beyond `known_end`. OSError; bmff.BoxError at damage."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        read_at = bmff.file_reader(descriptor, known_end)
        types = sound_box_types(read_at, aligned, end, known_end)
        while start < end:
            piece = bytearray(os.pread(descriptor, min(CHUNK, end - start), start))
            if not piece:
                return
            for offset in types:
                for place, byte in enumerate(b"free", offset - start):
                    if 0 <= place < len(piece):
                        piece[place] = byte
            start += len(piece)
            yield bytes(piece)
    finally:
        os.close(descriptor)


def sound_box_types(read_at: bmff.ReadAt, start: int, end: int, known_end: int) -> list[int]:
    """Where the types of the boxes stand that describe sound, of the boxes that begin in [start, end).
    bmff.BoxError at damage."""
    found: list[int] = []
    for box in bmff.boxes(read_at, start, known_end):
        if box.start >= end:
            break
        if box.type in (b"moov", b"moof"):
            content = bmff.payload(read_at, box)
            found += (box.payload + place + 4 for place in _of_sound(content))
    return found


def _of_sound(content: bytes) -> Iterator[int]:
    """Offsets in the payload of a `moov` or `moof`."""
    read_at = bmff.bytes_reader(content)
    for box in bmff.boxes(read_at, 0, len(content)):
        if box.type == b"mvex":
            for each in bmff.boxes(read_at, box.payload, box.end):
                if each.type == b"trex" and _number(content, each.payload + 4) == TRACK_ID:
                    yield each.start
        elif box.type in (b"trak", b"traf"):
            header = next(bmff.boxes(read_at, box.payload, box.end), None)
            # `tkhd` (version 0) and `tfhd` come first and name the track.
            place = {b"tkhd": 12, b"tfhd": 4}.get(header.type, 0) if header else 0
            if header and place and _number(content, header.payload + place) == TRACK_ID:
                yield box.start


def _number(content: bytes, offset: int) -> int:
    try:
        return int(struct.unpack_from(">I", content, offset)[0])
    except struct.error as error:
        raise bmff.BoxError(f"a box ends early: {error}") from error

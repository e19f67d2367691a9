"""Reading fragmented MP4 box by box (ISO/IEC 14496-12, "ISO BMFF"), pure bytes and offsets.

For whoever must know where the last whole fragment of a file ends: a demuxer hands out torn frames from a
torn tail, a box walk does not. One video track a file, as our recorder writes it; sound beside it is passed
over. Nothing here decodes, and every length is checked against the bytes that are there (I12: video bytes are
input from outside).
"""

from __future__ import annotations

import json
import os
import struct
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

LARGEST_HEADER_BOX = 4 << 20
"""Bytes; a `moov`, `moof` or `uuid` box that claims more is damage, not media."""

ReadAt = Callable[[int, int], bytes]
"""`read_at(offset, size)` gives the bytes there, fewer at the end of what is known."""


class BoxError(Exception):
    """The bytes are no box structure; the message names the box and its offset."""


@dataclass(frozen=True, slots=True)
class Box:
    """Where a box lies. Offsets count from the beginning of what was walked."""

    type: bytes
    """Four characters, e.g. b"moof"."""
    start: int
    payload: int
    """Offset of the first byte after the box's header."""
    end: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One access unit inside a fragment; `duration` and `composition_offset` in ticks of the track."""

    offset: int
    size: int
    duration: int
    composition_offset: int
    is_key_frame: bool


@dataclass(frozen=True, slots=True)
class Track:
    """The video track as `moov` describes it, with the defaults of its `trex`."""

    track_id: int
    timescale: int
    """Ticks per second."""
    sample_entry: bytes
    """b"avc1", b"hvc1", b"hev1", …"""
    width: int
    height: int
    decoder_configuration: bytes
    """Content of avcC or hvcC: what a decoder takes as extradata."""
    default_duration: int
    default_size: int
    default_flags: int


@dataclass(frozen=True, slots=True)
class Fragment:
    """A whole `moof` with its `mdat`: the piece that stands or falls as one at a power cut (I2)."""

    start: int
    end: int
    decode_time: int
    """Ticks: `tfdt`, the decode time of the first sample."""
    samples: tuple[Sample, ...]

    @property
    def duration(self) -> int:
        """Ticks from the first sample to the end of the last."""
        return sum(sample.duration for sample in self.samples)


def file_reader(descriptor: int, known_end: int) -> ReadAt:
    """Reads an open file at offsets, never at or beyond `known_end` (what is durable)."""

    def read_at(offset: int, size: int) -> bytes:
        return os.pread(descriptor, max(0, min(size, known_end - offset)), offset)

    return read_at


def bytes_reader(data: bytes) -> ReadAt:
    """The same over bytes in memory."""
    return lambda offset, size: data[offset : offset + size]


def boxes(read_at: ReadAt, start: int, end: int) -> Iterator[Box]:
    """Boxes that lie WHOLE in [start, end); stops before the first that does not (a growing or torn tail).

    BoxError where a header cannot be one: a size below its own header, or a type that is not printable.
    """
    offset = start
    while offset + 8 <= end:
        header = read_at(offset, 16)
        if len(header) < 8:
            return
        size, kind = struct.unpack_from(">I4s", header)
        length = 8
        if size == 1:  # 64-bit size follows
            if len(header) < 16:
                return
            (size,) = struct.unpack_from(">Q", header, 8)
            length = 16
        elif size == 0:  # "to the end of the file": of a growing file nobody knows where that is
            return
        if size < length or not all(0x20 <= byte < 0x7F or byte == 0xA9 for byte in kind):
            raise BoxError(f"no box at offset {offset}: size {size}, type {kind!r}")
        if offset + size > end:
            return
        yield Box(kind, offset, offset + length, offset + size)
        offset += size


def payload(read_at: ReadAt, box: Box) -> bytes:
    """The bytes after the box's header. BoxError above LARGEST_HEADER_BOX: not meant for `mdat`."""
    size = box.end - box.payload
    if size > LARGEST_HEADER_BOX:
        raise BoxError(f"box {box.type!r} at offset {box.start} claims {size} bytes")
    content = read_at(box.payload, size)
    if len(content) != size:
        raise BoxError(f"box {box.type!r} at offset {box.start} is not whole")
    return content


def json_uuid_box(identifier: uuid.UUID, content: dict[str, Any]) -> bytes:
    """A `uuid` box (ISO/IEC 14496-12, 11.1) that carries one JSON object as UTF-8."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
    return struct.pack(">I4s16s", 24 + len(text), b"uuid", identifier.bytes) + text


def read_json_uuid(content: bytes, identifier: uuid.UUID) -> dict[str, Any] | None:
    """The JSON object in the payload of a `uuid` box; None when the box is somebody else's.

    BoxError when it is ours and holds no JSON object.
    """
    if content[:16] != identifier.bytes:
        return None
    try:
        value = json.loads(content[16:])
    except (ValueError, RecursionError) as error:  # covers UnicodeDecodeError and JSONDecodeError
        raise BoxError(f"uuid box {identifier}: no JSON: {error}") from error
    if not isinstance(value, dict):
        raise BoxError(f"uuid box {identifier}: expected a JSON object, found {type(value).__name__}")
    return value


def read_track(moov: bytes) -> Track:
    """The video track of a `moov` payload. BoxError when there is none or it is damaged."""
    try:
        return _read_track(moov)
    except (struct.error, IndexError) as error:
        raise BoxError(f"moov ends early: {error}") from error


def timescales(moov: bytes) -> dict[int, int]:
    """Ticks per second of every track of a `moov` payload by track id. BoxError when it is damaged."""
    try:
        found = {}
        for kind, trak in _children(moov):
            if kind == b"trak":
                header, media = _descend(trak, b"tkhd"), _descend(trak, b"mdia", b"mdhd")
                (track_id,) = struct.unpack_from(">I", header, 20 if header[0] == 1 else 12)
                (found[track_id],) = struct.unpack_from(">I", media, 20 if media[0] == 1 else 12)
        return found
    except (struct.error, IndexError) as error:
        raise BoxError(f"moov ends early: {error}") from error


def read_fragment(read_at: ReadAt, moof: Box, mdat: Box, track: Track) -> Fragment:
    """The samples of one `moof`/`mdat` pair; every one lies inside `mdat`.

    BoxError when the two do not fit each other or speak of another track.
    """
    if moof.end != mdat.start:
        raise BoxError(f"moof at offset {moof.start} is not followed by its mdat")
    try:
        decode_time, samples = _read_moof(payload(read_at, moof), moof.start, track)
    except (struct.error, IndexError) as error:
        raise BoxError(f"moof at offset {moof.start} ends early: {error}") from error
    for sample in samples:
        if sample.offset < mdat.payload or sample.offset + sample.size > mdat.end:
            raise BoxError(f"moof at offset {moof.start}: sample at {sample.offset} lies outside its mdat")
    return Fragment(moof.start, mdat.end, decode_time, tuple(samples))


def fragments(read_at: ReadAt, track: Track, start: int, end: int) -> Iterator[Fragment]:
    """Whole fragments in [start, end); other boxes between them (styp, sidx, free, mfra) are passed over.

    Stops before a fragment whose `mdat` is not whole. BoxError at damage.
    """
    moof: Box | None = None
    for box in boxes(read_at, start, end):
        if box.type == b"moof":
            moof = box
        elif box.type == b"mdat" and moof is not None:
            yield read_fragment(read_at, moof, box, track)
            moof = None


def _children(content: bytes, start: int = 0) -> Iterator[tuple[bytes, bytes]]:
    """(type, payload) of the boxes that fill `content` from `start`; BoxError when they do not add up."""
    end = start
    for box in boxes(bytes_reader(content), start, len(content)):
        end = box.end
        yield box.type, content[box.payload : box.end]
    if end != len(content):
        raise BoxError(f"a container's boxes end at byte {end} of {len(content)}")


def _descend(content: bytes, *path: bytes) -> bytes:
    for step in path:
        found = next((inner for kind, inner in _children(content) if kind == step), None)
        if found is None:
            raise BoxError(f"box {step!r} is missing")
        content = found
    return content


def _read_track(moov: bytes) -> Track:
    defaults = {
        struct.unpack_from(">4xI", trex)[0]: struct.unpack_from(">12xIII", trex)
        for kind, trex in _children(_descend(moov, b"mvex"))
        if kind == b"trex"
    }
    for kind, trak in _children(moov):
        if kind != b"trak" or _descend(trak, b"mdia", b"hdlr")[8:12] != b"vide":
            continue
        header = _descend(trak, b"tkhd")
        (track_id,) = struct.unpack_from(">I", header, 20 if header[0] == 1 else 12)
        media = _descend(trak, b"mdia", b"mdhd")
        (timescale,) = struct.unpack_from(">I", media, 20 if media[0] == 1 else 12)
        if timescale == 0:
            raise BoxError("mdhd: timescale 0")
        descriptions = _descend(trak, b"mdia", b"minf", b"stbl", b"stsd")
        entry_type, entry = next(_children(descriptions, 8), (b"", b""))
        width, height = struct.unpack_from(">HH", entry, 24)
        # 78 bytes of VisualSampleEntry fields, then the boxes that configure the decoder.
        configuration = next((c for k, c in _children(entry, 78) if k in (b"avcC", b"hvcC")), b"")
        duration, size, flags = defaults.get(track_id, (0, 0, 0))
        return Track(track_id, timescale, entry_type, width, height, configuration, duration, size, flags)
    raise BoxError("moov has no video track")


def _read_moof(moof: bytes, moof_start: int, track: Track) -> tuple[int, list[Sample]]:
    samples: list[Sample] = []
    decode_time: int | None = None
    for kind, traf in _children(moof):
        if kind != b"traf":
            continue
        header = _descend(traf, b"tfhd")
        flags, track_id = struct.unpack_from(">II", header)
        if track_id != track.track_id:
            continue  # sound
        if decode_time is not None:
            raise BoxError(f"moof at offset {moof_start}: expected track {track.track_id} once")
        base, position, values = (
            moof_start,
            8,
            [track.default_duration, track.default_size, track.default_flags],
        )
        if flags & 0x000001:
            (base,) = struct.unpack_from(">Q", header, position)
            position += 8
        position += 4 if flags & 0x000002 else 0
        for index, flag in enumerate((0x000008, 0x000010, 0x000020)):
            if flags & flag:
                (values[index],) = struct.unpack_from(">I", header, position)
                position += 4
        time = _descend(traf, b"tfdt")
        (decode_time,) = struct.unpack_from(">Q" if time[0] == 1 else ">I", time, 4)
        for inner_kind, trun in _children(traf):
            if inner_kind == b"trun":
                following = samples[-1].offset + samples[-1].size if samples else base
                samples += _read_trun(trun, base, following, values)
    if decode_time is None:
        raise BoxError(f"moof at offset {moof_start}: track {track.track_id} is missing")
    return decode_time, samples


def _read_trun(trun: bytes, base: int, following: int, defaults: list[int]) -> Iterator[Sample]:
    flags, count = struct.unpack_from(">II", trun)
    flags &= 0xFFFFFF
    position, offset, first_flags = 8, following, None
    if flags & 0x000001:
        offset = base + struct.unpack_from(">i", trun, position)[0]
        position += 4
    if flags & 0x000004:
        (first_flags,) = struct.unpack_from(">I", trun, position)
        position += 4
    given = [bool(flags & flag) for flag in (0x000100, 0x000200, 0x000400, 0x000800)]
    if count > len(trun) and not any(given):
        raise BoxError(f"trun claims {count} samples without saying anything of them")
    for number in range(count):
        values = [*defaults, 0]
        for index, present in enumerate(given):
            if present:
                # The composition offset may be negative (version 1); the other three are unsigned.
                form = ">i" if index == 3 else ">I"
                (values[index],) = struct.unpack_from(form, trun, position)
                position += 4
        if number == 0 and first_flags is not None:
            values[2] = first_flags
        duration, size, sample_flags, composition = values
        # Bit 16 is sample_is_non_sync_sample (8.8.3.1).
        yield Sample(offset, size, duration, composition, not sample_flags & 0x00010000)
        offset += size

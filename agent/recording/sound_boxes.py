"""A sound track put into fragments that libav made of pictures alone (ISO/IEC 14496-12, 14496-14).

libav muxes one track, so that no sound can ever begin, delay, tear or refuse a fragment of pictures. The
sound is set beside it afterwards: a second `trak` in the header, a second `traf` in the `moof` and its frames
behind the pictures in the `mdat`. The pictures' own boxes keep their bytes, but for where their data begin.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from agent import bmff
from drivers.cameras.sound import SoundFormat

TRACK_ID = 2
"""libav numbers its one track 1."""

_UNITY_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_INDEPENDENT = 0x02000000
"""Sample flags: depends on no other sample."""
_DEFAULT_BASE_IS_MOOF = 0x020000


def with_track(header: bytes, sound: SoundFormat) -> bytes:
    """`header` (ftyp and moov of one video track) with a sound track in it. bmff.BoxError when it is no such
    header."""
    read_at = bmff.bytes_reader(header)
    parts = []
    for box in bmff.boxes(read_at, 0, len(header)):
        if box.type == b"moov":
            moov = bmff.payload(read_at, box)
            _check_one_track(moov)
            parts.append(_box(b"moov", *_moov(moov, sound)))
        else:
            parts.append(header[box.start : box.end])
    return b"".join(parts)


def with_frames(fragment: bytes, begin: int, frames: Sequence[tuple[bytes, int]]) -> bytes:
    """`fragment` (moof and mdat of pictures) with sound `frames` (data, duration) from tick `begin` of the
    sound track on. bmff.BoxError when it is no such fragment."""
    read_at = bmff.bytes_reader(fragment)
    found = list(bmff.boxes(read_at, 0, len(fragment)))
    if [box.type for box in found] != [b"moof", b"mdat"]:
        raise bmff.BoxError(f"a fragment of {[box.type for box in found]}")
    moof, mdat = found
    pictures = fragment[mdat.payload : mdat.end]
    added = len(_traf(0, begin, frames))
    size = moof.end - moof.start + added
    sound = _traf(size + 8 + len(pictures), begin, frames)
    moved = _moved(fragment[: moof.end], added)
    data = b"".join(content for content, _ in frames)
    return struct.pack(">I4s", size, b"moof") + moved[8:] + sound + _box(b"mdat", pictures, data)


def _check_one_track(moov: bytes) -> None:
    if set(bmff.timescales(moov)) != {1}:
        raise bmff.BoxError(f"expected track 1 alone, found {sorted(bmff.timescales(moov))}")


def _moov(moov: bytes, sound: SoundFormat) -> list[bytes]:
    read_at = bmff.bytes_reader(moov)
    parts = []
    for box in bmff.boxes(read_at, 0, len(moov)):
        content = moov[box.start : box.end]
        if box.type == b"mvhd":
            content = content[:-4] + struct.pack(">I", TRACK_ID + 1)  # next_track_ID
        elif box.type == b"mvex":
            defaults = _full(b"trex", 0, 0, struct.pack(">5I", TRACK_ID, 1, 0, 0, _INDEPENDENT))
            content = _trak(sound) + _box(b"mvex", moov[box.payload : box.end], defaults)
        parts.append(content)
    return parts


def _moved(moof: bytes, by: int) -> bytes:
    """`moof` with its pictures' data `by` bytes further on."""
    read_at, edited = bmff.bytes_reader(moof), bytearray(moof)
    for traf in bmff.boxes(read_at, 8, len(moof)):
        if traf.type != b"traf":
            continue
        for box in bmff.boxes(read_at, traf.payload, traf.end):
            (flags,) = struct.unpack_from(">I", moof, box.payload)
            if box.type == b"tfhd" and not flags & _DEFAULT_BASE_IS_MOOF:
                raise bmff.BoxError("tfhd: offsets do not count from the moof")
            if box.type == b"trun":
                if not flags & 1:
                    raise bmff.BoxError("trun without an offset")
                (offset,) = struct.unpack_from(">i", moof, box.payload + 8)
                struct.pack_into(">i", edited, box.payload + 8, offset + by)
    return bytes(edited)


def _traf(offset: int, begin: int, frames: Sequence[tuple[bytes, int]]) -> bytes:
    entries = b"".join(struct.pack(">II", duration, len(data)) for data, duration in frames)
    return _box(
        b"traf",
        _full(b"tfhd", 0, _DEFAULT_BASE_IS_MOOF, struct.pack(">I", TRACK_ID)),
        _full(b"tfdt", 1, 0, struct.pack(">Q", begin)),
        _full(b"trun", 0, 0x000301, struct.pack(">Ii", len(frames), offset) + entries),
    )


def _trak(sound: SoundFormat) -> bytes:
    rate = sound.samples_per_second
    track_header = (
        struct.pack(">IIIII8xHHHH", 0, 0, TRACK_ID, 0, 0, 0, 1, 0x0100, 0) + _UNITY_MATRIX + bytes(8)
    )
    handler = struct.pack(">I4s12x", 0, b"soun") + b"SoundHandler\x00"
    return _box(
        b"trak",
        _full(b"tkhd", 0, 3, track_header),
        _box(
            b"mdia",
            _full(b"mdhd", 0, 0, struct.pack(">IIIIHH", 0, 0, rate, 0, 0x55C4, 0)),
            _full(b"hdlr", 0, 0, handler),
            _box(
                b"minf",
                _full(b"smhd", 0, 0, bytes(4)),
                _box(b"dinf", _full(b"dref", 0, 0, struct.pack(">I", 1), _full(b"url ", 0, 1))),
                _box(
                    b"stbl",
                    _full(b"stsd", 0, 0, struct.pack(">I", 1), _mp4a(sound)),
                    *(_full(kind, 0, 0, bytes(4)) for kind in (b"stts", b"stsc")),
                    _full(b"stsz", 0, 0, bytes(8)),
                    _full(b"stco", 0, 0, bytes(4)),
                ),
            ),
        ),
    )


def _mp4a(sound: SoundFormat) -> bytes:
    """AudioSampleEntry with its ES_Descriptor (ISO/IEC 14496-14, 5.6; 14496-1, 7.2.6)."""
    # Object type 0x40: by the AudioSpecificConfig; stream type 5 (audio), no upstream.
    decoder = struct.pack(">BBIII", 0x40, 5 << 2 | 1, 0, 0, 0)
    decoder = decoder[:2] + decoder[3:]  # bufferSizeDB has three bytes
    decoder += _descriptor(5, sound.configuration)
    stream = struct.pack(">HB", TRACK_ID, 0) + _descriptor(4, decoder) + _descriptor(6, b"\x02")
    rate = sound.samples_per_second if sound.samples_per_second < 1 << 16 else 0
    entry = struct.pack(">6xH8xHHHHI", 1, sound.channels, 16, 0, 0, rate << 16)
    return _box(b"mp4a", entry, _full(b"esds", 0, 0, _descriptor(3, stream)))


def _descriptor(tag: int, content: bytes) -> bytes:
    if len(content) > 0x7F:
        raise bmff.BoxError(f"a descriptor of {len(content)} bytes")
    return bytes((tag, len(content))) + content


def _box(kind: bytes, *content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + sum(map(len, content)), kind) + b"".join(content)


def _full(kind: bytes, version: int, flags: int, *content: bytes) -> bytes:
    return _box(kind, struct.pack(">I", version << 24 | flags), *content)

"""The little that must be known of H.264 and H.265 byte streams: where the parameter sets are.

Annex B framing of ITU-T H.264 (7.4.1, table 7-1) and H.265 (7.4.2, table 7-1): NAL units behind the start
code 00 00 01, parameter sets before the first slice of a key frame.
"""

from __future__ import annotations

from collections.abc import Iterator

from drivers.cameras.base import Codec

_START_CODE = b"\x00\x00\x01"
_PARAMETER_SETS: dict[Codec, tuple[int, ...]] = {"h264": (7, 8), "hevc": (32, 33, 34)}
"""NAL unit types that a decoder needs: SPS, PPS; VPS, SPS, PPS."""


def nal_type(unit: bytes, codec: Codec) -> int:
    """Type of a NAL unit of at least one byte."""
    return unit[0] & 0x1F if codec == "h264" else (unit[0] >> 1) & 0x3F


def _is_slice(kind: int, codec: Codec) -> bool:
    return 1 <= kind <= 5 if codec == "h264" else kind <= 31


def nal_units(data: bytes) -> Iterator[bytes]:
    """NAL units of Annex B `data`, without start codes and trailing zero bytes."""
    start = data.find(_START_CODE)
    while start >= 0:
        following = data.find(_START_CODE, start + 3)
        unit = data[start + 3 : following if following >= 0 else len(data)].rstrip(b"\x00")
        if unit:
            yield unit
        start = following


def parameter_sets(data: bytes, codec: Codec) -> bytes:
    """Parameter sets standing before the first slice of `data`, as Annex B with four-byte start codes,
    each once and in the order found; b"" unless a decoder could begin with them alone."""
    found: list[bytes] = []
    kinds: set[int] = set()
    for unit in nal_units(data):
        kind = nal_type(unit, codec)
        if _is_slice(kind, codec):
            break
        if kind in _PARAMETER_SETS[codec] and unit not in found:
            found.append(unit)
            kinds.add(kind)
    if kinds != set(_PARAMETER_SETS[codec]):
        return b""
    return b"".join(b"\x00" + _START_CODE + unit for unit in found)


def is_random_access(data: bytes, codec: Codec, length_bytes: int = 0) -> bool:
    """True when nothing after the key frame in `data` may refer to a picture before it: its first
    slice is of an IDR picture (H.264: type 5; H.265: 19, 20) or a broken link (H.265: 16 to 18). False for an
    open group of pictures (H.265: CRA, type 21), whose leading pictures need the group before. `length_bytes`
    as `length_bytes` gives it: 0 for Annex B."""
    wanted = (5,) if codec == "h264" else range(16, 21)
    for unit in _prefixed_units(data, length_bytes) if length_bytes else nal_units(data):
        kind = nal_type(unit, codec)
        if _is_slice(kind, codec):
            return kind in wanted
    return False


def length_bytes(extradata: bytes, codec: Codec) -> int:
    """How many bytes before each NAL unit of a stream say its length (ISO/IEC 14496-15, 5.3.3.1.2 and
    8.3.3.1.2); 0 for Annex B, and where `extradata` says nothing."""
    place = 4 if codec == "h264" else 21
    return 0 if is_annex_b(extradata) or len(extradata) <= place else (extradata[place] & 3) + 1


def _prefixed_units(data: bytes, length_bytes: int) -> Iterator[bytes]:
    position = 0
    while position + length_bytes < len(data):
        start = position + length_bytes
        position = start + int.from_bytes(data[position:start])
        if unit := data[start:position]:
            yield unit


def is_annex_b(extradata: bytes) -> bool:
    """True for Annex B parameter sets, False for an avcC / hvcC box (whose first byte is the version 1)."""
    return extradata.startswith((_START_CODE, b"\x00" + _START_CODE))

"""Where the groups of pictures of a segment begin: what a player seeks by without walking the file.

A file of five minutes holds 600 fragments and 150 groups; the list costs 1.2 KB beside the segment's row.
Only a finished segment has it: of a growing one the boxes themselves are walked (`agent.bmff`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

_ENTRY = struct.Struct(">II")
LARGEST = (1 << 32) - 1
"""Of an offset in bytes, and of a segment's length in ticks."""


class Gop(NamedTuple):
    """One group of pictures."""

    offset: int
    """Bytes from the file's start to the `moof` that begins with the group's key frame."""
    ticks: int
    """Decoding time of that key frame, in ticks of the run, from the segment's `start_ticks`."""


def pack_gops(gops: Iterable[Gop]) -> bytes:
    """The column `segment.gops`: 8 bytes a group, in order; offset and ticks as big-endian unsigned 32 bits.

    >>> pack_gops([Gop(700, 0), Gop(9000, 180_000)]).hex()
    '000002bc00000000000023280002bf20'
    """
    return b"".join(_ENTRY.pack(gop.offset, gop.ticks) for gop in gops)


def unpack_gops(packed: bytes) -> tuple[Gop, ...]:
    """The inverse. ValueError when the length is no multiple of 8.

    >>> unpack_gops(bytes.fromhex("000002bc00000000"))
    (Gop(offset=700, ticks=0),)
    """
    if len(packed) % _ENTRY.size:
        raise ValueError(f"gops: {len(packed)} bytes, expected a multiple of {_ENTRY.size}")
    return tuple(Gop(*entry) for entry in _ENTRY.iter_unpack(packed))

"""H.265 under the name that browsers take: `hvc1` instead of `hev1` (ISO/IEC 14496-15, 8.4.1).

libav names a stream whose parameter sets stand in the pictures `hev1`, and offers no way to say otherwise
without a codec context. Safari plays `hvc1` alone. Under that name every parameter set that a decoder needs
stands in the sample entry; so it does here: other sets begin another run (`drivers/cameras/guard.py`).
The camera's access units stay as they came, with their copies of the same sets.
"""

from __future__ import annotations

_COMPLETE = 0x80
"""hvcC, `array_completeness`: all parameter sets of the array's type stand in it; mandatory for `hvc1`."""


def as_hvc1(header: bytes) -> bytes:
    """`header` (ftyp and moov as libav writes them for one H.265 track) with its sample entry renamed; of any
    other stream it is returned as it is."""
    entry = header.find(b"hev1", max(0, header.find(b"stsd")))
    configuration = header.find(b"hvcC", entry)
    if entry < 0 or configuration < 0:
        return header
    renamed = bytearray(header)
    renamed[entry : entry + 4] = b"hvc1"
    position = configuration + 4 + 22
    arrays, position = renamed[position], position + 1
    for _ in range(arrays):
        renamed[position] |= _COMPLETE
        count = int.from_bytes(renamed[position + 1 : position + 3])
        position += 3
        for _ in range(count):
            position += 2 + int.from_bytes(renamed[position : position + 2])
    return bytes(renamed)

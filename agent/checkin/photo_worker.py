"""The process that decodes photos from outside: of a hostile one it dies, and nothing else does (I12).

Decoders are large and written in C. This one gets no file to write, no core dump and a bound on its memory;
who started it bounds its time (agent/checkin/photo_file.py). On standard input and output, one photo after
another: 8 bytes length, content → 8 bytes height, 8 bytes width, pixels; height 0: no picture.
"""

from __future__ import annotations

import resource
import struct
import sys
from pathlib import Path
from typing import BinaryIO, Final

import cv2
import numpy as np

LONGEST_SIDE_PX: Final = 2000
"""Larger photos are made smaller: a telephone's 12 megapixels would be searched for seconds."""
MEMORY_BYTES: Final = 768 << 20
"""Beyond what the process holds once its libraries are loaded; the largest photo allowed needs half of it."""


def main() -> None:
    """Until the input ends."""
    cv2.setNumThreads(1)
    _confine()
    source, target = sys.stdin.buffer, sys.stdout.buffer
    while header := source.read(8):
        (length,) = struct.unpack(">Q", header)
        _answer(target, source.read(length))


def _confine() -> None:
    used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    for limit, value in (
        (resource.RLIMIT_AS, used + MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
    ):
        resource.setrlimit(limit, (value, value))


def _answer(target: BinaryIO, content: bytes) -> None:
    image = _decoded(content)
    if image is None:
        target.write(struct.pack(">QQ", 0, 0))
    else:
        target.write(struct.pack(">QQ", *image.shape[:2]) + image.tobytes())
    target.flush()


def _decoded(content: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]] | None:
    """Three channels of eight bits, upright by its EXIF orientation, at most LONGEST_SIDE_PX long."""
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            return None
        scale = LONGEST_SIDE_PX / max(image.shape[:2])
        if scale < 1:
            # A strip of one pixel must not become one of none.
            size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    except (cv2.error, MemoryError):
        return None
    return np.ascontiguousarray(image, np.uint8)


if __name__ == "__main__":
    main()

"""Photos from outside (files, uploads): JPEG and PNG within bounds, decoded in a process of their own (I12).

What a photo claims of its size is read before it is decoded, so that a bomb is refused by its header. Only
these two formats are let through to the decoder, which knows thirty. Names of files never get here.
"""

from __future__ import annotations

import os
import select
import struct
import subprocess
import sys
import time
from types import TracebackType
from typing import IO, Final, Self

import numpy as np

from agent.errors import BilingualError
from agent.log import get_logger
from models.images import BGRImage

LARGEST_BYTES: Final = 20_000_000
MOST_PIXELS: Final = 50_000_000
"""A telephone's largest pictures; decoded they take 150 MB."""
SHORTEST_SIDE_PX: Final = 64
PATIENCE_S: Final = 20.0
"""Decoding 50 megapixels takes 2 s on a Pi."""

log = get_logger(__name__)


class PhotoFileError(BilingualError):
    """The content is no photo that can be used; says why and repeats nothing of it."""


class PhotoReader:
    """Decodes photos one by one in a child process; one that kills or hangs it costs the next a new child.

    A context manager, because the child must end.
    """

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the child."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    pipe.close()

    def read(self, content: bytes) -> BGRImage:
        """The picture, upright, three channels of eight bits, at most 2000 px long. PhotoFileError."""
        width, height = size_of(content)
        if width * height > MOST_PIXELS:
            raise PhotoFileError(
                f"照片有 {width} × {height} 像素，超过 {MOST_PIXELS // 1_000_000} 百万，请缩小后再用",
                f"{width} × {height} pixels; at most {MOST_PIXELS // 1_000_000} megapixels: make it smaller",
            )
        if min(width, height) < SHORTEST_SIDE_PX:
            raise PhotoFileError(
                f"照片只有 {width} × {height} 像素，太小", f"{width} × {height} pixels are too few"
            )
        try:
            image = self._decoded(content)
        except (OSError, EOFError, TimeoutError) as error:
            log.warning("photo.decoder-ended", error=type(error).__name__, bytes=len(content))
            self.close()
            image = None
        if image is None:
            raise PhotoFileError("照片已损坏，读不出来", "the photo is damaged and cannot be decoded")
        return image

    def _decoded(self, content: bytes) -> BGRImage | None:
        if self._child is None:
            self._child = _start()
        if self._child.stdin is None or self._child.stdout is None:
            raise EOFError("the decoder has no pipes")
        deadline = time.monotonic() + self._patience_s
        # The child reads a photo whole before it answers, so writing first cannot lock both up.
        self._child.stdin.write(struct.pack(">Q", len(content)) + content)
        self._child.stdin.flush()
        height, width = struct.unpack(">QQ", _exactly(self._child.stdout, 16, deadline))
        if height == 0:
            return None
        pixels = _exactly(self._child.stdout, height * width * 3, deadline)
        return np.frombuffer(pixels, np.uint8).reshape(height, width, 3).copy()


def size_of(content: bytes) -> tuple[int, int]:
    """Width and height that a JPEG or PNG claims. PhotoFileError when it is neither, or too large."""
    if len(content) > LARGEST_BYTES:
        limit = LARGEST_BYTES // 1_000_000
        raise PhotoFileError(
            f"文件超过 {limit} MB，请用较小的照片", f"larger than {limit} MB: use a smaller photo"
        )
    if content[:8] == b"\x89PNG\r\n\x1a\n" and content[12:16] == b"IHDR" and len(content) >= 24:
        width, height = struct.unpack(">II", content[16:24])
        return width, height
    if content[:3] == b"\xff\xd8\xff" and (found := _size_of_jpeg(content)):
        return found
    raise PhotoFileError("不是 JPEG 或 PNG 照片，请另存为 JPEG", "is no JPEG or PNG photo: save it as JPEG")


def _size_of_jpeg(content: bytes) -> tuple[int, int] | None:
    """From the frame header (ITU-T T.81, B.2.2); None when there is none."""
    place = 2
    while place + 9 <= len(content):
        if content[place] != 0xFF:
            return None
        marker = content[place + 1]
        if marker == 0xFF:  # fill byte
            place += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", content[place + 5 : place + 9])
            return width, height
        if marker in (0xD8, 0x01) or 0xD0 <= marker <= 0xD7:  # without a length
            place += 2
            continue
        if marker in (0xD9, 0xDA):
            return None
        place += 2 + int(struct.unpack(">H", content[place + 2 : place + 4])[0])
    return None


def _start() -> subprocess.Popen[bytes]:
    environment = {key: value for key, value in os.environ.items() if key in ("PATH", "LANG", "PYTHONPATH")}
    threads = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "agent.checkin.photo_worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # libjpeg's and libpng's grumbling about every byte
        env=environment | threads,
        close_fds=True,
    )


def _exactly(pipe: IO[bytes], count: int, deadline: float) -> bytes:
    """`count` bytes. EOFError when the child ended, TimeoutError when it does not answer in time."""
    read, parts = 0, []
    while read < count:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([pipe], [], [], left)[0]:
            raise TimeoutError
        part = os.read(pipe.fileno(), min(count - read, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        read += len(part)
    return b"".join(parts)

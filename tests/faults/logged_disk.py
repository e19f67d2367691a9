"""A disk that remembers every write and flush with its time, so that a power cut can be replayed.

This file is also the nbdkit plugin itself (`nbdkit python logged_disk.py image=…`): nbdkit calls the
functions below by name. The log beside the image holds records of `RECORD` followed by the written bytes.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

RECORD = struct.Struct("<cQIBd")
"""Kind (W write, F flush), offset, length, forced to the medium (FUA), UNIX time."""

API_VERSION = 2
FUA_NATIVE = 2  # nbdkit.FUA_NATIVE; the module `nbdkit` exists only inside nbdkit

_open: dict[str, int] = {}
_image: list[Path] = []


def config(key: str, value: str) -> None:
    if key != "image":
        raise RuntimeError(f"unknown parameter {key}")
    _image[:] = [Path(value)]


def config_complete() -> None:
    flags = os.O_CREAT | os.O_TRUNC | os.O_WRONLY
    _open["log"] = os.open(_image[0].with_suffix(".log"), flags, 0o600)
    _open["image"] = os.open(_image[0], os.O_RDWR)


def open(readonly: bool) -> int:  # nbdkit calls it so
    return 1


def get_size(handle: int) -> int:
    return os.fstat(_open["image"]).st_size


def can_flush(handle: int) -> bool:
    return True


def can_fua(handle: int) -> int:
    return FUA_NATIVE


def pread(handle: int, buffer: bytearray, offset: int, flags: int) -> None:
    buffer[:] = os.pread(_open["image"], len(buffer), offset)


def pwrite(handle: int, buffer: bytearray, offset: int, flags: int) -> None:
    content = bytes(buffer)
    os.pwrite(_open["image"], content, offset)
    os.write(_open["log"], RECORD.pack(b"W", offset, len(content), flags & 1, time.time()) + content)


def flush(handle: int, flags: int) -> None:
    os.write(_open["log"], RECORD.pack(b"F", 0, 0, 0, time.time()))


@dataclass(frozen=True)
class Entry:
    """One line of the log."""

    is_flush: bool
    offset: int
    forced: bool
    at: float
    content: bytes


def read_log(path: Path) -> Iterator[Entry]:
    """Everything that reached the disk, in order."""
    content = path.read_bytes()
    position = 0
    while position + RECORD.size <= len(content):
        kind, offset, length, forced, at = RECORD.unpack_from(content, position)
        position += RECORD.size
        yield Entry(kind == b"F", offset, bool(forced), at, content[position : position + length])
        position += length

"""Bringing one file to another disk so that its bytes are known to be there (R8).

Written to a temporary name, synced, read back from the disk, and only then given its name. A temporary file
that an interruption left is written on from where it ends and believed as little as any other: what counts is
the hash of what is read back.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

from agent.board import sync_folder
from agent.log import get_logger

CHUNK_BYTES = 256 << 10
FLUSH_BYTES = 4 << 20
"""Synced piece by piece: megabytes of unwritten pages would make the recorder's own sync wait behind them."""

Meter = Callable[[int], None]
"""Told of every so many bytes moved; it may wait, and it may raise to interrupt."""


log = get_logger(__name__)


class SourceDamagedError(Exception):
    """The file to be copied is not there, cannot be read, or has other bytes than it should.

    `found` is the SHA-256 of what lies there, None when it cannot be read to its end.
    """

    def __init__(self, found: bytes | None) -> None:
        super().__init__("the file's bytes are not those of its record")
        self.found = found


class ReadBackError(Exception):
    """What was read back from the target is not what was written to it; nothing was left there."""


def transfer(source: Path, target: Path, sha256: bytes, meter: Meter) -> None:
    """Put `source`, whose bytes must have `sha256`, to `target`: whole and durable on return, or not at all.

    SourceDamagedError, ReadBackError, OSError. A file that stands at `target` is replaced in one step.
    """
    _make_folder(target.parent)
    temporary = part_of(target)
    found = _write(source, temporary, meter)
    if found != sha256:
        temporary.unlink()
        raise SourceDamagedError(found)
    if hash_from_disk(temporary, meter) != sha256:
        temporary.unlink()
        raise ReadBackError(f"{target}: what was written cannot be read back")
    temporary.replace(target)
    sync_folder(target.parent)


def part_of(target: Path) -> Path:
    """The temporary name beside `target`."""
    return target.with_name(f".{target.name}.part")


def hash_from_disk(path: Path, meter: Meter) -> bytes:
    """SHA-256 of a file as its disk gives it: its pages are dropped from memory first. OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        # Only pages that are on the disk can be dropped; this puts them there.
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        return _hash(descriptor, meter)
    finally:
        os.close(descriptor)


def holds(path: Path, sha256: bytes, size: int, meter: Meter) -> bool:
    """Whether the file at `path` is there with these very bytes. OSError when its disk fails."""
    try:
        status = path.lstat()
        return (
            stat.S_ISREG(status.st_mode) and status.st_size == size and hash_from_disk(path, meter) == sha256
        )
    except FileNotFoundError:
        return False


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        sync_folder(folder.parent)
        sync_folder(folder.parent.parent)


def _write(source: Path, temporary: Path, meter: Meter) -> bytes:
    """Copy `source` behind what `temporary` holds already; SHA-256 of the whole source."""
    try:
        reading = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise SourceDamagedError(None) from None
    try:
        writing = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
        try:
            kept = min(os.fstat(writing).st_size, os.fstat(reading).st_size) // CHUNK_BYTES * CHUNK_BYTES
            os.ftruncate(writing, kept)
            os.lseek(writing, kept, os.SEEK_SET)
            digest = _copy(reading, writing, kept, meter)
            _keep_time(reading, writing)
            os.fsync(writing)
        finally:
            os.close(writing)
    finally:
        os.close(reading)
    return digest


def _keep_time(reading: int, writing: int) -> None:
    """When the footage was written: a recorder that lost its journal finds the last run by that, and a file
    that was brought back years later must not pass for it."""
    status = os.fstat(reading)
    try:
        os.utime(writing, ns=(status.st_atime_ns, status.st_mtime_ns))
    except PermissionError as error:  # a network folder under another user; its bytes are what counts
        log.debug("copy.time_not_kept", errno=error.errno)


def _copy(reading: int, writing: int, kept: int, meter: Meter) -> bytes:
    digest = hashlib.sha256()
    done = flushed = 0
    while piece := _read(reading):
        digest.update(piece)
        done += len(piece)
        if done > kept:
            _write_all(writing, piece)
            meter(len(piece))
        else:
            meter(0)
        if done - flushed >= FLUSH_BYTES:
            os.fdatasync(writing)
            os.posix_fadvise(reading, flushed, done - flushed, os.POSIX_FADV_DONTNEED)
            flushed = done
    return digest.digest()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, CHUNK_BYTES)
    except OSError as error:
        if error.errno == errno.EIO:  # a bad place on the disk of the footage, not a fault of the copy
            raise SourceDamagedError(None) from error
        raise


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _hash(descriptor: int, meter: Meter) -> bytes:
    digest = hashlib.sha256()
    while piece := os.read(descriptor, CHUNK_BYTES):
        digest.update(piece)
        meter(len(piece))
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    return digest.digest()

"""The record log as plain files: one compact JWS a line, a file for each 10 000 records, named by the first.

`log/000000000001.jws`, `log/000000010001.jws`, … beside the footage and in every second copy. The chain
itself proves order and wholeness, so there is no list beside them; `classroom-agent verify FOLDER/log` reads
them as they lie, and the ledger takes its log back from them when the database was lost. What a power cut
tears off is the end of the last file; the writer, which has the database to compare with, writes that anew.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from agent.board import sync_folder
from agent.evidence.record import SEQUENCE_DIGITS, RecordError, read_record

LOG_FOLDER = "log"
RECORDS_PER_FILE = 10_000
LONGEST_LINE = 1 << 20
"""A record is at most 512 KiB of payload, a third more in base64."""

_NAME = re.compile(rf"^(\d{{{SEQUENCE_DIGITS}}})\.jws$")


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file of a log folder; `first` as its name says."""

    first: int
    path: Path


def log_files(folder: Path) -> list[LogFile]:
    """The files in `folder` in order; [] when there is no folder. OSError when it cannot be read."""
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except FileNotFoundError:
        return []
    found = ((match, folder / name) for name in names if (match := _NAME.match(name)))
    return [LogFile(int(match[1]), path) for match, path in found]


def open_log_file(path: Path) -> BinaryIO:
    """A file of a log folder for reading. OSError also for a link, a pipe or a device: whoever has the copy's
    disk in hand may put one there, to lead a reader elsewhere or to let it wait for ever (I12)."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return os.fdopen(descriptor, "rb")


def read_lines(folder: Path, first: int = 1) -> Iterator[bytes]:
    """Lines of the log from record `first` on, by the place where they stand; neither parsed nor believed. A
    torn or overlong last line is yielded too, cut. OSError; OSError too for a missing file in between."""
    due = None
    for number, file in enumerate(files := log_files(folder)):
        if number + 1 < len(files) and files[number + 1].first <= first:
            continue
        if file.first > first if due is None else file.first != due:
            return  # a file is missing: what follows cannot join what is asked for
        place = file.first
        with open_log_file(file.path) as lines:
            while line := lines.readline(LONGEST_LINE):
                if place >= first:
                    yield line.rstrip(b"\n")
                place += 1
        due = place


def last_sequence(folder: Path) -> int:
    """The sequence that the last whole line claims; 0 without one. To choose by, not to believe. OSError."""
    for file in reversed(log_files(folder)):
        with open_log_file(file.path) as lines:
            size = lines.seek(0, os.SEEK_END)
            lines.seek(max(0, size - 2 * LONGEST_LINE))
            for line in reversed(lines.read().split(b"\n")[:-1]):
                try:
                    return read_record(line, None).sequence
                except RecordError:
                    continue
    return 0


class LogWriter:
    """Appends records to one folder, each durable on return of `append`. OSError from every method."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def append(self, first: int, lines: Sequence[bytes]) -> None:
        """Add `lines`, records `first`… in order, behind what stands there; one sync a file."""
        position = 0
        while position < len(lines):
            sequence = first + position
            room = RECORDS_PER_FILE - (sequence - 1) % RECORDS_PER_FILE
            part = lines[position : position + room]
            self._write(sequence - (sequence - 1) % RECORDS_PER_FILE, part)
            position += len(part)

    def _write(self, name: int, lines: Sequence[bytes]) -> None:
        path = path_of(self._folder, name)
        is_new = not path.exists()
        if is_new:
            self._folder.mkdir(exist_ok=True)
            sync_folder(self._folder.parent)
        # A link that somebody put there must not lead the log into another file.
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(path, flags, 0o640)
        try:
            before = os.fstat(descriptor).st_size
            try:
                _write_all(descriptor, b"".join(line + b"\n" for line in lines))
                os.fdatasync(descriptor)
            except OSError:
                os.ftruncate(descriptor, before)  # a full disk must not leave half a line in the middle
                raise
        finally:
            os.close(descriptor)
        if is_new:
            sync_folder(self._folder)

    def cut(self, file: LogFile, size: int) -> None:
        """Shorten the last file to its first `size` bytes, durably; away with it when none remain."""
        descriptor = os.open(file.path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            os.ftruncate(descriptor, size)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def path_of(folder: Path, first: int) -> Path:
    """The file whose first record is `first`."""
    return folder / f"{first:0{SEQUENCE_DIGITS}d}.jws"


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]

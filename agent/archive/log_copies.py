"""Copies of the record log: beside the footage and in each second copy, at most a second behind.

The database is the log; these files follow it and are never believed over it here. Where a file ends
otherwise than the database says (a torn line after a power cut), its end is written anew; where it holds
another log it is put aside whole; where it holds more than the database it is left alone: the database was
put back from an older state, and the ledger takes the rest from here at its next start.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from agent.archive.worker import ArchiveError, Pace
from agent.board import sync_folder
from agent.clock import Clock
from agent.evidence.jws import sha256_hex
from agent.evidence.log_files import (
    LOG_FOLDER,
    LONGEST_LINE,
    RECORDS_PER_FILE,
    LogFile,
    LogWriter,
    log_files,
    open_log_file,
    path_of,
    read_lines,
)
from agent.evidence.record import RecordError, read_record
from agent.log import get_logger
from agent.store import records
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact

BATCH = 500
INTERVAL_S = 1.0

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the copy ends, and which folder that was said of: another disk may be mounted there."""

    identity: tuple[int, int]
    last: int
    end: int | None
    """Size of the file with the last record: whether somebody else wrote there since. Not its inode, which a
    network file system may make up anew."""


class LogCopier:
    """The work of one log copy's thread."""

    def __init__(self, name: str, root: Path, check: Callable[[], object], clock: Clock) -> None:
        """`root` is the video folder or a copy's; `check` raises when its disk is away."""
        self._name = name
        self._root = root
        self._check = check
        self._clock = clock
        self._writer = LogWriter(root / LOG_FOLDER)
        self._place: _Place | None = None
        self._followed: tuple[int, int] | None = None
        """The folder in which this process has written its log."""
        self.last: int | None = None
        """The last record that the copy has; None until it was looked at. For the board."""

    @property
    def folder(self) -> Path:
        return self._root / LOG_FOLDER

    def work(self, store: Store, pace: Pace) -> float:
        """Append what is new; the first time find out where the copy ends."""
        self._check()
        self._check_folder()
        status = self._root.stat()
        identity = (status.st_dev, status.st_ino)
        if self._followed != identity:
            self._followed = None
        place = self._place
        if place is None or place.identity != identity or place.end != self._end(place.last):
            last = self._find_end(store)
        else:
            last = place.last
        self._place = None  # found anew after any failure below
        rows = store.rows(
            "SELECT sequence, jws FROM record WHERE sequence > ? ORDER BY sequence LIMIT ?", (last, BATCH)
        )
        if rows:
            self._writer.append(last + 1, [bytes(row["jws"]) for row in rows])
            last = rows[-1]["sequence"]
        pace.beat()
        self._place = _Place(identity, last, self._end(last))
        self._followed = identity
        self.last = last
        return 0.0 if len(rows) == BATCH else INTERVAL_S

    def _check_folder(self) -> None:
        if self.folder.is_symlink():
            raise ArchiveError(
                f"{self.folder} 是链接：副本须是真正的文件夹，请移走它",
                f"{self.folder} is a link: a copy must be a folder of its own; take the link away",
            )

    def _end(self, last: int) -> int | None:
        if last == 0:
            return None
        try:
            return path_of(self.folder, last - (last - 1) % RECORDS_PER_FILE).lstat().st_size
        except FileNotFoundError:
            return None

    def _find_end(self, store: Store) -> int:
        """The last record that the copy has as the database has it; cuts off what is torn, puts aside what is
        another log."""
        while files := log_files(self.folder):
            last = self._compare(store, files[-1])
            if last is not None:
                self._fill_up(store, {file.first for file in files})
                return last
        return 0

    def _fill_up(self, store: Store, there: set[int]) -> None:
        """Write files anew that somebody took away from before the last one."""
        for first in range(1, max(there), RECORDS_PER_FILE):
            if first not in there:
                log.warning("log_copy.file_missing", copy=self._name, first=first)
                rows = records.read(store, first, first + RECORDS_PER_FILE - 1)
                self._writer.append(first, [row.jws for row in rows])

    def _compare(self, store: Store, file: LogFile) -> int | None:
        """Hold the last file against the database; None when it was cut away or put aside: look again."""
        head = records.head(store).sequence
        if head < file.first:
            self._refuse_longer(store, head)
            return None
        place, size = file.first - 1, 0
        for row in records.read(store, file.first):
            line = _line(file, size)
            if line == row.jws:
                place, size = place + 1, size + len(line) + 1
                continue
            if _record_id(line) not in (None, row.id):
                self._put_aside(store, row.sequence, line)
                return None
            break
        else:
            if _record_id(_line(file, size)) is not None:
                raise _longer(self.folder)
        if size < file.path.stat().st_size:
            log.warning("log_copy.torn_end_cut", copy=self._name, file=file.path.name, kept_bytes=size)
            self._writer.cut(file, size)
        if size == 0 and file.first > 1:
            file.path.unlink()
            sync_folder(self.folder)
            return None
        return place

    def _refuse_longer(self, store: Store, head: int) -> None:
        """The copy goes far beyond the database. Of the same log it waits for the ledger; another's is put
        aside."""
        if head == 0:
            raise _longer(self.folder)
        line = next(read_lines(self.folder, head), b"")
        row = next(records.read(store, head, head))
        if line == row.jws:
            raise _longer(self.folder)
        self._put_aside(store, head, line)

    def _unused_name(self, line: bytes) -> Path:
        """Named by the line that differs; another name when that log was put aside before and somebody put it
        back."""
        for number in count():
            aside = self.folder.with_name(f"{LOG_FOLDER}-{sha256_hex(line + b' ' * number)[:16]}")
            if not os.path.lexists(aside):
                return aside
        raise AssertionError("unreachable")

    def _put_aside(self, store: Store, sequence: int, line: bytes) -> None:
        if self._followed is not None and _source(line) not in (None, _source(_first_record(store))):
            raise ArchiveError(
                f"{self.folder} 里有另一台设备在写记录：每台设备的副本须有自己的文件夹，请修改 [[copies]]",
                f"another node writes its records into {self.folder}: give the copy of each node a folder of "
                "its own under [[copies]]",
            )
        held = sha256_hex(line)
        aside = self._unused_name(line)
        self.folder.rename(aside)
        sync_folder(self._root)
        log.error("log_copy.diverged", copy=self._name, sequence=sequence, put_aside_as=aside.name)
        data = {"copy": self._name, "sequence": sequence, "held": held, "put_aside_as": aside.name}
        fact = Fact(FactType.COPY_LOG_DIVERGED, f"copy/{self._name}", simulated=False, data=data)
        with store.transaction():
            state_fact(store, self._clock.now(), fact)


def _line(file: LogFile, offset: int) -> bytes:
    """The line at `offset`, without its end; b"" where the file ends, or where the line's end is missing."""
    with open_log_file(file.path) as lines:
        lines.seek(offset)
        line = lines.readline(LONGEST_LINE)
    return line[:-1] if line.endswith(b"\n") else b""


def _record_id(line: bytes) -> str | None:
    """The id of the record in `line`; None when it is none. A record that lost the end of its signature still
    has its own id: it is torn, and no other log's."""
    try:
        return read_record(line, None).event.id
    except RecordError:
        return None


def _source(line: bytes) -> str | None:
    try:
        return read_record(line, None).event.source
    except RecordError:
        return None


def _first_record(store: Store) -> bytes:
    return next((row.jws for row in records.read(store, 1, 1)), b"")


def _longer(folder: Path) -> ArchiveError:
    return ArchiveError(
        f"{folder} 里的记录比数据库多：数据库是旧的。请重启 ledger（签名）服务，它会从副本取回记录",
        f"{folder} holds more records than the database, which is an older one: restart the ledger, which "
        "takes them back from there",
    )

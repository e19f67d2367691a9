"""The index thread: brings runs, segments and gaps into the database, whenever the database lets it.

The recorder never waits for it (I11). What cannot be committed now waits here; what is lost with the process
is found again from the files, which are the truth. After each (re)opening of the database every file that it
does not know is taken in (I1).
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from agent.clock import Clock
from agent.log import get_logger
from agent.recording.index import Entry, IndexWriter
from agent.recording.segment_writer import ClosedSegment
from agent.store.database import Store, StoreError
from drivers.cameras.backoff import Backoff

WAITING_LIMIT_BYTES = 16 << 20
"""Of statements kept in memory while the database is away, a day of segments; beyond that they are dropped
and read back from the files."""

_SHORT_WORK_S = 0.05
"""Less sweeping at a time needs no rest after it."""

_STATEMENT_BYTES = 2000
_FRAGMENT_BYTES = 73
"""What Python holds for a statement, and for each fragment's hash in it."""

log = get_logger(__name__)

Sweep = Callable[[IndexWriter], Iterator[None]]


class Index(threading.Thread):
    """Takes statements without ever making the caller wait or fail."""

    def __init__(
        self, database: Path, clock: Clock, room: str, sweep: Sweep, *, backoff: Backoff | None = None
    ) -> None:
        """`sweep` brings in what only the files know; it runs in this thread after each opening."""
        super().__init__(name="index", daemon=True)
        self._database = database
        self._clock = clock
        self._room = room
        self._sweep = sweep
        self._backoff = backoff or Backoff(first=0.5, longest=30.0)
        self._waiting: deque[Entry] = deque()
        self._waiting_bytes = 0
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._writer: IndexWriter | None = None
        self._inode = 0
        self._sweep_allowed = False
        self._sweep_due = False
        self.problem: str | None = "not opened yet"
        """Why the index is behind; None when all is well. For the status board."""

    def submit(self, entry: Entry) -> None:
        """State `entry`; returns at once."""
        with self._changed:
            if self._waiting_bytes + _bytes_of(entry) > WAITING_LIMIT_BYTES:
                log.error("index.overflow", dropped=len(self._waiting))
                self._waiting.clear()
                self._waiting_bytes = 0
                self._sweep_due = True
            self._waiting.append(entry)
            self._waiting_bytes += _bytes_of(entry)
            self._changed.notify_all()

    def request_sweep(self) -> None:
        """Bring in what only the files know, now that the volume is there."""
        self._sweep_allowed = self._sweep_due = True

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def refused_files(self) -> int:
        """Files that the last sweep had to pass over, for the status board."""
        writer = self._writer
        return writer.refused_files if writer is not None else 0

    def awaits(self, run: str, sequence: int) -> bool:
        """True when the segment is stated already and only waits for the database."""
        with self._changed:
            return any(
                isinstance(entry, ClosedSegment)
                and (entry.header.run, entry.header.sequence) == (run, sequence)
                for entry in self._waiting
            )

    def stop(self, seconds: float) -> None:
        """Commit what can be committed now and end within about `seconds`; the files hold the rest."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        self.join(seconds)

    def run(self) -> None:
        """Until stopped and nothing waits, or stopped and the database does not answer."""
        while True:
            try:
                self._work()
            except Exception as error:
                # Thread boundary: whatever it was, the recorder records on and the index tries again.
                if not isinstance(error, sqlite3.Error | StoreError | OSError):
                    log.exception("index.fault")
                self._failed(error)
                if self._stopping.is_set():
                    return
                continue
            if self._stopping.is_set() and not self._waiting:
                self._close()
                return

    def _work(self) -> None:
        writer = self._open()
        self._commit_waiting(writer)  # first, so that no file the sweep may stumble over holds it up
        if self._sweep_due and not self._stopping.is_set():
            self._sweep_due = False
            began = time.monotonic()
            for _ in self._sweep(writer):
                self._commit_waiting(writer)
                if self._stopping.is_set():
                    break  # the next start goes on with it
                began = self._rest(writer, began)
        self.problem = None
        self._backoff.attempts = 0
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopping.is_set(), 1.0)
        self._commit_waiting(writer)

    def _rest(self, writer: IndexWriter, began: float) -> float:
        """After sweeping that `began` then: leave disk and processor to the recording for as long. Returns
        when the next piece begins."""
        lasted = time.monotonic() - began
        if lasted > _SHORT_WORK_S:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._stopping.is_set(), lasted)
            self._commit_waiting(writer)
            return time.monotonic()
        return began

    def _commit_waiting(self, writer: IndexWriter) -> None:
        while self._waiting:
            entry = self._waiting[0]
            try:
                writer.put(entry)
            except (sqlite3.IntegrityError, OverflowError):  # would fail for ever, and hold up what follows
                log.exception("index.refused", entry=type(entry).__name__)
            with self._changed:
                if self._waiting and self._waiting[0] is entry:
                    self._waiting.popleft()
                    self._waiting_bytes -= _bytes_of(entry)

    def _open(self) -> IndexWriter:
        """Open the database, again when somebody replaced or deleted it under us."""
        if self._writer is not None:
            if self._database.exists() and self._database.stat().st_ino == self._inode:
                return self._writer
            log.error("index.database_replaced", path=str(self._database))
            self._close()
        self._sweep_due = self._sweep_allowed
        self._writer = IndexWriter(Store(self._database), self._clock, self._room)
        self._inode = self._database.stat().st_ino
        return self._writer

    def _failed(self, error: Exception) -> None:
        self._sweep_due = self._sweep_allowed
        self.problem = f"{type(error).__name__}: {error}"
        self._close()
        pause = self._backoff.failed()
        log.warning(
            "index.behind", reason=self.problem, waiting=len(self._waiting), retry_in_s=round(pause, 1)
        )
        self._stopping.wait(pause)

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.store.close()
            self._writer = None


def _bytes_of(entry: Entry) -> int:
    fragments = len(entry.hashes.fragments) if isinstance(entry, ClosedSegment) else 0
    return _STATEMENT_BYTES + _FRAGMENT_BYTES * fragments

"""A snapshot a day of what the record log does not hold, beside the footage; the newest seven are kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from agent.archive.worker import Pace
from agent.clock import Clock
from agent.log import get_logger
from agent.store import snapshot
from agent.store.database import Store

INTERVAL_NS = 24 * 3600 * 1_000_000_000
KEPT_FILES = 7
LOOK_S = 60.0

_NAME = re.compile(r"^(\d{20})\.sqlite$")

log = get_logger(__name__)


class SnapshotKeeper:
    """The work of the thread that takes snapshots."""

    def __init__(self, folder: Path, check: Callable[[], object], clock: Clock) -> None:
        """`check` raises when the disk of the footage is away."""
        self._folder = folder
        self._check = check
        self._clock = clock
        self._taken_ns: int | None = None
        self.newest_us: int | None = None
        """When the newest was taken; None until one is known. For the board."""

    def work(self, store: Store, pace: Pace) -> float:
        """Take one at the start and then each day by the monotonic clock, whatever the wall clock says."""
        self._check()
        now = self._clock.now()
        self.newest_us = max(found, default=(0, None))[1] if (found := self._found()) else None
        if self._taken_ns is not None and now.monotonic_ns - self._taken_ns < INTERVAL_NS:
            return LOOK_S
        self._folder.mkdir(mode=0o700, exist_ok=True)
        number = max((number for number, _ in self._found()), default=0) + 1
        target = self._folder / f"{number:08d}{now.wall_us // 1_000_000:012d}.sqlite"
        snapshot.take(store.path, target, now.wall_us)
        self._taken_ns = now.monotonic_ns
        self.newest_us = now.wall_us
        log.info("snapshot.taken", file=target.name)
        pace.beat()
        for _, path in sorted(snapshot_files(self._folder))[:-KEPT_FILES]:
            path.unlink()
        return LOOK_S

    def _found(self) -> list[tuple[int, int]]:
        return [(number, _seconds_of(path) * 1_000_000) for number, path in snapshot_files(self._folder)]


def snapshot_files(folder: Path) -> list[tuple[int, Path]]:
    """(running number, file) of every snapshot in `folder`, oldest first. Numbered, because the clock of a
    device without a network may go back. OSError."""
    if not folder.is_dir():
        return []
    found = [(match, entry) for entry in folder.iterdir() if (match := _NAME.match(entry.name))]
    return sorted((int(match[1][:8]), entry) for match, entry in found)


def taken_at(path: Path) -> datetime:
    """When a snapshot was taken, by its name."""
    return datetime.fromtimestamp(_seconds_of(path), UTC)


def _seconds_of(path: Path) -> int:
    return int(path.name[8:20])

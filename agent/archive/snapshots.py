"""A snapshot a day of what the record log does not hold, beside the footage; those of seven days are kept."""

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
        if snapshot.is_blank(store) and self._has_good_one():
            return LOOK_S  # made anew after a loss: as the newest snapshot it would be what is put back
        self._folder.mkdir(mode=0o700, exist_ok=True)
        number = max((number for number, _ in self._found()), default=0) + 1
        target = self._folder / f"{number:08d}{now.wall_us // 1_000_000:012d}.sqlite"
        snapshot.take(store.path, target, now.wall_us)
        self._taken_ns = now.monotonic_ns
        self.newest_us = now.wall_us
        log.info("snapshot.taken", file=target.name)
        pace.beat()
        for path in _superseded(self._folder):
            path.unlink()
        return LOOK_S

    def _has_good_one(self) -> bool:
        """Whether the newest snapshot holds more than a database that was just made; one that cannot be read
        may."""
        files = snapshot_files(self._folder)
        if not files:
            return False
        try:
            rows = snapshot.read(files[-1][1]).rows
        except snapshot.SnapshotError:
            return True
        return any(rows[table] for table in snapshot.TOLD_BY)

    def _found(self) -> list[tuple[int, int]]:
        return [(number, _seconds_of(path) * 1_000_000) for number, path in snapshot_files(self._folder)]


def _superseded(folder: Path) -> list[Path]:
    """All but the newest seven, and the newest of each of the last seven days that have one: a device that
    starts ten times a day after a loss must not push out the days before it."""
    newest_of: dict[int, Path] = {}
    files = [path for _, path in reversed(snapshot_files(folder))]
    for path in files:
        newest_of.setdefault(_seconds_of(path) // 86_400, path)
    kept = {*files[:KEPT_FILES], *list(newest_of.values())[:KEPT_FILES]}
    return [path for path in files if path not in kept]


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

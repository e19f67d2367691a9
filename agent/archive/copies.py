"""Second copies of the footage (R8): every closed segment, oldest first, to each configured place.

A row says that a copy exists only after the file was read back from the copy's disk with the hash of its
record. A copy that was interrupted at any instant goes on where the rows end; a file that stands there
without a row is read and believed by its hash alone.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agent.archive.bucket import TokenBucket
from agent.archive.stated import stated_hashes
from agent.archive.target import check_inside, check_room, check_target, check_video
from agent.archive.transfer import ReadBackError, SourceDamagedError, hash_from_disk, holds, transfer
from agent.archive.worker import ArchiveError, Pace
from agent.clock import Clock
from agent.log import get_logger
from agent.recording.scan import NotASegmentError, scan_segment
from agent.settings import CopySettings, Storage
from agent.store import copies
from agent.store.database import Row, Store

BATCH = 50
IDLE_S = 5.0
DAMAGED_PAUSE_S = 5.0
"""After a damaged source: a disk that dies must not write a record for each of its files at once."""
ROUND_S = 300.0
LONGEST_FILE = 2 << 30
"""Bytes that no segment reaches: what is longer in a copy was put there to be read for ever."""
RATE_WINDOW_S = 120.0

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a copy has come, for board, page and command."""

    totals: copies.Totals
    rate: float
    """Bytes of footage a second, over the last two minutes of copying."""
    oldest_us: int | None
    """End of the oldest segment that is not copied, UTC microseconds; None when all are."""
    volume: str

    @property
    def left_s(self) -> float | None:
        """Seconds until all is copied at this rate; None without a rate."""
        left = self.totals.bytes - self.totals.copied_bytes
        return left / self.rate if self.rate > 0 else None

    def as_detail(self) -> Mapping[str, Any]:
        return {
            "segments": self.totals.segments,
            "bytes": self.totals.bytes,
            "copied_segments": self.totals.copied_segments,
            "copied_bytes": self.totals.copied_bytes,
            "bytes_per_second": round(self.rate),
            "left_s": None if self.left_s is None else round(self.left_s),
            "oldest_uncopied_us": self.oldest_us,
            "volume": self.volume,
        }


class Metered:
    """Counts what is moved for one pace and one bucket, and waits where that is too much."""

    def __init__(self, pace: Pace, bucket: TokenBucket) -> None:
        self._pace = pace
        self._bucket = bucket

    def __call__(self, amount: int) -> None:
        self._pace.beat()
        wait = self._bucket.take(amount)
        if wait > 0:
            self._pace.wait(wait)


class Copier:
    """The work of one copy's thread."""

    def __init__(self, copy: CopySettings, storage: Storage, clock: Clock, bucket: TokenBucket) -> None:
        self._copy = copy
        self._storage = storage
        self._clock = clock
        self._bucket = bucket
        self._after_us = 0
        """Everything that begins before this was looked at in this round."""
        self._round_began = float("-inf")
        self._differing: set[str] = set()
        """Paths of whole files in the copy with other bytes than ours; each said once."""
        self._moved: deque[tuple[float, float, int]] = deque()
        """(began, ended, bytes) of the segments copied last."""
        self.progress: Progress | None = None
        """None until the first look."""

    def work(self, store: Store, pace: Pace) -> float:
        """Copy up to `BATCH` segments; then state what is due."""
        volume = check_target(self._copy, self._storage.video)
        check_video(self._storage)
        copy = copies.Copy(self._copy.name, self._copy.custodian, volume)
        self._begin_round(store, volume)
        rows = copies.uncopied(store, copy.name, self._after_us, BATCH)
        self._tell_oldest(rows)
        damaged = False
        for row in rows:
            damaged |= not self._copy_one(store, copy, row, pace)
            self._after_us = row["start_us"]
        copies.state_verified(store, self._clock.now(), copy)
        if damaged:
            return DAMAGED_PAUSE_S
        return IDLE_S if len(rows) < BATCH else 0.0

    def _copy_one(self, store: Store, copy: copies.Copy, row: Row, pace: Pace) -> bool:
        """False when our own file is not what its record says; it is stated and copied nowhere."""
        source, target = self._storage.video / row["path"], self._copy.folder / row["path"]
        meter = Metered(pace, self._bucket)
        check_inside(self._copy.folder, target)
        began = time.monotonic()
        if not holds(target, row["sha256"], row["bytes"], meter):
            if self._must_stay(store, copy, row, target, pace):
                return True
            check_room(self._copy, row["bytes"])
            try:
                self._transfer(source, target, row["sha256"], meter)
            except SourceDamagedError as error:
                check_video(self._storage)  # not damaged but away: its disk went in the middle of it
                if is_expired(store, row):
                    return True
                log.error("copy.source_damaged", run=row["run_id"], sequence=row["sequence"])  # noqa: TRY400
                copies.source_is_damaged(store, self._clock.now(), row, error.found)
                return False
        if check_target(self._copy, self._storage.video) != copy.volume:
            return True  # the disk was exchanged under us: the next round sees what this one has
        copies.put_verified(store, self._clock.now(), copy, row["run_id"], row["sequence"])
        self._note(began, row["bytes"])
        return True

    def _must_stay(self, store: Store, copy: copies.Copy, row: Row, target: Path, pace: Pace) -> bool:
        """Whether other bytes that the copy has under this name must not be written over. Whoever alters a
        file here and deletes the database makes the index say the altered bytes; the copy may be the last
        that has the true ones. It stays when an earlier record names its bytes, or its own seals hold."""
        if not target.is_file() or target.is_symlink() or target.stat().st_size > LONGEST_FILE:
            return False
        stated = stated_hashes(store, row["run_id"], row["sequence"], pace.beat)
        if not stated:
            log.warning("copy.waits_for_log", copy=copy.name, path=row["path"])
            return True
        there = _hash(target, Metered(pace, self._bucket))
        if stated[0] != row["sha256"] and there in stated:
            copies.source_is_damaged(store, self._clock.now(), row, row["sha256"], stated=stated[0])
        elif not _is_whole_segment(target, row):
            return False
        elif row["path"] not in self._differing:
            self._differing.add(row["path"])
            copies.copy_is_damaged(store, self._clock.now(), copy, row, there)
        log.error("copy.left_as_it_is", copy=copy.name, path=row["path"])
        return True

    def _transfer(self, source: Path, target: Path, sha256: bytes, meter: Metered) -> None:
        """Twice at most: the first attempt may have gone on from what an interruption left half written."""
        try:
            transfer(source, target, sha256, meter)
        except ReadBackError:
            log.warning("copy.not_read_back", copy=self._copy.name, path=str(target))
            try:
                transfer(source, target, sha256, meter)
            except ReadBackError as error:
                raise ArchiveError(
                    f"{target} 写入后读回的内容不对：副本的磁盘或电缆有故障，请检查或更换",
                    f"{target}: what was written is read back altered: check the copy's disk and cable",
                ) from error

    def _begin_round(self, store: Store, volume: str) -> None:
        """Every few minutes from the oldest on again, and count: a sweep may bring footage of earlier date.
        In between only what is new is asked for; a look at three years costs seconds of a Pi."""
        now = time.monotonic()
        if self.progress is None or now - self._round_began > ROUND_S or volume != self.progress.volume:
            self._round_began, self._after_us = now, 0
            totals = copies.totals(store, self._copy.name)
            oldest = self.progress.oldest_us if self.progress else None
            self.progress = Progress(totals, self._rate(), oldest, volume)

    def _tell_oldest(self, rows: list[Row]) -> None:
        if self.progress is None:
            raise RuntimeError("no round has begun")
        self.progress = replace(self.progress, oldest_us=rows[0]["end_us"] if rows else None)

    def _note(self, began: float, size: int) -> None:
        now = time.monotonic()
        self._moved.append((began, now, size))
        while self._moved[0][1] < now - RATE_WINDOW_S:
            self._moved.popleft()
        if self.progress is None:
            raise RuntimeError("no round has begun")
        old = self.progress.totals
        segments, done = old.copied_segments + 1, old.copied_bytes + size
        totals = copies.Totals(max(old.segments, segments), max(old.bytes, done), segments, done)
        self.progress = replace(self.progress, totals=totals, rate=self._rate())

    def _rate(self) -> float:
        seconds = sum(ended - began for began, ended, _ in self._moved)
        return sum(size for *_, size in self._moved) / seconds if seconds > 0 else 0.0


def _is_whole_segment(path: Path, row: Row) -> bool:
    """Whether the file is this segment and each of its fragments as its own seal says."""
    try:
        found = scan_segment(path)
    except (NotASegmentError, OSError):
        return False
    is_this = (found.header.run, found.header.sequence) == (row["run_id"], row["sequence"])
    return is_this and len(found.parts) > 1 and not found.torn_bytes and not found.damaged


def _hash(path: Path, meter: Metered) -> bytes | None:
    try:
        return hash_from_disk(path, meter)
    except OSError:
        return None  # a bad place on the copy's disk: it holds nothing better


def is_expired(store: Store, row: Row) -> bool:
    """Whether retention took the segment meanwhile: its file is gone rightly."""
    found = store.row(
        "SELECT expired_us FROM segment WHERE run_id = ? AND sequence = ?", (row["run_id"], row["sequence"])
    )
    return found is None or found["expired_us"] is not None

"""Bringing footage back from a second copy: what is missing or damaged here, nothing that is good (I1)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.archive.target import check_inside
from agent.archive.transfer import Meter, ReadBackError, SourceDamagedError, holds, transfer
from agent.archive.worker import ArchiveError
from agent.clock import Clock
from agent.evidence.record import RecordError, read_record
from agent.store import copies, records
from agent.store.copies import Copy, Segment
from agent.store.database import Store
from agent.store.facts import FactType
from agent.store.retention import LOCAL
from drivers.disk import space

RUN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass
class Report:
    """What became of the segments that were asked for."""

    good: int = 0
    """Whole here before; nothing was touched."""
    restored: int = 0
    restored_bytes: int = 0
    not_in_copy: list[str] = field(default_factory=list)
    """Neither good here nor there at all; paths."""
    damaged_in_copy: list[str] = field(default_factory=list)
    """Neither good here nor in the copy."""


class Restorer:
    """Restores segments from one copy into the video folder."""

    def __init__(
        self, store: Store, clock: Clock, video: Path, copy: Copy, folder: Path, *, minimum_free: int
    ) -> None:
        """`minimum_free` bytes stay free for the recording that goes on."""
        self._store = store
        self._clock = clock
        self._video = video
        self._copy = copy
        self._folder = folder
        self._minimum_free = minimum_free
        self._unstated: list[Segment] = []
        self.report = Report()

    def restore(self, segments: Sequence[Segment], meter: Meter, done: Callable[[Segment], None]) -> Report:
        """Look at each of `segments` and bring back what is not whole here; `done` is told of each.

        ArchiveError when there is no room; OSError. What was restored until then is stated and stays.
        """
        (self._video / "segments").mkdir(exist_ok=True)
        try:
            for segment in segments:
                self._restore_one(segment, meter)
                done(segment)
                if len(self._unstated) == copies.FACT_SEGMENTS:
                    self._state()
        finally:
            self._state()
        return self.report

    def _restore_one(self, segment: Segment, meter: Meter) -> None:
        here = self._video / segment["path"]
        check_inside(self._video, here)
        if self._is_good(here, segment, meter):
            self.report.good += 1
            return
        there = self._folder / segment["path"]
        if not there.is_file():
            self.report.not_in_copy.append(segment["path"])
            return
        self._check_room(segment["bytes"])
        try:
            transfer(there, here, segment["sha256"], meter)
        except (SourceDamagedError, ReadBackError):
            self.report.damaged_in_copy.append(segment["path"])
            return
        self._unstated.append(segment)
        self.report.restored += 1
        self.report.restored_bytes += segment["bytes"]

    def _is_good(self, here: Path, segment: Segment, meter: Meter) -> bool:
        try:
            return holds(here, segment["sha256"], segment["bytes"], meter)
        except OSError:  # a bad place on the disk: this file is what is to be replaced
            return False

    def _check_room(self, needed: int) -> None:
        free = space(self._video).free_bytes
        if free < needed + self._minimum_free:
            raise ArchiveError(
                f"录像磁盘只剩 {free >> 20} MiB，恢复会挤占正在进行的录像：请换更大的磁盘",
                f"only {free >> 20} MiB left on the video disk: restoring would take the room of the "
                "recording that goes on; attach a larger disk",
            )

    def _state(self) -> None:
        if self._unstated:
            copies.restored(self._store, self._clock.now(), self._copy, self._unstated)
            self._unstated = []


def everything(store: Store) -> list[Segment]:
    """Every segment of the index, and those that only the record log names: after a disk and a database were
    lost together, the log is all that says what there was."""
    found: list[Segment] = [dict(row) for row in copies.all_segments(store)]
    known = {(row["run_id"], row["sequence"]) for row in store.rows("SELECT run_id, sequence FROM segment")}
    return [*found, *(segment for segment in _of_log(store) if _key(segment) not in known)]


def known_damage(store: Store, video: Path) -> list[Segment]:
    """Segments whose damage was stated, and those whose file is missing; no file is read."""
    damaged = copies.damaged(store)
    return [
        segment
        for segment in everything(store)
        if _key(segment) in damaged or not (video / segment["path"]).is_file()
    ]


def _of_log(store: Store) -> Iterator[Segment]:
    seen = _retired(store)
    for record in records.of_type_read(store, FactType.SEGMENT_CLOSED):
        try:
            data = read_record(record.jws, None).event.data
            segment: dict[str, Any] = {
                "run_id": str(data.fact["run"]),
                "sequence": int(data.fact["sequence"]),
                "bytes": int(data.fact["bytes"]),
                "sha256": bytes.fromhex(data.fact["sha256"]),
                "start_us": int(data.fact["start_us"]),
                "simulated": data.simulated,
            }
        except (RecordError, KeyError, ValueError, TypeError):
            continue  # an altered record names nothing; `verify` names it
        if RUN.fullmatch(segment["run_id"]) and _key(segment) not in seen:  # becomes a path (I12)
            seen.add(_key(segment))
            yield {**segment, "path": f"segments/{segment['run_id']}/{segment['sequence']:06d}.mp4"}


def _retired(store: Store) -> set[tuple[str, int]]:
    """Segments whose file retention removed here by a record: a copy may have them for longer, and an index
    that was rebuilt from the files no longer knows."""
    found: set[tuple[str, int]] = set()
    for record in records.of_type_read(store, FactType.SEGMENT_EXPIRED):
        try:
            fact = read_record(record.jws, None).event.data.fact
            if fact["copy"] == LOCAL:
                found.add((str(fact["run"]), int(fact["sequence"])))
        except (RecordError, KeyError, ValueError, TypeError):
            continue
    return found


def _key(segment: Segment) -> tuple[str, int]:
    return segment["run_id"], segment["sequence"]

"""The archive's part that keeps second copies, log copies and snapshots going, each in its own thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from agent.archive.bucket import TokenBucket
from agent.archive.copies import Copier
from agent.archive.log_copies import LogCopier
from agent.archive.part import Word
from agent.archive.scrub import CopiedFiles, OwnFiles, Scrub, ScrubPlace
from agent.archive.snapshots import SnapshotKeeper
from agent.archive.target import check_target
from agent.archive.worker import Worker
from agent.clock import Stamp
from agent.role import RoleContext, State
from agent.settings import OWN_LOG_COPY, CopySettings
from agent.store import copies
from agent.store.database import Store
from drivers.cameras.backoff import Backoff
from drivers.disk import check_volume

LATE_US = 24 * 3_600_000_000
"""A copy that lags by more than a day is said, though it goes on by itself."""
_ORDER: tuple[State, ...] = ("running", "starting", "waiting", "fault")


@dataclass(frozen=True, slots=True)
class _Duty:
    """One thread and what the board shows of its work."""

    worker: Worker
    detail: Callable[[], Mapping[str, Any]]


class SecondCopies:
    """A part of the archive. Its threads start with the first step."""

    name = "copies"

    def __init__(self, context: RoleContext) -> None:
        self._settings = context.settings
        self._copiers: dict[str, Copier] = {}
        self._duties: dict[str, _Duty] = {}
        self._add_own(context)
        self._add_scrub(context, OwnFiles(context.settings, context.clock))
        for copy in context.settings.copies:
            self._add(context, copy)
            self._add_scrub(context, CopiedFiles(context.settings, copy, context.clock))
        self._started = False

    def step(self, store: Store, stamp: Stamp) -> Word:
        if not self._started:
            self._started = True
            for duty in self._duties.values():
                duty.worker.start()
        words = {name: duty.worker.word() for name, duty in self._duties.items()}
        for name, copier in self._copiers.items():
            words[name] = _late(words[name], name, copier, stamp)
        words["scrub-own"] = _damaged(words["scrub-own"], len(copies.damaged(store)))
        said = {name: word for name, word in words.items() if word.zh}
        states: list[State] = ["running", *(word.state for word in words.values())]
        detail = {
            name: {"state": words[name].state, "zh": words[name].zh, "en": words[name].en, **duty.detail()}
            for name, duty in self._duties.items()
        }
        return Word(
            max(states, key=_ORDER.index),
            "；".join(word.zh for word in said.values()),
            "; ".join(word.en for word in said.values()),
            detail,
        )

    def close(self) -> None:
        """Stop the threads; one that hangs in a dead folder is left behind."""
        for duty in self._duties.values():
            duty.worker.stop(seconds=0)
        for duty in self._duties.values():
            duty.worker.stop(seconds=2.0)

    def _add_own(self, context: RoleContext) -> None:
        """The log beside the footage, and the snapshots of what the log does not hold."""
        video = context.settings.storage.video

        def check() -> None:
            if context.settings.storage.require_volume_marker:
                check_volume(video)

        self._add_log(context, LogCopier(OWN_LOG_COPY, video, check, context.clock), OWN_LOG_COPY)
        keeper = SnapshotKeeper(context.paths.snapshots, check, context.clock)
        worker = Worker("snapshots", context.paths.database, keeper, video)
        self._duties["snapshots"] = _Duty(worker, lambda: {"newest_us": keeper.newest_us})

    def _add(self, context: RoleContext, copy: CopySettings) -> None:
        storage = context.settings.storage
        bucket = TokenBucket(copy.limit_kib_per_second << 10)
        copier = Copier(copy, storage, context.clock, bucket)
        worker = Worker(f"copy-{copy.name}", context.paths.database, copier, copy.folder)

        def detail() -> Mapping[str, Any]:
            progress = copier.progress
            known = progress.as_detail() if progress else {}
            return {"custodian": copy.custodian, "folder": str(copy.folder), **known}

        self._duties[f"copy-{copy.name}"] = _Duty(worker, detail)
        self._copiers[f"copy-{copy.name}"] = copier
        log_copier = LogCopier(
            copy.name, copy.folder, lambda: check_target(copy, storage.video), context.clock
        )
        self._add_log(context, log_copier, copy.name)

    def _add_scrub(self, context: RoleContext, place: ScrubPlace) -> None:
        bucket = TokenBucket(context.settings.storage.scrub_kib_per_second << 10)
        scrub = Scrub(place, context.clock, bucket)
        worker = Worker(f"scrub-{place.name}", context.paths.database, scrub, place.folder)
        self._duties[f"scrub-{place.name}"] = _Duty(worker, scrub.detail)

    def _add_log(self, context: RoleContext, copier: LogCopier, name: str) -> None:
        soon = Backoff(first=1.0, longest=15.0)  # what this copy lacks when the database is lost is a fork
        database = context.paths.database
        worker = Worker(f"log-{name}", database, copier, copier.folder, backoff=soon, once_more=True)
        self._duties[f"log-{name}"] = _Duty(worker, lambda: {"last": copier.last})


def _damaged(word: Word, count: int) -> Word:
    """Files of our own that no copy made good so far."""
    if word.zh or not count:
        return word
    return Word(
        "fault",
        f"{count} 个录像文件已损坏或丢失：查硬盘；有副本时用 copies restore 名称 --damaged 恢复",
        f"{count} files of footage are damaged or gone: check the disk; where there is a copy, "
        "`copies restore NAME --damaged` brings them back",
    )


def _late(word: Word, name: str, copier: Copier, stamp: Stamp) -> Word:
    progress = copier.progress
    if word.zh or progress is None or progress.oldest_us is None:
        return word
    late_us = stamp.wall_us - progress.oldest_us
    if late_us < LATE_US:
        return word
    days = late_us / LATE_US
    return Word(
        "waiting",
        f"{name} 落后 {days:.1f} 天，正在赶上",
        f"{name} is {days:.1f} days behind and catching up",
    )

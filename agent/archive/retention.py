"""Retention, step by step: watch the clock, walk over all footage once an hour, expire what is due (R8, I8).

Deletion is the conclusion of conditions that know nothing of one another: a clock that was right for long
enough (`clock_trust`), the years of policy and HR after the end of every class that the footage can be of
(`entitlement`), no hold, everything stated and confirmed (R9), the right disk, and at last the file's own
header (`removal`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from agent.archive import removal
from agent.archive.checkin_retention import expire_check_ins
from agent.archive.clock_sight import look, watch_clock
from agent.archive.clock_trust import Sight
from agent.archive.face_retention import expire_faces
from agent.archive.frame_retention import expire_verdict_frames
from agent.archive.part import Word
from agent.archive.retention_walk import Walk, roots_of
from agent.archive.worker import Worker
from agent.clock import Stamp
from agent.configuration.document import ConfigurationError
from agent.evidence import log_holds
from agent.log import get_logger
from agent.paths import Paths
from agent.policy import Policies, PolicyError, load_policies
from agent.settings import Settings
from agent.store.clock import Vouch, vouch
from agent.store.database import Store
from agent.store.vault import Vault, VaultError
from drivers.disk import DiskError

WALK_NS = 3_600_000_000_000
LOOK_NS = 60_000_000_000
"""What was seen of the clock is written down so often: a synced write of one row."""


log = get_logger(__name__)


class Retention:
    """The archive's part: one small step a second."""

    name = "retention"

    def __init__(self, settings: Settings, paths: Paths, *, policies: Policies | None = None) -> None:
        """`policies`: the device's own when left out, read at each walk."""
        self._settings = settings
        self._paths = paths
        self._policies = policies
        self._vault = Vault(paths.keys)
        self._walk: Walk | None = None
        self._walked_ns: int | None = None
        self._looked_ns: int | None = None
        self._sight = Sight(None, "not_vouched")
        self._trouble: Word | None = None
        self._expired = 0
        self._removers = {
            copy: removal.Remover(copy, root) for copy, root in roots_of(settings, paths).items()
        }
        self._workers: list[Worker] = []

    def step(self, store: Store, stamp: Stamp) -> Word:
        """Look at the clock, walk a piece, let the threads remove what is decided."""
        self._start_workers()
        if self._looked_ns is None or stamp.monotonic_ns - self._looked_ns >= LOOK_NS:
            self._sight = watch_clock(store, stamp)
            self._looked_ns = stamp.monotonic_ns
        else:
            self._sight = look(store, stamp)
        try:
            self._go_on(store, stamp)
        except (ConfigurationError, PolicyError, VaultError) as error:
            self._end_walk(stamp, Word("fault", f"到期清理暂停：{error}", f"nothing expires: {error}"))
        except DiskError as error:
            self._end_walk(stamp, Word("running", "", "", {"disk": str(error)}))
        return self._word(store)

    def _go_on(self, store: Store, stamp: Stamp) -> None:
        if self._walk is None:
            if self._walked_ns is not None and stamp.monotonic_ns - self._walked_ns < WALK_NS:
                return
            policies = self._policies or load_policies()
            _reinstate_holds(store)
            self._walk = Walk(self._settings, self._paths, policies)
        walk, word = self._walk, vouch(store, stamp)
        may_act = self._sight.vouch is not None
        walk.step(store, stamp, word, may_act=may_act)
        if walk.is_over:
            self._expired += walk.expired
            if may_act and word is not None and self._expire_check_ins(store, stamp, word, walk.policies):
                return  # the next step goes on with them
            self._end_walk(stamp, None)

    def _expire_check_ins(self, store: Store, stamp: Stamp, word: Vouch, policies: Policies) -> int:
        simulated = self._settings.simulated
        done = expire_verdict_frames(store, stamp, word, policies, simulated=simulated)
        done += expire_check_ins(store, self._vault, stamp, word, policies, simulated=simulated)
        return done + expire_faces(store, self._vault, stamp, word, policies, simulated=simulated)

    def _end_walk(self, stamp: Stamp, trouble: Word | None) -> None:
        self._walk, self._walked_ns, self._trouble = None, stamp.monotonic_ns, trouble

    def _start_workers(self) -> None:
        if self._workers:
            return
        for copy, remover in self._removers.items():
            root = roots_of(self._settings, self._paths)[copy]
            worker = Worker(f"remove-{copy}", self._paths.database, remover, root)
            worker.start()
            self._workers.append(worker)

    def _word(self, store: Store) -> Word:
        detail: dict[str, Any] = {
            "expired": self._expired,
            "doubt": self._sight.doubt,
            "hours_missing": round(self._sight.missing_ns / 3.6e12, 1),
        }
        for worker in self._workers:
            said = worker.word()
            if said.zh:
                return replace(said, detail=detail)
        if self._trouble is not None:
            return replace(self._trouble, detail={**detail, **self._trouble.detail})
        problems = [problem for remover in self._removers.values() for problem in remover.problems.values()]
        if problems:
            text = f"{len(problems)} 个到期文件删不掉：{problems[0]}"
            english = f"{len(problems)} expired files cannot be removed: {problems[0]}"
            return Word("fault", text, english, detail)
        return Word(detail=detail)

    def close(self) -> None:
        for worker in self._workers:
            worker.stop()


def _reinstate_holds(store: Store) -> None:
    if not log_holds.told_holds(store):
        return  # asked each hour: without the write lock
    with store.transaction():
        for class_id in log_holds.reinstate(store).on_hold:
            log.warning("retention.hold-reinstated", class_id=class_id)

"""Retention at a person's word: the same walk and the same conditions as each hour, at once."""

from __future__ import annotations

from dataclasses import dataclass, field

from agent.archive.checkin_retention import expire_check_ins
from agent.archive.clock_sight import look
from agent.archive.face_retention import expire_faces
from agent.archive.removal import Remover
from agent.archive.retention_walk import Walk, roots_of
from agent.clock import Clock
from agent.settings import Settings
from agent.store import files_to_remove
from agent.store.clock import vouch
from agent.store.database import Store
from agent.store.vault import Vault


@dataclass
class Done:
    """What was done. `problems`: path → why a file is still there."""

    expired: int = 0
    removed: int = 0
    problems: dict[str, str] = field(default_factory=dict)


class _Unhurried:
    """A pace without an end: the person waits."""

    def beat(self) -> None: ...

    def wait(self, seconds: float) -> None: ...


def expire_all(store: Store, settings: Settings, walk: Walk, clock: Clock) -> Done:
    """Expire everything that is due and remove its files. DiskError when the disk of the footage is away."""
    done, paths = Done(), settings.paths
    while not walk.is_over:
        stamp = clock.now()
        may_act = look(store, stamp).vouch is not None
        walk.step(store, stamp, vouch(store, stamp), may_act=may_act)
    done.expired = walk.expired
    vault, simulated = Vault(paths.keys), settings.simulated
    while True:
        stamp = clock.now()
        word = look(store, stamp).vouch
        if word is None:
            break
        gone = expire_check_ins(store, vault, stamp, word, walk.policies, simulated=simulated)
        if not gone + expire_faces(store, vault, stamp, word, walk.policies, simulated=simulated):
            break
    for copy, root in roots_of(settings, paths).items():
        remover = Remover(copy, root)
        before = files_to_remove.count(store, copy)
        while remover.work(store, _Unhurried()) == 0.0:
            pass
        done.removed += before - files_to_remove.count(store, copy)
        done.problems |= remover.problems
    return done

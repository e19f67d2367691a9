"""The catalogue of disks: which class lies on which, reading a whole disk against the hashes, retiring one.

A disk is known by the uuid of its marker. The archive notes on which disk it saw each segment; taken out and
kept in a cupboard, its segments keep their rows, and it is recognised when it comes back.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from agent import words
from agent.archive.entitlement import Due, Entitlement, Kept
from agent.archive.expiry import judge
from agent.archive.usage import Amount
from agent.clock import Clock, Stamp
from agent.errors import BilingualError
from agent.store import retention as table
from agent.store import volumes
from agent.store.clock import Corrections
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.store.reasons import reason_hmac
from agent.store.volumes import Check, Volume
from drivers.disk import read_marker

SAVE_EVERY = 20
"""Files after which the progress of a reading is written down: an interruption costs at most these."""


class CatalogueError(BilingualError):
    """A disk cannot be read or retired now; `zh` and `en` say why."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A disk with what the index places on it."""

    volume: Volume
    classes: dict[tuple[str, ...], Amount]
    first_us: int | None
    last_us: int | None
    free_us: int | None
    """When the last of it is past its time; None while something is kept without an end, or when empty."""

    @property
    def total(self) -> Amount:
        found = Amount()
        for amount in self.classes.values():
            found.segments += amount.segments
            found.bytes += amount.bytes
            found.seconds += amount.seconds
        return found


def contents(store: Store, rules: Entitlement) -> list[Listed]:
    """Every disk with its contents. Reads the whole index once."""
    by_volume: defaultdict[str, defaultdict[tuple[str, ...], Amount]]
    by_volume = defaultdict(lambda: defaultdict(Amount))
    spans: dict[str, tuple[int, int]] = {}
    ends: dict[str, int | None] = {}
    for held in table.all_segments(store):
        if held.expired_us is not None or held.volume is None:
            continue
        judged = judge(store, rules, held, Corrections.of(store, {held.boot_id}))
        by_volume[held.volume][judged.classes].add(held)
        first, last = spans.get(held.volume, (held.start_us, held.end_us))
        spans[held.volume] = (min(first, held.start_us), max(last, held.end_us))
        end = ends.get(held.volume, 0)
        ends[held.volume] = max(end, judged.due_us) if isinstance(judged, Due) and end is not None else None
    found = []
    for each in volumes.volumes(store):
        first_us, last_us = spans.get(each.id, (None, None))
        found.append(Listed(each, dict(by_volume[each.id]), first_us, last_us, ends.get(each.id)))
    return found


def verify(
    store: Store,
    clock: Clock,
    folder: Path,
    *,
    simulated: bool,
    tell: Callable[[Check, int, str | None], None],
) -> Check:
    """Read every file that the index places on the disk in `folder` and compare its hash; goes on where an
    interrupted reading ended. `tell(progress, bytes read, path at fault or None)` after each file.

    DiskError when the folder holds no marked disk, CatalogueError when the index knows nothing of it.
    """
    volume_id = read_marker(folder).volume
    if volumes.volume(store, volume_id) is None:
        raise CatalogueError(
            f"磁盘 {volume_id} 不在目录里：本机没有在上面录过像",
            f"disk {volume_id} is not in the catalogue: nothing of this device lies on it",
        )
    check = volumes.check_under_way(store, volume_id) or Check(
        volume_id, clock.now().wall_us, *table.START, 0, 0
    )
    unsaved = 0
    for held in _on(store, check):
        is_good = _is_good(folder / held.path, held)
        check = replace(
            check,
            run_id=held.run_id,
            sequence=held.sequence,
            good=check.good + is_good,
            damaged=check.damaged + (not is_good),
        )
        unsaved += 1
        if unsaved == SAVE_EVERY:
            volumes.put_check(store, check)
            unsaved = 0
        tell(check, held.size, None if is_good else held.path)
        if read_marker(folder).volume != volume_id:
            raise CatalogueError("磁盘中途被更换", "the disk was exchanged in the middle of it")
    _done(store, clock.now(), check, simulated=simulated)
    return check


def _on(store: Store, check: Check) -> Iterator[table.Held]:
    after = (check.run_id, check.sequence)
    while found := volumes.on_volume(store, check.volume, after):
        yield from found
        after = found[-1].key


def _is_good(path: Path, held: table.Held) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest() == held.sha256
    except OSError:
        return False


def _done(store: Store, stamp: Stamp, check: Check, *, simulated: bool) -> None:
    with store.transaction():
        volumes.note_seen(store, check.volume, stamp.wall_us)
        volumes.check_done(store, check, stamp.wall_us)
        data = {
            "volume": check.volume,
            "good": check.good,
            "damaged": check.damaged,
            "began_us": check.began_us,
        }
        state_fact(store, stamp, Fact(FactType.VOLUME_VERIFIED, "node", simulated, data))


def retire(
    store: Store,
    stamp: Stamp,
    rules: Entitlement,
    volume_id: str,
    reason: str,
    *,
    lost: bool,
    simulated: bool,
) -> int:
    """HR's word that nothing is on a disk any more; how many of its segments were still to be kept.

    CatalogueError when it is unknown or retired, or holds what must be kept and `lost` does not say that
    it is gone all the same. No file is touched and no segment expires: what was lost stays visible as lost.
    """
    said = words.reason(reason)
    if said is None:
        raise CatalogueError(*words.REASON_WANTED)
    known = volumes.volume(store, volume_id)
    if known is None or known.retired_us is not None:
        raise CatalogueError(
            f"目录里没有这块在用的磁盘：{volume_id[:64]!r}", f"no such disk in use: {volume_id[:64]!r}"
        )
    segments = owed = 0
    for held in table.all_segments(store):
        if held.volume != volume_id or held.expired_us is not None:
            continue
        judged = judge(store, rules, held, Corrections.of(store, {held.boot_id}))
        segments += 1
        owed += isinstance(judged, Kept) or judged.due_us > stamp.wall_us
    if owed and not lost:
        raise CatalogueError(
            f"磁盘上还有 {owed} 段录像在留存期内，不能注销；确已丢失或损坏时加 --lost",
            f"{owed} segments on it must still be kept; a lost or broken disk is retired with --lost",
        )
    with store.transaction():
        volumes.retire(store, volume_id, stamp.wall_us)
        data = {
            "volume": volume_id,
            "segments": segments,
            "within_retention": owed,
            "reason_hmac": reason_hmac(store, said),
        }
        state_fact(store, stamp, Fact(FactType.VOLUME_RETIRED, "node", simulated, data))
    return owed

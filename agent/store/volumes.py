"""Disks that footage lies on: the archive's catalogue. Queries only."""

from __future__ import annotations

from dataclasses import dataclass

from agent.store.database import Store
from agent.store.retention import Held, segments_after


@dataclass(frozen=True, slots=True)
class Volume:
    """A row of `volume`."""

    id: str
    label: str
    place: str
    custodian: str
    first_seen_us: int
    last_seen_us: int
    verified_us: int | None
    damaged: int | None
    retired_us: int | None


def volumes(store: Store) -> list[Volume]:
    """Every disk, the one that was seen last first."""
    rows = store.rows(
        "SELECT id, label, place, custodian, first_seen_us, last_seen_us, verified_us, damaged, retired_us"
        " FROM volume ORDER BY last_seen_us DESC, id"
    )
    return [Volume(*row) for row in rows]


def volume(store: Store, volume_id: str) -> Volume | None:
    """One disk."""
    return next((each for each in volumes(store) if each.id == volume_id), None)


def note_seen(store: Store, volume_id: str, at_us: int) -> None:
    """A disk is here; in the caller's transaction."""
    store.execute(
        "INSERT INTO volume (id, first_seen_us, last_seen_us) VALUES (?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET last_seen_us = max(last_seen_us, excluded.last_seen_us)",
        (volume_id, at_us, at_us),
    )


def describe(store: Store, volume_id: str, *, label: str, place: str, custodian: str) -> None:
    """What is written on the disk, where it is kept and by whom."""
    store.execute(
        "UPDATE volume SET label = ?, place = ?, custodian = ? WHERE id = ?",
        (label, place, custodian, volume_id),
    )


def on_volume(store: Store, volume_id: str, after: tuple[str, int]) -> list[Held]:
    """The next segments that lie on a disk, in the order of their keys; [] at the end. A piece of the whole
    index is read at a time."""
    while chunk := segments_after(store, after, 2000):
        found = [held for held in chunk if held.volume == volume_id and held.expired_us is None]
        if found:
            return found
        after = chunk[-1].key
    return []


@dataclass(frozen=True, slots=True)
class Check:
    """A reading of a disk that is under way."""

    volume: str
    began_us: int
    run_id: str
    sequence: int
    good: int
    damaged: int


def check_under_way(store: Store, volume_id: str) -> Check | None:
    """How far an interrupted reading came."""
    row = store.row(
        "SELECT volume, began_us, run_id, sequence, good, damaged FROM volume_check WHERE volume = ?",
        (volume_id,),
    )
    return None if row is None else Check(*row)


def put_check(store: Store, check: Check) -> None:
    """Remember how far a reading came."""
    store.execute(
        "INSERT OR REPLACE INTO volume_check (volume, began_us, run_id, sequence, good, damaged)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (check.volume, check.began_us, check.run_id, check.sequence, check.good, check.damaged),
    )


def check_done(store: Store, check: Check, at_us: int) -> None:
    """A reading came to its end; in the caller's transaction."""
    store.execute("DELETE FROM volume_check WHERE volume = ?", (check.volume,))
    store.execute(
        "UPDATE volume SET verified_us = ?, damaged = ? WHERE id = ?", (at_us, check.damaged, check.volume)
    )


def retire(store: Store, volume_id: str, at_us: int) -> None:
    """Nothing is on a disk any more; in the caller's transaction."""
    store.execute("UPDATE volume SET retired_us = ? WHERE id = ?", (at_us, volume_id))

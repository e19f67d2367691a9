"""Footage as retention sees it: every segment with its run, its copies, and the end of its retention.

Queries only; which footage may go is judged by `agent.archive.entitlement` and carried out by
`agent.archive.expiry`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agent.clock import ClockState
from agent.store import files_to_remove
from agent.store.database import Row, Store

LOCAL = "local"
"""The device's own copy, where copies are named; its custodian is the institution."""


CHUNK = 500
"""Segments that one step looks at: a step lasts well under a second on a Pi."""


@dataclass(frozen=True, slots=True)
class Held:
    """A segment as retention sees it. Everything but its bytes."""

    run_id: str
    sequence: int
    path: str
    start_us: int
    end_us: int
    monotonic_start_ns: int
    clock_state: ClockState
    size: int
    sha256: bytes
    stated_us: int
    volume: str | None
    not_before_us: int | None
    not_after_us: int | None
    expired_us: int | None
    room: str
    boot_id: str
    camera: str
    simulated: bool

    @property
    def key(self) -> tuple[str, int]:
        return self.run_id, self.sequence


_HELD = (
    "s.run_id, s.sequence, s.path, s.start_us, s.end_us, s.monotonic_start_ns, s.clock_state,"
    " s.bytes AS size, s.sha256, s.stated_us, s.volume, s.not_before_us, s.not_after_us, s.expired_us,"
    " r.room, r.boot_id, r.camera, r.simulated FROM segment s JOIN run r ON r.id = s.run_id"
)
START = ("", -1)
"""Before every segment."""


def _held(row: Row) -> Held:
    return Held(**{**dict(row), "simulated": bool(row["simulated"])})


def segments_after(store: Store, after: tuple[str, int], limit: int = CHUNK) -> list[Held]:
    """The next segments in the order of their keys, expired ones included."""
    rows = store.rows(
        f"SELECT {_HELD} WHERE (s.run_id, s.sequence) > (?, ?) ORDER BY s.run_id, s.sequence LIMIT ?",
        (*after, limit),
    )
    return [_held(row) for row in rows]


def all_segments(store: Store) -> Iterator[Held]:
    """Every segment, read in pieces."""
    after = START
    while chunk := segments_after(store, after):
        yield from chunk
        after = chunk[-1].key


def segment(store: Store, key: tuple[str, int]) -> Held | None:
    """One segment as it stands now."""
    row = store.row(f"SELECT {_HELD} WHERE s.run_id = ? AND s.sequence = ?", key)
    return None if row is None else _held(row)


def segment_by_path(store: Store, path: str) -> Held | None:
    """The segment whose file lies at `path`, relative to the video folder."""
    row = store.row(f"SELECT {_HELD} WHERE s.path = ?", (path,))
    return None if row is None else _held(row)


@dataclass(frozen=True, slots=True)
class HeldCopy:
    """A segment's file in another place."""

    copy: str
    run_id: str
    sequence: int
    volume: str | None


def copies_of(store: Store, copy: str, key: tuple[str, int]) -> HeldCopy | None:
    """The file of `key` in a copy while its retention runs."""
    row = store.row(
        "SELECT volume FROM segment_copy WHERE copy = ? AND run_id = ? AND sequence = ?"
        " AND expired_us IS NULL",
        (copy, *key),
    )
    return None if row is None else HeldCopy(copy, *key, row["volume"] or None)


def copy_keys(store: Store, copy: str, first: tuple[str, int], last: tuple[str, int]) -> set[tuple[str, int]]:
    """Of the segments from `first` to `last`, those that a copy holds."""
    rows = store.rows(
        "SELECT run_id, sequence FROM segment_copy WHERE copy = ? AND (run_id, sequence) >= (?, ?)"
        " AND (run_id, sequence) <= (?, ?) AND expired_us IS NULL",
        (copy, *first, *last),
    )
    return {(row["run_id"], row["sequence"]) for row in rows}


def copy_names(store: Store) -> list[str]:
    """Every copy that was ever made, those included that the settings no longer name."""
    return [row[0] for row in store.rows("SELECT DISTINCT copy FROM segment_copy ORDER BY copy")]


def set_expired(store: Store, copy: str, held: Held, at_us: int) -> None:
    """Note in the caller's transaction that a copy's retention is over and its file is to go."""
    if copy == LOCAL:
        store.execute(
            "UPDATE segment SET expired_us = ? WHERE run_id = ? AND sequence = ?", (at_us, *held.key)
        )
    else:
        store.execute(
            "UPDATE segment_copy SET expired_us = ? WHERE copy = ? AND run_id = ? AND sequence = ?",
            (at_us, copy, *held.key),
        )
    files_to_remove.put(store, copy, held.path, at_us)


def removal_due(store: Store, copy: str, held: Held) -> bool:
    """The index's last word before a file goes: this copy's retention is over, and stated so."""
    if copy == LOCAL:
        return held.expired_us is not None
    row = store.row(
        "SELECT expired_us FROM segment_copy WHERE copy = ? AND run_id = ? AND sequence = ?",
        (copy, *held.key),
    )
    return row is not None and row["expired_us"] is not None


def note_sight(
    store: Store, held: Held, volume: str | None, bounds_us: tuple[int | None, int] | None
) -> None:
    """Note on which disk a segment's file was seen, and between which true times it was recorded."""
    not_before_us, not_after_us = bounds_us or (held.not_before_us, held.not_after_us)
    store.execute(
        "UPDATE segment SET volume = ?, not_before_us = ?, not_after_us = ?"
        " WHERE run_id = ? AND sequence = ?",
        (volume, not_before_us, not_after_us, *held.key),
    )

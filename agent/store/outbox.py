"""The record log as outbox: where each destination's cursor stands, and what its receipts move (I5).

A cursor moves on receipts alone. Everything here may be repeated, in any order, with the same end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agent.store.database import Row, Store

AHEAD_LIMIT = 10_000
"""Single receipts kept beyond the cursor. A range further ahead is forgotten: its records are sent again
and receipted again when the cursor comes near, so nothing is lost and the table stays small."""
STAMPS = 1000
"""Statements of a receiver's backlog whose times are compared: some days of a node."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a destination is."""

    receipted_through: int
    """Every record up to this sequence has its receipt; 0 at first."""
    last_receipt_us: int | None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record on its way: `kind` without prefix, `jws` exactly as signed and stored."""

    sequence: int
    kind: str
    sha256: bytes
    jws: bytes


def ensure_destination(store: Store, name: str) -> None:
    """Give `name` a cursor at the log's beginning unless it has one."""
    store.execute("INSERT INTO destination (name) VALUES (?) ON CONFLICT DO NOTHING", (name,))


def cursor(store: Store, name: str) -> Cursor:
    """The cursor of `name`; at the beginning when it is new."""
    row = store.row("SELECT receipted_through, last_receipt_us FROM destination WHERE name = ?", (name,))
    return Cursor(0, None) if row is None else Cursor(row["receipted_through"], row["last_receipt_us"])


def head_sequence(store: Store) -> int:
    """Sequence of the last record, 0 for an empty log."""
    return store.number("SELECT coalesce(max(sequence), 0) FROM record")


def unreceipted(store: Store, name: str, after: int, limit: int) -> list[Outgoing]:
    """Records beyond `after` without a receipt of `name`, in order, at most `limit`."""
    rows = store.rows(
        "SELECT sequence, type, sha256, jws FROM record WHERE sequence > ? AND NOT EXISTS"
        " (SELECT 1 FROM receipt_ahead WHERE destination = ? AND receipt_ahead.sequence = record.sequence)"
        " ORDER BY sequence LIMIT ?",
        (after, name, limit),
    )
    return [_outgoing(row) for row in rows]


def of_kinds(store: Store, kinds: Sequence[str], after: int) -> list[Outgoing]:
    """Records beyond `after` whose kind is one of `kinds`, in order; for rare kinds."""
    found: list[Outgoing] = []
    for kind in kinds:
        rows = store.rows(
            "SELECT sequence, type, sha256, jws FROM record WHERE type = ? AND sequence > ?"
            " ORDER BY sequence",
            (kind, after),
        )
        found += [_outgoing(row) for row in rows]
    return sorted(found, key=lambda outgoing: outgoing.sequence)


def unreported_since_us(store: Store, destinations: list[str]) -> int | None:
    """When the oldest fact or record was made that is not yet signed, or that some receiver has not yet
    confirmed (R9); None when all are. The earliest of the first `STAMPS` that wait: one that was stamped
    under a wrong clock must not speak for those behind it."""
    found = [
        store.row(
            "SELECT min(at_us) FROM (SELECT at_us FROM fact"
            " WHERE id > (SELECT coalesce(max(fact_id), 0) FROM record) ORDER BY id LIMIT ?)",
            (STAMPS,),
        )
    ]
    for name in destinations:
        cursor = store.row("SELECT receipted_through FROM destination WHERE name = ?", (name,))
        found.append(
            store.row(
                "SELECT min(time_us) FROM"
                " (SELECT time_us FROM record WHERE sequence > ? ORDER BY sequence LIMIT ?)",
                (0 if cursor is None else cursor[0], STAMPS),
            )
        )
    return min((row[0] for row in found if row is not None and row[0] is not None), default=None)


def receive(store: Store, name: str, ranges: Sequence[tuple[int, int]], received_us: int) -> int:
    """Take receipts for the inclusive `ranges`, which the caller has held against the log's head.

    Part of the caller's transaction. Idempotent, in any order. Returns the cursor afterwards.
    """
    through = cursor(store, name).receipted_through
    for first, last in sorted(ranges):
        if first <= through + 1:
            through = max(through, last)
            continue
        bound = min(last, through + AHEAD_LIMIT)
        store.database.conn.executemany(
            "INSERT INTO receipt_ahead (destination, sequence) VALUES (?, ?) ON CONFLICT DO NOTHING",
            ((name, sequence) for sequence in range(first, bound + 1)),
        )
    through = _absorb(store, name, through)
    store.execute(
        "UPDATE destination SET receipted_through = ?, last_receipt_us = ? WHERE name = ?",
        (through, received_us, name),
    )
    return through


def _absorb(store: Store, name: str, through: int) -> int:
    """Move the cursor over single receipts that now join it, and drop those it has passed."""
    rows = store.rows(
        "SELECT sequence FROM receipt_ahead WHERE destination = ? AND sequence > ? ORDER BY sequence",
        (name, through),
    )
    for row in rows:
        if row["sequence"] != through + 1:
            break
        through = row["sequence"]
    store.execute("DELETE FROM receipt_ahead WHERE destination = ? AND sequence <= ?", (name, through))
    return through


def add_verdict(store: Store, name: str, sequence: int, code: str, detail: str, received_us: int) -> bool:
    """Note that `name` stored record `sequence` but judged it bad; False when that was known."""
    made = store.execute(
        "INSERT INTO receipt_verdict (destination, sequence, code, detail, received_us)"
        " VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (name, sequence, code, detail, received_us),
    )
    return made.rowcount == 1


def withdraw_verdict(store: Store, name: str, sequence: int, code: str) -> None:
    """`name` takes its verdict `code` on record `sequence` back."""
    store.execute(
        "DELETE FROM receipt_verdict WHERE destination = ? AND sequence = ? AND code = ?",
        (name, sequence, code),
    )


def verdict_count(store: Store, name: str) -> int:
    """How many records `name` judges bad."""
    return store.number("SELECT count(DISTINCT sequence) FROM receipt_verdict WHERE destination = ?", (name,))


def forget_beyond(store: Store, last: int) -> None:
    """Let no receipt count for a record beyond `last`; part of the caller's transaction. After the log was
    taken back from its copies these numbers are given again, to other records."""
    store.execute("UPDATE destination SET receipted_through = min(receipted_through, ?)", (last,))
    store.execute("DELETE FROM receipt_ahead WHERE sequence > ?", (last,))


def record_at(store: Store, sequence: int) -> Outgoing | None:
    """The record of that sequence."""
    row = store.row("SELECT sequence, type, sha256, jws FROM record WHERE sequence = ?", (sequence,))
    return None if row is None else _outgoing(row)


def add_cosignature(
    store: Store, name: str, seal_sequence: int, receipt_jws: bytes, received_us: int
) -> None:
    """Keep the receipt that covers a seal; the first one stays."""
    store.execute(
        "INSERT INTO cosignature (destination, seal_sequence, receipt_jws, received_us)"
        " VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (name, seal_sequence, receipt_jws, received_us),
    )


def hashes(store: Store, first: int, last: int) -> Iterator[bytes]:
    """SHA-256 (32 bytes) of records `first`..`last` in order, read in batches."""
    position = first - 1
    while position < last:
        rows = store.rows(
            "SELECT sequence, sha256 FROM record WHERE sequence > ? AND sequence <= ?"
            " ORDER BY sequence LIMIT 5000",
            (position, last),
        )
        if not rows:
            return
        yield from (bytes(row["sha256"]) for row in rows)
        position = rows[-1]["sequence"]


def _outgoing(row: Row) -> Outgoing:
    return Outgoing(row["sequence"], row["type"], bytes(row["sha256"]), bytes(row["jws"]))

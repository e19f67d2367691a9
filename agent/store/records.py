"""The record log in the database: its head, what it lacks, and reading it in order (I4).

Only the ledger appends. Everyone else reads; no statement here changes or deletes a record.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agent.store.database import Row, Store

READ_BATCH = 500


@dataclass(frozen=True, slots=True)
class Head:
    """The last record: `sequence` 0 and 64 zeros when the log is empty."""

    sequence: int
    sha256: str


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """One row of `record`. `fact_id` is None for the ledger's own records."""

    sequence: int
    fact_id: int | None
    id: str
    type: str
    time_us: int
    sha256: bytes
    jws: bytes


def head(store: Store) -> Head:
    """Where the next record attaches."""
    row = store.row("SELECT sequence, jws FROM record ORDER BY sequence DESC LIMIT 1")
    if row is None:
        return Head(0, "0" * 64)
    # Of the bytes, not of the column: the next record must follow what really stands there.
    return Head(row["sequence"], hashlib.sha256(row["jws"]).hexdigest())


def pending_facts(store: Store, limit: int) -> list[Row]:
    """Facts that no record carries yet, oldest first.

    Ids are given under the write lock, so a smaller id is never committed after a larger one.
    """
    return store.rows(
        "SELECT * FROM fact WHERE id > (SELECT coalesce(max(fact_id), 0) FROM record) ORDER BY id LIMIT ?",
        (limit,),
    )


def pending_of(store: Store, types: Sequence[str]) -> list[Row]:
    """Facts of some types that no record carries yet, oldest first."""
    return store.rows(
        "SELECT * FROM fact WHERE id > (SELECT coalesce(max(fact_id), 0) FROM record)"
        " AND type IN (SELECT value FROM json_each(?)) ORDER BY id",
        (json.dumps(list(types)),),
    )


def pending_count(store: Store) -> int:
    """How many facts wait for the ledger."""
    return store.number("SELECT count(*) FROM fact WHERE id > (SELECT coalesce(max(fact_id), 0) FROM record)")


def append(store: Store, records: Sequence[StoredRecord]) -> None:
    """Insert records inside the caller's transaction.

    sqlite3.IntegrityError when they do not follow the head, or a fact has its record already.
    """
    for record in records:
        store.execute(
            "INSERT INTO record (sequence, fact_id, id, type, time_us, sha256, jws)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                record.sequence,
                record.fact_id,
                record.id,
                record.type,
                record.time_us,
                record.sha256,
                record.jws,
            ),
        )


def last_of_type(store: Store, record_type: str) -> StoredRecord | None:
    """The newest record whose `type` (without prefix) is `record_type`."""
    row = store.row("SELECT * FROM record WHERE type = ? ORDER BY sequence DESC LIMIT 1", (record_type,))
    return None if row is None else _record(row)


def of_type(store: Store, record_type: str) -> list[StoredRecord]:
    """All records of a type, oldest first; for rare types."""
    rows = store.rows("SELECT * FROM record WHERE type = ? ORDER BY sequence", (record_type,))
    return [_record(row) for row in rows]


def of_type_read(store: Store, record_type: str) -> Iterator[StoredRecord]:
    """All records of a type, oldest first, in batches; for types of which there are many."""
    position = 0
    while rows := store.rows(
        "SELECT * FROM record WHERE type = ? AND sequence > ? ORDER BY sequence LIMIT ?",
        (record_type, position, READ_BATCH),
    ):
        yield from (_record(row) for row in rows)
        position = rows[-1]["sequence"]


def read(store: Store, first: int = 1, last: int | None = None) -> Iterator[StoredRecord]:
    """Records `first`..`last` in order, read in batches, so that no long read holds the WAL open."""
    position = first - 1
    while True:
        rows = store.rows(
            "SELECT * FROM record WHERE sequence > ? AND sequence <= ? ORDER BY sequence LIMIT ?",
            (position, 2**62 if last is None else last, READ_BATCH),
        )
        for row in rows:
            yield _record(row)
        if len(rows) < READ_BATCH:
            return
        position = rows[-1]["sequence"]


def _record(row: Row) -> StoredRecord:
    return StoredRecord(
        row["sequence"],
        row["fact_id"],
        row["id"],
        row["type"],
        row["time_us"],
        bytes(row["sha256"]),
        bytes(row["jws"]),
    )

"""What was stated of a class's attendance, and the signed records that it rests on. Queries only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, Literal

from agent.store.database import Store
from agent.store.facts import FactType


@dataclass(frozen=True, slots=True)
class Statement:
    """What was stated of a class when a part was over (class.attendance-stated)."""

    id: str
    class_id: str
    part: Literal["opening", "training"]
    stated_us: int
    supersedes: str | None
    because: tuple[str, ...]
    data: Mapping[str, Any]
    basis: Mapping[str, str]


def statements(store: Store, class_id: str) -> list[Statement]:
    """Everything that was stated of a class, oldest first."""
    rows = store.rows("SELECT * FROM attendance_statement WHERE class_id = ? ORDER BY number", (class_id,))
    return [
        Statement(
            row["id"],
            row["class_id"],
            row["part"],
            row["stated_us"],
            row["supersedes"],
            tuple(json.loads(row["because"])),
            json.loads(row["data"]),
            json.loads(row["basis"]),
        )
        for row in rows
    ]


def insert_statement(store: Store, made: Statement) -> None:
    """Beside its fact, in one transaction. sqlite3.IntegrityError when another superseded the same."""
    fields = asdict(made) | {key: json.dumps(getattr(made, key)) for key in ("because", "data", "basis")}
    store.insert("attendance_statement", fields)


@dataclass(frozen=True, slots=True)
class RecordDigest:
    """Which signed records a class's attendance rests on."""

    count: int
    sha256: str
    """Over a line `sequence sha256-in-hex` for each, in their order."""
    unsigned: int
    """Facts that the ledger had not signed yet."""


def record_digest(store: Store, class_id: str) -> RecordDigest:
    """Of the records that this database's facts became; after it was put back from a snapshot: since."""
    rows = store.rows(
        "SELECT record.sequence, record.sha256 FROM fact LEFT JOIN record ON record.fact_id = fact.id"
        " WHERE fact.class_id = ? AND fact.type IN"
        " ('check-in.answered', 'check-in.decided', 'check-in.counted', 'spot-check.ended',"
        " 'suspicion.decided', 'attendance.corrected', 'session.opened', 'session.closed',"
        " 'session.cancelled', 'session.plan-changed', 'session.make-up-bound', 'session.make-up-released',"
        " 'session.continuity-judged', 'class.imported')"
        " ORDER BY record.sequence",
        (class_id,),
    )
    signed = [f"{row['sequence']} {bytes(row['sha256']).hex()}\n" for row in rows if row["sequence"]]
    return RecordDigest(len(signed), sha256("".join(signed).encode()).hexdigest(), len(rows) - len(signed))


def newest_fact(store: Store) -> int:
    """Id of the newest fact; 0 before the first."""
    return store.number("SELECT coalesce(max(id), 0) FROM fact")


def classes_spoken_of(store: Store, after: int, through: int) -> list[str]:
    """Classes that facts with ids in (after, through] speak of, other than what is stated here
    and the counts of each minute; every class where HR's configuration changed."""
    changed = store.row(
        "SELECT 1 FROM fact WHERE id > ? AND id <= ? AND type = ? LIMIT 1",
        (after, through, FactType.CONFIGURATION_APPLIED.value),
    )
    if changed is not None:
        return [row["id"] for row in store.rows("SELECT id FROM class ORDER BY id")]
    rows = store.rows(
        "SELECT DISTINCT class_id FROM fact WHERE id > ? AND id <= ? AND class_id IS NOT NULL AND type <> ?"
        " AND type NOT LIKE 'visibility.%' ORDER BY class_id",
        (after, through, FactType.ATTENDANCE_STATED.value),
    )
    return [row["class_id"] for row in rows]

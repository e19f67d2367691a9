"""What was stated, by the words that were signed: who changes a row of the database changes nothing here.

A fact that the ledger has signed is read from its record, one that still waits from itself. Records that were
taken back from the log's copies have no fact any more (agent.evidence.restoration) and say the same.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agent.store.database import Row, Store
from agent.store.facts import FactType


@dataclass(frozen=True, slots=True)
class Stated:
    """One statement."""

    kind: FactType
    subject: str
    class_id: str | None
    session_id: str | None
    simulated: bool
    at_us: int
    """By the clock of then."""
    data: Mapping[str, Any]
    is_taken_back: bool
    """The database that it was stated in is gone: the rows beside it may be, too."""


def stated(store: Store, *kinds: FactType) -> list[Stated]:
    """Everything of these kinds, in the order in which it was stated. What no record can be read of any more
    is taken from its fact; where there is none either, the ledger names the damage. The table of facts needs
    an index of just these kinds, in this order (store/schema.sql)."""
    wanted = ", ".join(f"'{kind.value}'" for kind in kinds)  # our own words; an index's condition is literal
    facts = (
        "SELECT f.type, f.subject, f.class_id, f.session_id, f.simulated, f.at_us, f.data, r.sequence, r.jws"
        " FROM fact f LEFT JOIN record r ON r.fact_id = f.id WHERE f.type IN"
    )
    lost = "SELECT type, sequence, jws FROM record WHERE fact_id IS NULL AND type IN"
    rows, alone = store.rows(f"{facts} ({wanted}) ORDER BY f.id"), store.rows(f"{lost} ({wanted})")
    found = [(_place(row), each) for row in rows for each in _live(row)]
    found += [(row["sequence"], each) for row in alone for each in _signed(row, is_taken_back=True)]
    return [each for _, each in sorted(found, key=lambda pair: pair[0])]


def _place(row: Row) -> int:
    """What waits comes last, in its order."""
    return 2**62 if row["sequence"] is None else int(row["sequence"])


def _live(row: Row) -> Iterator[Stated]:
    signed = [] if row["jws"] is None else list(_signed(row, is_taken_back=False))
    if signed:
        yield from signed
        return
    yield Stated(
        FactType(row["type"]),
        row["subject"],
        row["class_id"],
        row["session_id"],
        bool(row["simulated"]),
        row["at_us"],
        json.loads(row["data"]),
        is_taken_back=False,
    )


def _signed(row: Row, *, is_taken_back: bool) -> Iterator[Stated]:
    """Nothing where the record cannot be read."""
    try:
        payload = bytes(row["jws"]).split(b".")[1]
        event = json.loads(urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)))
        said = event["data"]
        yield Stated(
            FactType(row["type"]),
            event["subject"],
            said["class"],
            said["session"],
            said["simulated"],
            round(datetime.fromisoformat(event["time"]).timestamp() * 1_000_000),
            said["fact"],
            is_taken_back,
        )
    except (ValueError, LookupError, TypeError):
        return

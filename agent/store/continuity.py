"""Queries of the class-hour report: what lies around a session, and which sessions were judged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.store import true_time
from agent.store.classes import Session, session_of
from agent.store.database import Row, Store
from agent.store.footage import CAMERA, LONGEST_SEGMENT_US

LONGEST_REST_US = 60 * 24 * 3_600_000_000
"""How far back a rest of the recorder is looked for: longer than any holiday. Without a bound every segment
before would be read."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was stated of a closed lesson. The newest is the one that no other supersedes."""

    id: str
    session_id: str
    stated_us: int
    supersedes: str | None
    because: tuple[str, ...]
    """Why it took the other's place; () for the first."""
    data: Mapping[str, Any]
    """As in the fact."""
    basis: Mapping[str, str]
    """What it was judged from, part → hash: while they stay, nothing need be read again."""
    simulated: bool
    """Of footage that no live camera made, in part or whole: it proves nothing (I9)."""


def last_segment_before(store: Store, camera: str, end_us: int) -> Row | None:
    """The last segment that begins before `end_us`, if it ends by then: what the recorder did last. None when
    that was `LONGEST_REST_US` ago."""
    row = store.row(
        "SELECT segment.start_us, segment.end_us, segment.end_reason FROM segment"
        " JOIN run ON run.id = segment.run_id WHERE run.camera = ? AND segment.start_us > ?"
        " AND segment.start_us < ? ORDER BY segment.start_us DESC LIMIT 1",
        (camera, end_us - LONGEST_REST_US, end_us),
    )
    return row if row is not None and row["end_us"] <= end_us else None


def sessions_named(store: Store, beginning: str, limit: int = 10) -> list[Session]:
    """Sessions whose id begins so, in the order of time, at most `limit`."""
    rows = store.rows(
        "SELECT * FROM session WHERE substr(id, 1, ?) = ? ORDER BY planned_start_us, id LIMIT ?",
        (len(beginning), beginning, limit),
    )
    return [session_of(row) for row in rows]


def unjudged_sessions(store: Store, room: str, ended_before_us: int, limit: int) -> list[Session]:
    """Closed sessions of `room` whose planned and real end lie before `ended_before_us` and of which nothing
    was stated yet, oldest first. What was opened by a wrong clock was planned again, and is none."""
    rows = store.rows(
        "SELECT * FROM session WHERE room = ? AND state = 'closed' AND planned_end_us < ? AND closed_us < ?"
        " AND close_reason IS NOT 'clock_was_wrong'"
        " AND NOT EXISTS (SELECT 1 FROM continuity_judgement AS judged WHERE judged.session_id = session.id)"
        " ORDER BY planned_start_us LIMIT ?",
        (room, ended_before_us, ended_before_us, limit),
    )
    return [session_of(row) for row in rows]


def judged_sessions(store: Store, room: str, ended_after_us: int) -> list[str]:
    """Ids of the sessions of `room` that are judged, not cancelled since, and were planned to end after
    `ended_after_us`, newest first."""
    rows = store.rows(
        "SELECT id FROM session WHERE room = ? AND planned_end_us > ? AND state <> 'cancelled'"
        " AND EXISTS (SELECT 1 FROM continuity_judgement AS judged WHERE judged.session_id = session.id)"
        " ORDER BY planned_start_us DESC",
        (room, ended_after_us),
    )
    return [row["id"] for row in rows]


def judgements(store: Store, session_id: str) -> list[Judgement]:
    """What was stated of a session, oldest first."""
    rows = store.rows(
        "SELECT * FROM continuity_judgement WHERE session_id = ? ORDER BY number", (session_id,)
    )
    return [
        Judgement(
            row["id"],
            row["session_id"],
            row["stated_us"],
            row["supersedes"],
            tuple(json.loads(row["because"])),
            json.loads(row["data"]),
            json.loads(row["basis"]),
            bool(row["simulated"]),
        )
        for row in rows
    ]


def insert_judgement(store: Store, judgement: Judgement) -> None:
    """Beside its fact, in one transaction. sqlite3.IntegrityError when another superseded the same."""
    store.insert(
        "continuity_judgement",
        {
            "id": judgement.id,
            "session_id": judgement.session_id,
            "stated_us": judgement.stated_us,
            "supersedes": judgement.supersedes,
            "because": json.dumps(judgement.because),
            "data": json.dumps(judgement.data),
            "basis": json.dumps(judgement.basis),
            "simulated": int(judgement.simulated),
        },
    )


def set_basis(store: Store, judgement_id: str, basis: Mapping[str, str]) -> None:
    """The judgement holds on `basis`, too."""
    store.execute("UPDATE continuity_judgement SET basis = ? WHERE id = ?", (json.dumps(basis), judgement_id))


def is_accounted_for(store: Store, camera: str, at_us: int) -> bool:
    """Whether the index has reached `at_us`: footage or a gap that ends at or after it."""
    row = store.row(
        "SELECT EXISTS (SELECT 1 FROM segment JOIN run ON run.id = segment.run_id"
        " WHERE run.camera = :camera AND segment.start_us > :earliest AND segment.end_us >= :at)"
        " OR EXISTS (SELECT 1 FROM gap WHERE camera = :camera AND end_us >= :at) AS reached",
        {"camera": camera, "at": at_us, "earliest": at_us - LONGEST_SEGMENT_US},
    )
    return bool(row is not None and row["reached"])


def was_filmed(store: Store, room: str, start_us: int, end_us: int) -> bool:
    """Whether any footage of `room` truly touches [start_us, end_us)."""
    found = true_time.segments_between(store, CAMERA, start_us, end_us)
    return any(row["room"] == room for row in found)

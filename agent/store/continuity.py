"""Queries of the class-hour report: what lies around a session, and which sessions were judged."""

from __future__ import annotations

from agent.store.classes import Session
from agent.store.database import Row, Store
from agent.store.footage import LONGEST_SEGMENT_US

LONGEST_REST_US = 60 * 24 * 3_600_000_000
"""How far back a rest of the recorder is looked for: longer than any holiday. Without a bound every segment
before would be read."""


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
    return [Session(*row) for row in rows]


def unjudged_sessions(store: Store, room: str, ended_before_us: int, limit: int) -> list[Session]:
    """Closed sessions of `room` whose planned and real end lie before `ended_before_us` and of which nothing
    was stated yet, oldest first."""
    rows = store.rows(
        "SELECT * FROM session WHERE room = ? AND state = 'closed' AND planned_end_us < ? AND closed_us < ?"
        " AND NOT EXISTS (SELECT 1 FROM fact WHERE fact.session_id = session.id"
        " AND fact.type = 'session.continuity-judged') ORDER BY planned_start_us LIMIT ?",
        (room, ended_before_us, ended_before_us, limit),
    )
    return [Session(*row) for row in rows]


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
    """Whether any footage of `room` touches [start_us, end_us)."""
    row = store.row(
        "SELECT 1 FROM segment JOIN run ON run.id = segment.run_id"
        " WHERE run.room = ? AND segment.start_us > ? AND segment.start_us < ? AND segment.end_us > ?"
        " LIMIT 1",
        (room, start_us - LONGEST_SEGMENT_US, end_us, start_us),
    )
    return row is not None

"""Queries of the class-hour report: what lies around a session, and which sessions were judged."""

from __future__ import annotations

from agent.store.classes import Session
from agent.store.database import Row, Store


def last_segment_before(store: Store, camera: str, end_us: int) -> Row | None:
    """The last segment that begins before `end_us`, if it ends by then: what the recorder did last."""
    row = store.row(
        "SELECT segment.start_us, segment.end_us, segment.end_reason FROM segment"
        " JOIN run ON run.id = segment.run_id WHERE run.camera = ? AND segment.start_us < ?"
        " ORDER BY segment.start_us DESC LIMIT 1",
        (camera, end_us),
    )
    return row if row is not None and row["end_us"] <= end_us else None


def sessions_named(store: Store, beginning: str, limit: int = 10) -> list[Session]:
    """Sessions whose id begins so, in the order of time, at most `limit`."""
    rows = store.rows(
        "SELECT * FROM session WHERE substr(id, 1, ?) = ? ORDER BY planned_start_us, id LIMIT ?",
        (len(beginning), beginning, limit),
    )
    return [Session(*row) for row in rows]

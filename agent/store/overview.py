"""What the page shows across areas. Reading only; each query is bounded by a time range or a limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from agent.store import footage as footage_queries
from agent.store.database import Row, Store
from agent.store.outbox import verdict_count


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of the door. `name` is None where nobody was recognised and '' after an erasure."""

    at_us: int
    outcome: str
    method: str
    role: str | None
    name: str | None
    simulated: bool


@dataclass(frozen=True, slots=True)
class Gap:
    """Time without video; `end_us` is None while it lasts."""

    reason: str
    start_us: int
    end_us: int | None


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A record as the list shows it; `class_id` and `session_id` are None for the ledger's own."""

    sequence: int
    type: str
    time_us: int
    subject: str
    class_id: str | None
    session_id: str | None
    simulated: bool


@dataclass(frozen=True, slots=True)
class Receiver:
    """A destination of the log and how far its receipts reach (I5)."""

    name: str
    receipted_through: int
    last_receipt_us: int | None
    verdicts: int
    """Records that it stored but judged bad."""
    ahead: frozenset[int]
    """Single receipts beyond `receipted_through`, at most the newest 500."""

    def has_receipted(self, sequence: int) -> bool:
        return sequence <= self.receipted_through or sequence in self.ahead


def answers(store: Store, session_id: str, limit: int) -> list[Answer]:
    """The door's last answers in a session, newest first."""
    rows = store.rows(
        "SELECT c.at_us, c.outcome, c.method, e.role, p.name, c.simulated FROM check_in c"
        " JOIN session s ON s.id = c.session_id LEFT JOIN person p ON p.id = c.person_id"
        " LEFT JOIN enrolment e ON e.class_id = s.class_id AND e.person_id = c.person_id"
        " WHERE c.session_id = ? ORDER BY c.at_us DESC, c.id LIMIT ?",
        (session_id, limit),
    )
    return [
        Answer(row["at_us"], row["outcome"], row["method"], row["role"], row["name"], bool(row["simulated"]))
        for row in rows
    ]


def gaps_between(store: Store, camera: str, start_us: int, end_us: int) -> list[Gap]:
    """Gaps of a camera that reach into [start_us, end_us), oldest first."""
    return [_gap(row) for row in footage_queries.gaps_between(store, camera, start_us, end_us)]


def open_gap(store: Store, camera: str) -> Gap | None:
    """The gap of a camera that lasts now; the newest of several."""
    rows = footage_queries.open_gaps(store, camera)
    return _gap(rows[-1]) if rows else None


def _gap(row: Row) -> Gap:
    return Gap(row["reason"], row["start_us"], row["end_us"])


def log_entries(store: Store, *, before: int, limit: int) -> list[LogEntry]:
    """Records with a sequence below `before`, newest first."""
    rows = store.rows(
        "SELECT r.sequence, r.type, r.time_us, coalesce(f.subject, '') AS subject, f.class_id, f.session_id,"
        " coalesce(f.simulated, 0) AS simulated FROM record r LEFT JOIN fact f ON f.id = r.fact_id"
        " WHERE r.sequence < ? ORDER BY r.sequence DESC LIMIT ?",
        (before, limit),
    )
    return [
        LogEntry(
            row["sequence"],
            row["type"],
            row["time_us"],
            row["subject"],
            row["class_id"],
            row["session_id"],
            bool(row["simulated"]),
        )
        for row in rows
    ]


def receivers(store: Store) -> list[Receiver]:
    """Every destination by name."""
    return [
        Receiver(
            row["name"],
            row["receipted_through"],
            row["last_receipt_us"],
            verdict_count(store, row["name"]),
            frozenset(
                ahead["sequence"]
                for ahead in store.rows(
                    "SELECT sequence FROM receipt_ahead WHERE destination = ?"
                    " ORDER BY sequence DESC LIMIT 500",
                    (row["name"],),
                )
            ),
        )
        for row in store.rows(
            "SELECT name, receipted_through, last_receipt_us FROM destination ORDER BY name"
        )
    ]


def days_with_sessions(
    store: Store, room: str, before_us: int, after_us: int
) -> tuple[int | None, int | None]:
    """Start of the last session planned before `before_us` and of the first at or after `after_us`."""
    earlier = store.row(
        "SELECT max(planned_start_us) FROM session WHERE room = ? AND planned_start_us < ?", (room, before_us)
    )
    later = store.row(
        "SELECT min(planned_start_us) FROM session WHERE room = ? AND planned_start_us >= ?", (room, after_us)
    )
    return (
        None if earlier is None else cast("int | None", earlier[0]),
        None if later is None else cast("int | None", later[0]),
    )

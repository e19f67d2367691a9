"""Check-ins that people decide over, and photos that they looked at. Queries only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agent.store.classes import PersonRole, Session
from agent.store.database import Row, Store
from agent.store.facts import FactType

Decision = Literal["confirmed", "rejected"]


@dataclass(frozen=True, slots=True)
class DecidedCheckIn:
    """A check-in by PIN with what people said of it. `name` is '' after an erasure."""

    id: str
    session_id: str
    person_id: str
    name: str
    role: PersonRole | None
    at_us: int
    revision: int | None
    """Of HR's configuration that was in force then."""
    outcome: str
    photo_id: str | None
    spot_check_id: str | None
    """The call that it answers."""
    simulated: bool
    decision: Decision | None
    account: str | None
    reason: str | None
    decided_us: int | None
    number: int | None
    """Of the newest decision."""
    counted_id: str | None
    """What the person is present by, where that is a later look: confirmed, the entry takes its place."""
    counted_us: int | None


_SELECT = (
    "SELECT c.id, c.session_id, c.person_id, p.name, e.role, c.at_us, c.revision, c.outcome, c.photo_id,"
    " c.spot_check_id, c.simulated, d.decision, d.account, d.reason, d.decided_us, d.number,"
    " a.id AS counted_id, a.at_us AS counted_us FROM check_in c"
    " JOIN person p ON p.id = c.person_id JOIN session s ON s.id = c.session_id"
    " LEFT JOIN enrolment e ON e.class_id = s.class_id AND e.person_id = c.person_id AND e.left_us IS NULL"
    " LEFT JOIN check_in a ON a.session_id = c.session_id AND a.person_id = c.person_id"
    " AND a.outcome = 'accepted' AND a.at_us > c.at_us"
    " LEFT JOIN check_in_decision d ON d.number ="
    " (SELECT max(number) FROM check_in_decision WHERE check_in_id = c.id)"
)


def decided_check_in(store: Store, check_in_id: str) -> DecidedCheckIn | None:
    """One check-in by PIN that awaits or had a decision; None for any other."""
    row = store.row(
        f"{_SELECT} WHERE c.id = ? AND c.method = 'pin'"
        " AND (c.outcome = 'awaiting_confirmation' OR d.number IS NOT NULL)",
        (check_in_id,),
    )
    return None if row is None else _decided(row)


def by_pin(store: Store, *, session_id: str | None, since_us: int, limit: int) -> list[DecidedCheckIn]:
    """Check-ins by PIN that await a decision or had one since `since_us`, the waiting ones first, oldest
    first; of one session, or of all."""
    rows = store.rows(
        f"{_SELECT} WHERE c.method = 'pin' AND (:session IS NULL OR c.session_id = :session)"
        " AND (c.outcome = 'awaiting_confirmation' OR d.decided_us >= :since)"
        " ORDER BY c.outcome <> 'awaiting_confirmation', c.at_us, c.id LIMIT :limit",
        {"session": session_id, "since": since_us, "limit": limit},
    )
    return [_decided(row) for row in rows]


def awaiting_count(store: Store, session_id: str | None = None) -> int:
    """Check-ins that await a decision, of one session or of all."""
    return store.number(
        "SELECT count(*) FROM check_in WHERE outcome = 'awaiting_confirmation'"
        " AND (:session IS NULL OR session_id = :session)",
        {"session": session_id},
    )


def _decided(row: Row) -> DecidedCheckIn:
    return DecidedCheckIn(**{**dict(row), "simulated": bool(row["simulated"])})


def accepted_row(store: Store, session_id: str, person_id: str, *, besides: str = "") -> Row | None:
    """The check-in by which a person counts as present (id, at_us, revision, spot_check_id), unless it is
    `besides`."""
    return store.row(
        "SELECT id, at_us, revision, spot_check_id FROM check_in WHERE session_id = ? AND person_id = ?"
        " AND outcome = 'accepted' AND id <> ?",
        (session_id, person_id, besides),
    )


def next_sufficient(store: Store, session_id: str, person_id: str) -> Row | None:
    """The earliest of a person's further check-ins (id, simulated) that would have been accepted by itself: a
    face judged in full, or an entry by PIN that people confirmed."""
    return store.row(
        "SELECT c.id, c.simulated FROM check_in c WHERE c.session_id = ? AND c.person_id = ?"
        " AND c.outcome IN ('already_checked_in', 'checked_out') AND (c.sufficient = 1 OR c.method = 'pin'"
        " AND (SELECT d.decision FROM check_in_decision d WHERE d.check_in_id = c.id"
        " ORDER BY d.number DESC LIMIT 1) = 'confirmed') ORDER BY c.at_us, c.id LIMIT 1",
        (session_id, person_id),
    )


def awaiting_of(store: Store, session_id: str, person_id: str) -> list[Row]:
    """A person's check-ins of a session that await a decision (id, at_us, spot_check_id, in_time), oldest
    first."""
    return store.rows(
        "SELECT id, at_us, spot_check_id, in_time FROM check_in WHERE session_id = ? AND person_id = ?"
        " AND outcome = 'awaiting_confirmation' ORDER BY at_us, id",
        (session_id, person_id),
    )


def role_in(store: Store, class_id: str, person_id: str) -> PersonRole | None:
    """A person's role in a class; None when not, or no longer, on its list."""
    row = store.row(
        "SELECT role FROM enrolment WHERE class_id = ? AND person_id = ? AND left_us IS NULL",
        (class_id, person_id),
    )
    return None if row is None else row["role"]


def may_leave(session: Session, at_us: int, spot_check_id: str | None) -> bool:
    """Whether a person's further look at `at_us` may be a check-out: more than half of the lesson's planned
    time is over, and it answers no call. Who was called by a spot check goes back to the seat afterwards."""
    return spot_check_id is None and 2 * at_us >= session.planned_start_us + session.planned_end_us


def insert_decision(
    store: Store, check_in_id: str, decision: Decision, account: str, reason: str, at_us: int, outcome: str
) -> int:
    """Write a decision and the outcome that follows; returns its number. In the caller's transaction."""
    store.execute("UPDATE check_in SET outcome = ? WHERE id = ?", (outcome, check_in_id))
    return store.add(
        "INSERT INTO check_in_decision (check_in_id, decision, account, reason, decided_us)"
        " VALUES (?, ?, ?, ?, ?)",
        (check_in_id, decision, account, reason, at_us),
    )


def photo_was_used(store: Store, session_id: str, taken_us: int) -> bool:
    """Whether the picture of that instant already stands for a check-in by PIN of the session."""
    row = store.row(
        "SELECT 1 FROM check_in c JOIN photo p ON p.id = c.photo_id WHERE c.session_id = ?"
        " AND c.method = 'pin' AND p.taken_us = ?",
        (session_id, taken_us),
    )
    return row is not None


def standing_fault(store: Store) -> str | None:
    """The door's outage that was stated last and not yet ended; looked for among the newest facts only,
    because the table grows for years."""
    row = store.row(
        "SELECT type, data ->> 'fault' AS fault FROM fact WHERE id > (SELECT max(id) FROM fact) - 10000"
        " AND type IN (?, ?) ORDER BY id DESC LIMIT 1",
        (FactType.CHECK_IN_UNAVAILABLE.value, FactType.CHECK_IN_RESTORED.value),
    )
    return row["fault"] if row is not None and row["type"] == FactType.CHECK_IN_UNAVAILABLE else None


def photo_of(store: Store, check_in_id: str) -> Row | None:
    """The photo of a check-in that is still kept: id; and the session that it belongs to."""
    return store.row(
        "SELECT p.id, c.session_id, c.simulated, s.class_id FROM check_in c JOIN photo p ON p.id = c.photo_id"
        " JOIN session s ON s.id = c.session_id WHERE c.id = ? AND p.expired_us IS NULL",
        (check_in_id,),
    )


def note_photo_view(store: Store, token_sha256: bytes, photo_id: str, at_us: int) -> bool:
    """Note that a visitor saw a photo; False when that visitor did before. In the caller's transaction."""
    made = store.execute(
        "INSERT INTO photo_view (token_sha256, photo_id, viewed_us) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (token_sha256, photo_id, at_us),
    )
    return bool(made.rowcount == 1)


def has_seen(store: Store, token_sha256: bytes, check_in_id: str) -> bool:
    """Whether the visitor saw the photo of a check-in."""
    row = store.row(
        "SELECT 1 FROM photo_view v JOIN check_in c ON c.photo_id = v.photo_id"
        " WHERE v.token_sha256 = ? AND c.id = ?",
        (token_sha256, check_in_id),
    )
    return row is not None


def has_seen_photo(store: Store, token_sha256: bytes, photo_id: str) -> bool:
    """Whether the visitor opened that very photo."""
    row = store.row(
        "SELECT 1 FROM photo_view WHERE token_sha256 = ? AND photo_id = ?", (token_sha256, photo_id)
    )
    return row is not None

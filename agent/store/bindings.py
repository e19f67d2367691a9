"""Lessons that were entered after they were held: which there are, what rests on them, taking one back.

Queries only; what may be taken back is agent/classes' to say.
"""

from __future__ import annotations

from typing import Final, Literal

from agent.store.classes import Session, session_of
from agent.store.database import Store
from agent.store.footage import LONGEST_SEGMENT_US

ENTERED: Final = "entered_afterwards"
TAKEN_BACK: Final = "entered_by_mistake"
"""`close_reason` of such a lesson, and of one that was taken back: then it is cancelled, and no
footage is its class's for its sake."""

AROUND_US: Final = 3_600_000_000
"""Footage so near to a lesson is kept with it: the most that pre-roll and post-roll may be."""

Rest = Literal["check_ins", "corrected", "make_up", "decided", "hold", "expired"]
_RESTS: Final[dict[Rest, str]] = {
    "check_ins": "SELECT 1 FROM check_in WHERE session_id = :id UNION ALL"
    " SELECT 1 FROM spot_check WHERE session_id = :id UNION ALL"
    " SELECT 1 FROM suspicion WHERE session_id = :id LIMIT 1",
    "corrected": "SELECT 1 FROM attendance_correction AS mine WHERE session_id = :id AND state <> 'withdrawn'"
    " AND NOT EXISTS (SELECT 1 FROM attendance_correction AS later WHERE later.supersedes = mine.id) LIMIT 1",
    "make_up": "SELECT 1 FROM make_up WHERE session_id = :id OR missed_session_id = :id LIMIT 1",
    "decided": "SELECT 1 FROM visibility_verdict AS mine WHERE session_id = :id AND decided_by <> 'device'"
    " AND NOT EXISTS (SELECT 1 FROM visibility_verdict AS later WHERE later.supersedes = mine.id) LIMIT 1",
    "hold": "SELECT 1 FROM legal_hold JOIN session ON session.class_id = legal_hold.class_id"
    " WHERE session.id = :id AND released_us IS NULL LIMIT 1",
}


def entered_afterwards(store: Store, limit: int = 20) -> list[Session]:
    """Those that stand, the latest lesson first."""
    rows = store.rows(
        "SELECT * FROM session WHERE close_reason = ? ORDER BY planned_start_us DESC, id LIMIT ?",
        (ENTERED, limit),
    )
    return [session_of(row) for row in rows]


def resting_on(store: Store, session: Session) -> Rest | None:
    """What people or retention have built on the lesson since; None: nothing."""
    for what, question in _RESTS.items():
        if store.row(question, {"id": session.id}) is not None:
            return what
    gone = store.row(
        f"SELECT 1 FROM segment JOIN run ON run.id = segment.run_id WHERE {_NEAR}"  # noqa: S608 (own words)
        " AND segment.expired_us IS NOT NULL LIMIT 1",
        _near(session),
    )
    return "expired" if gone is not None else None


def take_back(store: Store, session: Session, at_us: int) -> bool:
    """The lesson is cancelled as one that never was; False when it was taken back already. What was
    announced to go before it was entered is announced anew. In the caller's transaction."""
    done = store.execute(
        "UPDATE session SET state = 'cancelled', opened_us = NULL, closed_us = ?, close_reason = ?"
        " WHERE id = ? AND state = 'closed' AND close_reason = ?",
        (at_us, TAKEN_BACK, session.id, ENTERED),
    )
    if done.rowcount != 1:
        return False
    store.execute(
        "DELETE FROM unscheduled_notice WHERE (run_id, sequence) IN (SELECT segment.run_id, segment.sequence"  # noqa: S608
        f" FROM segment JOIN run ON run.id = segment.run_id WHERE {_NEAR})",
        _near(session),
    )
    return True


_NEAR: Final = (
    "run.room = :room AND segment.start_us > :early_us AND segment.start_us < :until_us"
    " AND segment.end_us > :from_us"
)


def _near(session: Session) -> dict[str, str | int]:
    from_us, until_us = session.planned_start_us - AROUND_US, session.planned_end_us + AROUND_US
    return {
        "room": session.room,
        "from_us": from_us,
        "early_us": from_us - LONGEST_SEGMENT_US,
        "until_us": until_us,
    }

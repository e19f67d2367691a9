"""Lessons that were entered after they were held: which there are, what rests on them, taking one back.

Queries only; what may be taken back is agent/classes' to say.
"""

from __future__ import annotations

from typing import Final, Literal

from agent.store import footage, true_time
from agent.store.classes import Session, session_of
from agent.store.database import Store
from agent.store.footage import CAMERA

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
    stretch = _around(session)
    near = [
        (row["room"], row["expired_us"])
        for rows in (
            footage.segment_places_between(store, CAMERA, *stretch),
            true_time.segments_between(store, CAMERA, *stretch),
        )
        for row in rows
    ]
    gone = any(room == session.room and expired_us is not None for room, expired_us in near)
    return "expired" if gone else None


def is_built_on(store: Store, session_id: str, what: Literal["corrected", "decided"]) -> bool:
    """Whether a correction of attendance, or a decision over the pictures, of a lesson stands."""
    return store.row(_RESTS[what], {"id": session_id}) is not None


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
    for run_id, sequence in _announced_near(store, session):
        store.execute("DELETE FROM unscheduled_notice WHERE run_id = ? AND sequence = ?", (run_id, sequence))
    return True


def _announced_near(store: Store, session: Session) -> list[tuple[str, int]]:
    """Segments that were announced to go and that the lesson may have kept meanwhile: by their stamps or by
    their corrected time, as retention judges, or because nobody knows when they were recorded."""
    rows = store.rows(
        "SELECT segment.run_id, segment.sequence, segment.start_us, segment.end_us,"
        " segment.monotonic_start_ns, segment.clock_state, run.boot_id FROM unscheduled_notice AS notice"
        " JOIN segment ON segment.run_id = notice.run_id AND segment.sequence = notice.sequence"
        " JOIN run ON run.id = segment.run_id WHERE run.room = ? AND segment.expired_us IS NULL",
        (session.room,),
    )
    from_us, until_us = _around(session)
    found = []
    for row in true_time.placed_segments(store, rows):
        slack_us = row["uncertainty_us"]
        is_unplaced = slack_us is None and row["clock_state"] == "unsynchronised"
        stamped = row["stated_start_us"] < until_us and row["stated_end_us"] > from_us
        slack_us = slack_us or 0
        truly = row["start_us"] - slack_us < until_us and row["end_us"] + slack_us > from_us
        if is_unplaced or stamped or truly:
            found.append((row["run_id"], row["sequence"]))
    return found


def _around(session: Session) -> tuple[int, int]:
    return session.planned_start_us - AROUND_US, session.planned_end_us + AROUND_US

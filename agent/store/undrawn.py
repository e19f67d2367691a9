"""Class hours of which something was stated while pictures of them were still to be counted (R6). Queries.

No picture was drawn by lot then: whoever delays the counting would choose what is drawn from. The archive
notes it beside what the verdict rests on, and draws when the rest is counted, or given up.
"""

from __future__ import annotations

from typing import Final

from agent.store import visibility
from agent.store.classes import Session, session_of
from agent.store.database import Store
from agent.store.visibility import DEVICE, Verdict

DRAWING: Final = "drawing"
"""Part of a verdict's basis."""
WAITS: Final = "waits"


def waits(verdict: Verdict) -> bool:
    """Whether its class hour's pictures are still to be drawn."""
    return verdict.basis.get(DRAWING) == WAITS


def is_reckoned(verdict: Verdict) -> bool:
    """Whether any number of people was reckoned for it, to be shown or not."""
    proposal = verdict.data.get("proposal") or {}
    return any(each.get("lower") is not None for each in (verdict.data, proposal))


def final_hours(store: Store, session_id: str) -> frozenset[int]:
    """Class hours of a lesson that the device judged by their pictures when nothing waited any more: theirs
    were drawn then, or never are, because what was found in them may have been read."""
    return frozenset(
        each.hour
        for each in visibility.stated(store, session_id)
        if each.decided_by == DEVICE and is_reckoned(each) and not waits(each)
    )


def undrawn_sessions(store: Store, room: str) -> list[Session]:
    """Lessons of `room` of which a class hour may wait so, oldest first."""
    rows = store.rows(
        "SELECT * FROM session AS s WHERE room = ? AND state IN ('open', 'closed')"
        " AND close_reason IS NOT 'clock_was_wrong' AND EXISTS (SELECT 1 FROM visibility_verdict AS v"
        " WHERE v.session_id = s.id AND json_extract(v.basis, '$.drawing') = ?) ORDER BY planned_start_us",
        (room, WAITS),
    )
    return [session_of(row) for row in rows]

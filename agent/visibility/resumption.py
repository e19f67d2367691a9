"""What a watcher that died knew of the running lesson, read back from what it stored.

Without it a doubt that it stated would stay open for ever where the lesson ended meanwhile, and would end and
begin again where it lasts: the new process has seen no minutes of its own yet.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from agent.store import heads, visibility
from agent.store.classes import Session
from agent.store.database import Store
from agent.store.heads import HeadCount
from agent.visibility.doubts import Doubt, Sight
from agent.visibility.error_model import ErrorModel
from agent.visibility.live import KEPT_US, RoomNow
from agent.visibility.looks import Zones, look_of
from agent.visibility.warnings import lesson_now


@dataclass(frozen=True, slots=True)
class LeftOpen:
    """A doubt of which no record says that it ended."""

    session_id: str
    doubt: Doubt
    sight: Sight
    """When it began."""
    simulated: bool


def left_open(store: Store) -> LeftOpen | None:
    """The doubt that was stated last, unless its end was stated too."""
    row = store.row(
        "SELECT session_id, simulated, data FROM fact WHERE type = 'visibility.doubted'"
        " ORDER BY id DESC LIMIT 1"
    )
    data = None if row is None else json.loads(row["data"])
    if row is None or data is None or not data["began"]:
        return None
    return LeftOpen(
        row["session_id"],
        Doubt(data["kind"], data["since_us"], data["visible"], data["expected"]),
        Sight(data["since_us"], data["lower"], data["upper"], data["expected"]),
        bool(row["simulated"]),
    )


def relive(
    store: Store,
    room: RoomNow,
    session: Session,
    zones: Zones,
    newest: HeadCount,
    picture_size: tuple[int, int],
    model: ErrorModel,
) -> None:
    """Show `room` the pictures that the same detector counted in the minutes before `newest` once more: it
    knows nothing of the lesson yet. `picture_size` (width, height) is the newest picture's, and that of runs
    that the index has not reached."""
    counts = heads.counts_of(store, session.id, from_us=newest.at_us - KEPT_US, until_us=newest.at_us)
    sizes = visibility.picture_sizes(store, {count.run_id for count in counts})
    for count in counts:
        if count.detector == newest.detector:
            size = sizes.get(count.run_id, picture_size)
            look = look_of(count.at_us, count.boxes, *size, zones)
            room.see(look, lesson_now(store, session, count.at_us, zones, size), model)

"""Trainings as retention sees them: when each class ends, whether it is on hold, when its lessons were.

Queries only; what follows from them is judged by `agent.archive.entitlement`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from agent.store.database import Store


@dataclass(frozen=True, slots=True)
class Training:
    """A class as far as its end is known to this node."""

    class_id: str
    opening_day: str
    city: str
    notices: tuple[str, ...]
    """Ids of the notices that govern it for life; (): those of its opening day and city."""
    end_us: int | None
    """The latest planned end or closing of its sessions, cancelled ones included, those not that were entered
    afterwards by mistake; None without any."""
    open_sessions: int
    planned_sessions: int
    stated_day: str | None
    """HR's word that it ended (YYYY-MM-DD): lessons planned in other rooms do not keep it open."""
    on_hold: bool


@dataclass(frozen=True, slots=True)
class Lesson:
    """When and where footage can be of a class: the wider of plan and reality. UTC microseconds."""

    room: str
    class_id: str
    start_us: int
    end_us: int


def trainings(store: Store) -> list[Training]:
    """Every class with what is known of its end."""
    rows = store.rows(
        "SELECT c.id AS class_id, c.opening_day, c.city, c.notices,"
        " max(max(s.planned_end_us, coalesce(s.closed_us, 0))) AS end_us,"
        " coalesce(sum(s.state = 'open'), 0) AS open_sessions,"
        " coalesce(sum(s.state = 'planned'), 0) AS planned_sessions, e.day AS stated_day,"
        " EXISTS (SELECT 1 FROM legal_hold h WHERE h.class_id = c.id AND h.released_us IS NULL) AS on_hold"
        " FROM class c LEFT JOIN session s ON s.class_id = c.id"
        " AND s.close_reason IS NOT 'entered_by_mistake' LEFT JOIN training_end e ON e.class_id = c.id"
        " GROUP BY c.id ORDER BY c.id"
    )
    return [
        Training(
            **{**dict(row), "notices": tuple(json.loads(row["notices"])), "on_hold": bool(row["on_hold"])}
        )
        for row in rows
    ]


_ODD_US = 86_400_000_000
"""A session that was opened or closed further from its plan was so under a wrong clock: no footage is looked
for there (its class's end is the later of the two all the same)."""


def lessons(store: Store) -> list[Lesson]:
    """Every session whatever its state, by its start: footage of a cancelled lesson is that class's, too, but
    of one that was entered afterwards by mistake it is not."""
    rows = store.rows(
        "SELECT room, class_id, planned_start_us, planned_end_us, opened_us, closed_us FROM session"
        " WHERE close_reason IS NOT 'entered_by_mistake'"
    )
    found = []
    for row in rows:
        start_us, end_us = row["planned_start_us"], row["planned_end_us"]
        if row["opened_us"] is not None and abs(row["opened_us"] - start_us) <= _ODD_US:
            start_us = min(start_us, row["opened_us"])
        if row["closed_us"] is not None and abs(row["closed_us"] - end_us) <= _ODD_US:
            end_us = max(end_us, row["closed_us"])
        found.append(Lesson(row["room"], row["class_id"], start_us, end_us))
    return sorted(found, key=lambda lesson: lesson.start_us)

"""What people changed in a timetable: the rows. What an edit means and may do is agent/classes'."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.store.database import Row, Store

PlanRow = Mapping[str, Any]
"""room, kind, start_us, end_us, class_hours, breaks of a lesson."""


@dataclass(frozen=True, slots=True)
class EditRow:
    """What one edit did to one lesson."""

    number: int
    edit_id: str
    class_id: str
    session_id: str
    before: PlanRow | None
    """None: there was no lesson."""
    after: PlanRow | None
    """None: it was called off."""
    reason: str
    edited_us: int
    undoes: str | None


def insert(
    store: Store,
    *,
    edit_id: str,
    class_id: str,
    session_id: str,
    before: PlanRow | None,
    after: PlanRow | None,
    reason: str,
    edited_us: int,
    undoes: str | None,
) -> None:
    """In the caller's transaction."""
    store.insert(
        "timetable_edit",
        {
            "edit_id": edit_id,
            "class_id": class_id,
            "session_id": session_id,
            "before": None if before is None else json.dumps(before),
            "after": None if after is None else json.dumps(after),
            "reason": reason,
            "edited_us": edited_us,
            "undoes": undoes,
        },
    )


def edits_of(store: Store, class_id: str, limit: int = 1000) -> list[EditRow]:
    """The last `limit` rows of a class, the newest first."""
    rows = store.rows(
        "SELECT * FROM timetable_edit WHERE class_id = ? ORDER BY number DESC LIMIT ?", (class_id, limit)
    )
    return [_edit(row) for row in rows]


def history_of(store: Store, class_id: str) -> list[EditRow]:
    """Every row of a class, in their order."""
    rows = store.rows("SELECT * FROM timetable_edit WHERE class_id = ? ORDER BY number", (class_id,))
    return [_edit(row) for row in rows]


def edit_named(store: Store, class_id: str, beginning: str) -> list[EditRow]:
    """The rows of the edits of a class whose id begins so, in their order."""
    rows = store.rows(
        "SELECT * FROM timetable_edit WHERE class_id = ? AND substr(edit_id, 1, ?) = ? ORDER BY number",
        (class_id, len(beginning), beginning),
    )
    return [_edit(row) for row in rows]


def undone_by(store: Store, edit_id: str) -> str | None:
    """Id of the edit that took this one back."""
    row = store.row("SELECT edit_id FROM timetable_edit WHERE undoes = ? LIMIT 1", (edit_id,))
    return None if row is None else str(row["edit_id"])


def set_plan(store: Store, session_id: str, plan: PlanRow) -> None:
    """In the caller's transaction."""
    store.execute(
        "UPDATE session SET room = ?, kind = ?, planned_start_us = ?, planned_end_us = ?, class_hours = ?,"
        " breaks = ? WHERE id = ?",
        (
            plan["room"],
            plan["kind"],
            plan["start_us"],
            plan["end_us"],
            plan["class_hours"],
            json.dumps(plan["breaks"]),
            session_id,
        ),
    )


def insert_planned(store: Store, session_id: str, class_id: str, plan: PlanRow) -> None:
    """A new planned lesson, in the caller's transaction."""
    store.insert(
        "session",
        {
            "id": session_id,
            "class_id": class_id,
            "room": plan["room"],
            "kind": plan["kind"],
            "planned_start_us": plan["start_us"],
            "planned_end_us": plan["end_us"],
            "class_hours": plan["class_hours"],
            "breaks": json.dumps(plan["breaks"]),
            "state": "planned",
        },
    )


def shared_people(store: Store, class_id: str, other_id: str) -> dict[str, Sequence[str]]:
    """Role in `class_id` → ids of people who belong to both classes in the same role."""
    rows = store.rows(
        "SELECT a.role, a.person_id FROM enrolment a JOIN enrolment b ON b.person_id = a.person_id"
        " AND b.class_id = ? AND b.left_us IS NULL AND b.role = a.role"
        " WHERE a.class_id = ? AND a.left_us IS NULL ORDER BY a.person_id",
        (other_id, class_id),
    )
    found: dict[str, list[str]] = {"trainee": [], "teacher": []}
    for row in rows:
        found[row["role"]].append(row["person_id"])
    return dict(found)


def _edit(row: Row) -> EditRow:
    return EditRow(
        **{key: row[key] for key in ("number", "edit_id", "class_id", "session_id", "reason", "edited_us")},
        before=None if row["before"] is None else json.loads(row["before"]),
        after=None if row["after"] is None else json.loads(row["after"]),
        undoes=row["undoes"],
    )

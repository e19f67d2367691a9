"""What the forms under a class's timetable offer to choose from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from agent.classes.attendance_table import ClassAttendance
from agent.classes.lesson_plan import LessonPlan
from agent.classes.make_up_standing import MISSED
from agent.store import classes, timetable_edits
from agent.store.bindings import ENTERED
from agent.store.classes import Person, Session
from agent.store.database import Store

MOST_EDITS: Final = 40
"""Offered to be taken back; older ones at the console."""
MOST_HELD: Final = 40
"""The latest lessons that were held; of those too long ago the refusal says so."""


@dataclass(frozen=True, slots=True)
class MissedChoice:
    """A class hour that trainees missed."""

    session: Session
    hour: int
    start_us: int
    people: int

    @property
    def value(self) -> str:
        return f"{self.session.id}:{self.hour}"


@dataclass(frozen=True, slots=True)
class EditChoice:
    """One change of an edit that stands."""

    edit_id: str
    edited_us: int
    before: LessonPlan | None
    after: LessonPlan | None
    reason: str


@dataclass(frozen=True, slots=True)
class Forms:
    """Of one class."""

    open_to_change: list[Session]
    """Planned ones, and the one that is on."""
    held: list[Session]
    """Those whose times can still be put right to the ones at which they were held."""
    make_ups: list[Session]
    missed: list[MissedChoice]
    trainees: list[Person]
    edits: list[EditChoice]


def read_forms(store: Store, class_id: str, attendance: ClassAttendance | None) -> Forms:
    """`attendance`: None where the class's notices are not known here; nothing can be made up then."""
    sessions = [each for each in classes.sessions(store, class_id=class_id) if not each.was_planned_again]
    alive = [each for each in sessions if each.state != "cancelled"]
    return Forms(
        [each for each in alive if each.state in ("planned", "open")],
        [each for each in alive if each.state == "closed" and each.close_reason != ENTERED][-MOST_HELD:],
        [each for each in alive if each.kind == "make_up"],
        [] if attendance is None else _missed(attendance),
        [person for person in classes.people_of(store, class_id) if person.role == "trainee"],
        _edits(store, class_id),
    )


def _missed(attendance: ClassAttendance) -> list[MissedChoice]:
    found = []
    for held in attendance.hours:
        if not held.is_over or held.session.kind not in ("theory", "practical"):
            continue
        people = sum(each.cells[held.key].state in MISSED for each in attendance.current)
        if people:
            found.append(MissedChoice(held.session, held.hour.number, held.hour.start_us, people))
    return found


def _edits(store: Store, class_id: str) -> list[EditChoice]:
    rows = timetable_edits.edits_of(store, class_id, MOST_EDITS)
    undone = {row.undoes for row in rows}
    return [
        EditChoice(
            row.edit_id,
            row.edited_us,
            None if row.before is None else LessonPlan.of(row.before),
            None if row.after is None else LessonPlan.of(row.after),
            row.reason,
        )
        for row in rows
        if row.edit_id not in undone
    ]

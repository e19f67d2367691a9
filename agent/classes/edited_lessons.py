"""What people edited in a timetable, as a later class file meets it: the edits stand.

A class file is written once and comes again with a corrected name a month later; its timetable is then older
than the edits. So a row of it that says what a lesson was before an edit is that lesson, as it is now. A row
that says neither what it was nor what it is cannot be both, and is a problem that names the edit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from agent.classes.lesson_plan import LessonPlan, plan_of, said
from agent.store import classes as table
from agent.store import timetable_edits
from agent.store.classes import Session
from agent.store.database import Store


@dataclass(frozen=True, slots=True)
class EditedLesson:
    """A lesson whose plan is what an edit made of it: no import has changed it since."""

    session: Session
    earlier: frozenset[LessonPlan]
    """What it was before its edits."""
    was_added: bool
    """By an edit: no class file needs to have it."""
    edit_id: str
    """Its last edit."""

    @property
    def is_called_off(self) -> bool:
        return self.session.state == "cancelled"

    def was_at(self, room: str, start_us: int) -> bool:
        """Whether it once stood there in the timetable."""
        return any((plan.room, plan.start_us) == (room, start_us) for plan in self.earlier)

    def said(self) -> str:
        """What it was, what became of it, by which edit. Impersonal: the edit's reason stays where it is."""
        now = "已取消 called off" if self.is_called_off else said(plan_of(self.session))
        was = "；".join(sorted(said(plan) for plan in self.earlier)) or "新加 added"
        return f"{was} → {now}（改动 edit {self.edit_id[:8]}）"

    def conflict(self, row: str) -> str:
        """Why `row` of a class file, or its lacking the lesson, cannot be taken."""
        return (
            f"{row}: 与改动不符 / is at odds with an edit: {self.said()}. "
            "请把文件改成现在的课程表，或以文件为准（class import --over-edits，可用 class undo 撤销）"
            " / "
            "write the timetable as it is now into the file, or let the file replace the edits (class import "
            "--over-edits), which class undo takes back"
        )


def edited_lessons(store: Store, class_id: str) -> list[EditedLesson]:
    """The edited lessons of a class that are as their last edit left them."""
    sessions = {session.id: session for session in table.sessions(store, class_id=class_id)}
    rows: dict[str, list[timetable_edits.EditRow]] = {}
    for row in timetable_edits.history_of(store, class_id):
        rows.setdefault(row.session_id, []).append(row)
    found = []
    for session_id, history in rows.items():
        session, last = sessions.get(session_id), history[-1]
        if session is None or session.was_planned_again or not _stands(session, last):
            continue
        plans = [LessonPlan.of(row.before) for row in history if row.before is not None]
        earlier = frozenset(
            plan for plan in plans if session.state == "cancelled" or plan != plan_of(session)
        )
        found.append(EditedLesson(session, earlier, history[0].before is None, last.edit_id))
    return found


def _stands(session: Session, last: timetable_edits.EditRow) -> bool:
    if last.after is None:
        return session.state == "cancelled"
    return session.state != "cancelled" and asdict(plan_of(session)) == asdict(LessonPlan.of(last.after))


@dataclass
class Edits:
    """The edits that still wait for their row of the file; each is met once."""

    waiting: list[EditedLesson]

    def take(self, plan: LessonPlan) -> EditedLesson | None:
        """The lesson that `plan` is what it was of."""
        return self._pop(next((each for each in self.waiting if plan in each.earlier), None))

    def of(self, session_id: str) -> EditedLesson | None:
        """Of a lesson that the file has as it is, or at its time."""
        return self._pop(next((each for each in self.waiting if each.session.id == session_id), None))

    def at(self, room: str, start_us: int) -> EditedLesson | None:
        """A lesson that stood there before it was moved or called off."""
        return self._pop(next((each for each in self.waiting if each.was_at(room, start_us)), None))

    def rest(self) -> Iterator[EditedLesson]:
        """Still planned, and in the file neither as they were nor as they are."""
        return (each for each in self.waiting if each.session.state == "planned")

    def _pop(self, found: EditedLesson | None) -> EditedLesson | None:
        if found is not None:
            self.waiting.remove(found)
        return found

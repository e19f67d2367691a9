"""The timetable of a class document: which lessons are new, changed or called off."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from agent.classes import timetable_conflicts
from agent.classes.class_hours import breaks_problem
from agent.classes.document import ClassDocument, PlannedSession
from agent.classes.edited_lessons import EditedLesson, Edits, edited_lessons
from agent.classes.lesson_plan import LessonPlan, plan_of, plan_of_row, said
from agent.classes.problems import ClassFileError
from agent.clock import Stamp
from agent.store import classes as table
from agent.store import continuity
from agent.store.bindings import ENTERED
from agent.store.classes import Session
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact

COUNTS: Final = (
    "sessions_added",
    "sessions_changed",
    "sessions_cancelled",
    "sessions_attached",
    "sessions_passed_over",
    "sessions_kept_as_edited",
)


@dataclass
class _Merge:
    """The timetable of a document on its way into the rows."""

    existing: dict[tuple[str, int], Session]
    edits: Edits
    counts: dict[str, int]
    file_plans: frozenset[LessonPlan]
    """Of every row of the document."""
    kept: list[EditedLesson] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)

    def keep(self, edited: EditedLesson) -> None:
        session = edited.session
        found = self.existing.get((session.room, session.planned_start_us))
        if found is not None and found.id == session.id:
            del self.existing[session.room, session.planned_start_us]
        self.kept.append(edited)

    def match_unchanged(self, planned: PlannedSession) -> bool:
        """Whether the lesson stands in the timetable just so, or is one that was edited since."""
        key, plan = (planned.room, planned.start_us), plan_of_row(planned)
        session = self.existing.get(key)
        if session is None or plan_of(session) != plan:
            return False
        mine = self.edits.of(session.id)
        before = None if mine is None else self.edits.take(plan)
        if mine is not None and before is not None and mine.earlier & self.file_plans:
            # The row is of the lesson that stood here before; the one that was moved here has its own.
            self.edits.waiting.append(mine)
            self.keep(before)
            return True
        if before is not None:
            self.edits.waiting.append(before)
        del self.existing[key]
        return True

    def match_edited(self, planned: PlannedSession) -> bool:
        edited = self.edits.take(plan_of_row(planned))
        if edited is not None:
            self.keep(edited)
        return edited is not None

    def is_at_odds(self, planned: PlannedSession, session: Session | None) -> bool:
        """Whether the row says of an edited lesson neither what it was nor what it is; noted. One that was
        held stays as it was, whatever the row says."""
        if session is not None and session.state == "closed":
            return False
        edited = (
            self.edits.of(session.id)
            if session is not None
            else self.edits.at(planned.room, planned.start_us)
        )
        if edited is not None:
            self.conflicts.append(edited.conflict(f"sessions {said(plan_of_row(planned))}"))
        return edited is not None


def write_timetable(
    store: Store, stamp: Stamp, document: ClassDocument, *, simulated: bool, over_edits: bool = False
) -> tuple[dict[str, int], tuple[str, ...]]:
    """Add, change and cancel planned lessons; counts for the report, and the edits that were kept. In the
    caller's transaction. ClassFileError when a lesson that is still to end lies over one that was held, and
    when a row is at odds with an edit.

    A lesson is the same when room and start are; one that was edited since (agent/classes/edited_lessons.py)
    also when the document has it as it was, and then it stays as it is now. `over_edits`: the document is
    put over the edits. One that is open takes a new end (it was extended), one that was held stays as it
    was. One whose time is over is taken in as held when its room was filmed then and no other lesson was (it
    was entered late, R5); else it is passed over.
    """
    class_id = document.training_class.id
    existing = {
        (s.room, s.planned_start_us): s
        for s in table.sessions(store, class_id=class_id, states=("planned", "open", "closed"))
        if not s.was_planned_again
    }
    held = [session for session in existing.values() if session.state == "closed"]
    merge = _Merge(
        existing,
        Edits([] if over_edits else edited_lessons(store, class_id)),
        dict.fromkeys(COUNTS, 0),
        frozenset(plan_of_row(planned) for planned in document.sessions),
    )
    # In the order of time: a lesson that is on is the first that it can be.
    rows = sorted(document.sessions, key=lambda each: each.start_us)
    rows = [planned for planned in rows if not merge.match_unchanged(planned)]
    for planned in [planned for planned in rows if not merge.match_edited(planned)]:
        session = existing.pop((planned.room, planned.start_us), None) or _running(existing, planned)
        if not merge.is_at_odds(planned, session):
            _write(store, stamp, class_id, planned, session, held, merge, simulated=simulated)
    for edited in merge.edits.rest():
        if edited.was_added:
            merge.keep(edited)
        else:
            merge.conflicts.append(edited.conflict("sessions: 文件中没有这次课 / the file lacks a lesson"))
    merge.conflicts += _in_the_way(store, class_id, merge.kept)
    if merge.conflicts:
        raise ClassFileError(merge.conflicts)
    for session in existing.values():
        if session.state == "planned":
            _call_off(store, stamp, session, simulated=simulated)
            merge.counts["sessions_cancelled"] += 1
    merge.counts["sessions_kept_as_edited"] = len(merge.kept)
    return merge.counts, tuple(edited.said() for edited in merge.kept)


def _write(
    store: Store,
    stamp: Stamp,
    class_id: str,
    planned: PlannedSession,
    session: Session | None,
    held: Sequence[Session],
    merge: _Merge,
    *,
    simulated: bool,
) -> None:
    """One lesson of the document; `session` is what it is in the timetable."""
    if session is None and planned.end_us <= stamp.wall_us and stamp.clock_state == "synchronised":
        if was_filmed_for_nobody_else(store, planned):
            attach(store, stamp, class_id, planned, simulated=simulated)
            merge.counts["sessions_attached"] += 1
        else:
            merge.counts["sessions_passed_over"] += 1
    elif session is None:
        merge.conflicts += _held_then(held, planned)
        _insert_session(store, class_id, planned)
        merge.counts["sessions_added"] += 1
    elif session.state in ("planned", "open") and _differs(session, planned):
        store.execute(
            "UPDATE session SET kind = ?, planned_end_us = ?, class_hours = ?, breaks = ? WHERE id = ?",
            (
                planned.kind,
                planned.end_us,
                planned.class_hours,
                json.dumps(_breaks_of(session, planned)),
                session.id,
            ),
        )
        merge.counts["sessions_changed"] += 1


def _in_the_way(store: Store, class_id: str, kept: Sequence[EditedLesson]) -> list[str]:
    """Lessons of the file at the time and place of a lesson that was moved there."""
    training_class = table.training_class(store, class_id)
    touched = [(each.session.id, each.said()) for each in kept if each.session.state in ("planned", "open")]
    return [] if training_class is None else timetable_conflicts.found(store, training_class, touched)[0]


def _call_off(store: Store, stamp: Stamp, session: Session, *, simulated: bool) -> None:
    """It stands in the document no more."""
    table.set_cancelled(store, session.id, stamp.wall_us, "timetable")
    fact = Fact(
        FactType.SESSION_CANCELLED,
        subject=f"session/{session.id}",
        simulated=simulated,
        class_id=session.class_id,
        session_id=session.id,
        data={"reason": "timetable", "planned_start_us": session.planned_start_us},
    )
    state_fact(store, stamp, fact)


def _held_then(held: Sequence[Session], planned: PlannedSession) -> list[str]:
    """Held once more, its class hours would be asked of everybody twice."""
    return [
        f"sessions {planned.start:%Y-%m-%d %H:%M} {planned.room}: "
        f"本班此时的课已上完，时间不能再改：{said(plan_of(session))} / "
        f"the class's lesson of that time was held and stays as it was: {said(plan_of(session))}"
        for session in held
        if session.planned_start_us < planned.end_us and planned.start_us < session.planned_end_us
    ]


def _running(existing: dict[tuple[str, int], Session], planned: PlannedSession) -> Session | None:
    """The open lesson that `planned` moves, taken out of `existing`: it began under the old plan and cannot
    begin again."""
    for key, session in existing.items():
        if (
            session.state == "open"
            and session.room == planned.room
            and session.planned_start_us < planned.end_us
            and planned.start_us < session.planned_end_us
        ):
            return existing.pop(key)
    return None


def was_filmed_for_nobody_else(store: Store, planned: PlannedSession) -> bool:
    others = table.sessions(
        store,
        room=planned.room,
        from_us=planned.start_us,
        until_us=planned.end_us,
        states=("planned", "open", "closed"),
    )
    is_taken = not all(other.was_planned_again for other in others)
    return not is_taken and continuity.was_filmed(store, planned.room, planned.start_us, planned.end_us)


def attach(store: Store, stamp: Stamp, class_id: str, planned: PlannedSession, *, simulated: bool) -> str:
    """A lesson that was held before anybody entered it, in the caller's transaction; returns its id. Footage
    belongs to it by its time, as to any other; check-ins it has none."""
    session_id = _insert_session(store, class_id, planned)
    # At once: for an instant it would be the second open lesson beside the one that runs now.
    store.execute(
        "UPDATE session SET state = 'closed', opened_us = ?, closed_us = ?, close_reason = ? WHERE id = ?",
        (planned.start_us, planned.end_us, ENTERED, session_id),
    )
    data = {
        "reason": ENTERED,
        "kind": planned.kind,
        "planned_start_us": planned.start_us,
        "planned_end_us": planned.end_us,
        "closed_us": planned.end_us,
        "present": 0,
    }
    state_fact(
        store,
        stamp,
        Fact(
            FactType.SESSION_CLOSED,
            subject=f"session/{session_id}",
            simulated=simulated,
            class_id=class_id,
            session_id=session_id,
            data=data,
        ),
    )
    return session_id


def _insert_session(store: Store, class_id: str, planned: PlannedSession) -> str:
    session_id = str(uuid.uuid4())
    store.insert(
        "session",
        {
            "id": session_id,
            "class_id": class_id,
            "room": planned.room,
            "kind": planned.kind,
            "planned_start_us": planned.start_us,
            "planned_end_us": planned.end_us,
            "class_hours": planned.class_hours,
            "breaks": json.dumps(planned.breaks_us),
            "state": "planned",
        },
    )
    return session_id


def _differs(session: Session, planned: PlannedSession) -> bool:
    return (session.kind, session.planned_end_us, session.class_hours, session.breaks) != (
        planned.kind,
        planned.end_us,
        planned.class_hours,
        _breaks_of(session, planned),
    )


def _breaks_of(session: Session, planned: PlannedSession) -> tuple[tuple[int, int], ...]:
    """An open lesson keeps its start, whatever `planned` says: breaks that do not fit it are none."""
    breaks = planned.breaks_us
    plan = session.planned_start_us, planned.end_us, planned.class_hours
    return () if breaks_problem(*plan, breaks) is not None else breaks

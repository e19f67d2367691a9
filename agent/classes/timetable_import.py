"""The timetable of a class document: which lessons are new, changed or called off."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence

from agent.classes.class_hours import breaks_problem
from agent.classes.document import ClassDocument, PlannedSession
from agent.classes.lesson_plan import plan_of, said
from agent.classes.problems import ClassFileError
from agent.clock import Stamp
from agent.store import classes as table
from agent.store import continuity
from agent.store.bindings import ENTERED
from agent.store.classes import Session
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact


def write_timetable(
    store: Store, stamp: Stamp, document: ClassDocument, *, simulated: bool
) -> dict[str, int]:
    """Add, change and cancel planned lessons; counts for the report. In the caller's transaction.
    ClassFileError when a lesson that is still to end lies over one that was held.

    A lesson is the same when room and start are. One that is open takes a new end (it was extended), one
    that was held stays as it was. One whose time is over is taken in as held when its room was filmed then
    and no other lesson was (it was entered late, R5); else it is passed over.
    """
    class_id = document.training_class.id
    existing = {
        (s.room, s.planned_start_us): s
        for s in table.sessions(store, class_id=class_id, states=("planned", "open", "closed"))
        if not s.was_planned_again
    }
    held = [session for session in existing.values() if session.state == "closed"]
    counts = dict.fromkeys(
        (
            "sessions_added",
            "sessions_changed",
            "sessions_cancelled",
            "sessions_attached",
            "sessions_passed_over",
        ),
        0,
    )
    conflicts: list[str] = []
    # In the order of time: a lesson that is on is the first that it can be.
    for planned in sorted(document.sessions, key=lambda each: each.start_us):
        session = existing.pop((planned.room, planned.start_us), None) or _running(existing, planned)
        if session is None and planned.end_us <= stamp.wall_us and stamp.clock_state == "synchronised":
            if was_filmed_for_nobody_else(store, planned):
                attach(store, stamp, class_id, planned, simulated=simulated)
                counts["sessions_attached"] += 1
            else:
                counts["sessions_passed_over"] += 1
        elif session is None:
            conflicts += _held_then(held, planned)
            _insert_session(store, class_id, planned)
            counts["sessions_added"] += 1
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
            counts["sessions_changed"] += 1
    if conflicts:
        raise ClassFileError(conflicts)
    for session in existing.values():
        if session.state == "planned":
            table.set_cancelled(store, session.id, stamp.wall_us, "timetable")
            counts["sessions_cancelled"] += 1
            state_fact(
                store,
                stamp,
                Fact(
                    FactType.SESSION_CANCELLED,
                    subject=f"session/{session.id}",
                    simulated=simulated,
                    class_id=class_id,
                    session_id=session.id,
                    data={"reason": "timetable", "planned_start_us": session.planned_start_us},
                ),
            )
    return counts


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

"""What a timetable must not hold after an edit: two lessons at once in a room, of a class or a teacher."""

from __future__ import annotations

from collections.abc import Sequence

from agent.classes.lesson_plan import plan_of, said
from agent.store import classes as table
from agent.store import timetable_edits
from agent.store.classes import Session, TrainingClass
from agent.store.database import Store


def found(
    store: Store, training_class: TrainingClass, touched: Sequence[tuple[str, str]]
) -> tuple[list[str], list[str]]:
    """(problems, warnings) of the lessons `touched`, as (session, its name in the edit), by the rows as they
    are now. Each pair of lessons once."""
    problems: list[str] = []
    warnings: list[str] = []
    seen: set[frozenset[str]] = set()
    for session_id, name in touched:
        session = table.session(store, session_id)
        if session is None or session.state == "cancelled":
            continue
        for other in _at_the_same_time(store, session):
            pair = frozenset((session.id, other.id))
            if pair in seen:
                continue
            seen.add(pair)
            problem = _problem(store, training_class, session, other)
            if problem is not None:
                problems.append(f"{name}: {problem}")
            else:
                warnings += [f"{name}: {line}" for line in _warnings(store, session, other)]
    return problems, warnings


def _at_the_same_time(store: Store, session: Session) -> list[Session]:
    others = table.sessions(
        store,
        from_us=session.planned_start_us,
        until_us=session.planned_end_us,
        states=("planned", "open", "closed"),
    )
    return [other for other in others if other.id != session.id and not other.was_planned_again]


def _problem(store: Store, training_class: TrainingClass, session: Session, other: Session) -> str | None:
    which = f"{other.class_id} {said(plan_of(other))}"
    if other.room == session.room:
        return f"教室已排给 / the room is taken by: {which}"
    if other.class_id == session.class_id:
        return f"本班同时另有一课 / the class has another lesson then: {which}"
    teachers = {
        person.id
        for class_id in (session.class_id, other.class_id)
        for person in table.people_of(store, class_id)
        if person.role == "teacher"
    }
    shared = timetable_edits.shared_people(store, session.class_id, other.class_id)["teacher"]
    if shared and len(teachers) == 1:
        return f"两班唯一的教师同时另有一课 / the only teacher of both classes has another lesson: {which}"
    return None


def _warnings(store: Store, session: Session, other: Session) -> list[str]:
    shared = timetable_edits.shared_people(store, session.class_id, other.class_id)
    return [
        f"有{len(shared[role])}名{zh}同时属于另一课 / "
        f"{len(shared[role])} {en} belong to another lesson then: "
        f"{other.class_id} {said(plan_of(other))}"
        for role, zh, en in (("teacher", "教师", "teachers"), ("trainee", "学员", "trainees"))
        if shared[role]
    ]

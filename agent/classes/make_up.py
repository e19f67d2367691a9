"""Make-up lessons bound to the hours that were missed (R5): who, which hour, and the hour that stands for it.

A binding is a plan. Whether the make-up hour was held, recorded and attended is for the attendance table.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from agent.classes.attendance_table import TraineeAttendance
from agent.classes.class_hours import class_hours
from agent.classes.lesson_plan import TimetableError, local, plan_of, said
from agent.classes.make_up_standing import MISSED, refusal, why_nobody, without_make_up
from agent.classes.reckoned import Reckoned
from agent.classes.rules import rules_of
from agent.clock import Stamp
from agent.store import classes as table
from agent.store import make_ups
from agent.store.classes import Session
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.store.make_ups import MakeUp


@dataclass(frozen=True, slots=True)
class MissedHour:
    """A class hour, counted from 1, of a lesson."""

    session_id: str
    hour: int


def bind(
    store: Store,
    stamp: Stamp,
    session_id: str,
    missed: Sequence[MissedHour],
    people: Sequence[str] | None,
    reckoned: Reckoned,
) -> list[MakeUp]:
    """Let hours of the make-up lesson `session_id` stand for `missed`, for each of `people` (ids; None: all
    who missed the hour), in the CALLER's transaction, with the record. `reckoned` is that transaction's.

    TimetableError with every problem; the caller's transaction must then be rolled back.
    """
    if not store.in_transaction:
        raise RuntimeError("bind outside a transaction")
    session = _make_up_lesson(store, session_id)
    training_class = table.class_of(store, session)
    rules = rules_of(training_class, reckoned.policies)
    if not rules.demands("make_up_counts"):
        raise TimetableError(
            ["本班适用的文件不承认补课 / no notice of this class lets make-up lessons count (R5)"]
        )
    if problem := after_the_final(store, session):
        raise TimetableError([problem])
    attendance = reckoned.of(store, stamp, session.class_id)
    trainees = {each.person.id: each for each in attendance.current}
    problems: list[str] = []
    made: list[MakeUp] = []
    freed: list[MakeUp] = []
    for wanted in missed:
        problem = _missed_problem(store, stamp, session, wanted)
        if problem is not None:
            problems.append(problem)
            continue
        key, named = (wanted.session_id, wanted.hour), _named(store, wanted)
        asked = without_make_up(store, attendance, session.id, *key) if people is None else people
        if not asked:
            problems.append(f"{named}: {why_nobody(store, attendance, *key)}")
        for person in asked:
            trainee = trainees.get(person)
            if trainee is None:
                problems.append(f"{person}: 不是本班在册学员 / is no trainee of the class")
                continue
            before = make_ups.binding(store, person, *key)
            problem = _hour_problem(trainee, key)
            if problem is None and before is not None:
                problem = refusal(store, trainee, before, session.id, attendance)
            outcome = problem or _bind_one(store, stamp, session, wanted, person, before)
            if isinstance(outcome, MakeUp):
                made.append(outcome)
                freed += [before] if before else []
            else:
                problems.append(f"{named} {trainee.person.name}: {outcome}")
    if problems:
        raise TimetableError(problems)
    _state_released(store, stamp, freed, simulated=reckoned.simulated)
    _state(store, stamp, FactType.MAKE_UP_BOUND, session, made, simulated=reckoned.simulated)
    return made


def release_of(
    store: Store, stamp: Stamp, session_id: str, *, people: Collection[str] | None = None, simulated: bool
) -> int:
    """Take back the bindings of a make-up lesson, of `people` (ids) or all of them, in the CALLER's
    transaction, with the record; how many.

    TimetableError with everybody of `people` who is not bound to it.
    """
    bound = make_ups.bound_to(store, session_id)
    if people is not None:
        names = {each.person_id for each in bound}
        if unknown := [each for each in people if each not in names]:
            raise TimetableError(
                [
                    f"{each}: 没有安排在这次补课，见 timetable show / "
                    "is not bound to this make-up lesson, see `timetable show`"
                    for each in unknown
                ]
            )
        bound = [each for each in bound if each.person_id in people]
    for each in bound:
        make_ups.release(store, each)
    _state_released(store, stamp, bound, simulated=simulated)
    return len(bound)


def final_examination_us(store: Store, class_id: str) -> int | None:
    """When the class's last examination begins that was not called off; None without one."""
    found = table.sessions(store, class_id=class_id, states=("planned", "open", "closed"))
    return max(
        (e.planned_start_us for e in found if e.kind == "examination" and not e.was_planned_again),
        default=None,
    )


def after_the_final(store: Store, session: Session) -> str | None:
    """Why a make-up lesson can stand for nothing by its time; None when it can."""
    final_us = final_examination_us(store, session.class_id)
    if final_us is None or session.planned_end_us <= final_us:
        return None
    return (
        f"{said(plan_of(session))}: 补课须在结业考核前 / "
        "a make-up lesson ends before the final examination, "
        f"which begins {local(final_us):%Y-%m-%d %H:%M} (R5)"
    )


def misplaced(store: Store, class_id: str) -> list[str]:
    """What is wrong with the make-up lessons of a class that stand for something, after a change of the
    timetable."""
    lines = []
    for session_id in dict.fromkeys(each.session_id for each in make_ups.made_up(store, class_id)):
        session = table.session(store, session_id)
        if session is None or session.state == "cancelled":
            continue
        bound = make_ups.bound_to(store, session_id)
        if session.kind != "make_up" or max(each.hour for each in bound) > session.class_hours:
            lines.append(
                f"{said(plan_of(session))}: 已为{len(bound)}个缺课课时安排补课 / "
                f"stands for {len(bound)} missed hours: it stays a make-up lesson with as many class hours, "
                "or is released first (timetable make-up --release)"
            )
        if problem := after_the_final(store, session):
            lines.append(problem)
        ends = [_end_us(store, each) for each in bound]
        if None in ends:
            lines.append(
                f"{said(plan_of(session))}: 它所补的课时已不存在 / an hour that is made up by it stays an "
                "hour of its lesson, or is released first (timetable make-up --release)"
            )
        if any(end_us is not None and end_us > session.planned_start_us for end_us in ends):
            lines.append(
                f"{said(plan_of(session))}: 补课须在缺课之后 / lies before an hour that it stands for"
            )
    return lines


def _make_up_lesson(store: Store, session_id: str) -> Session:
    session = table.session(store, session_id)
    if session is None or session.kind != "make_up" or session.state == "cancelled":
        raise TimetableError(
            [
                f"{session_id[:36]}: 不是补课，或已取消；请先排一次补课 / "
                "is no make-up lesson, or was called off: plan one first (timetable add --kind make_up)"
            ]
        )
    return session


def _missed_problem(store: Store, stamp: Stamp, session: Session, wanted: MissedHour) -> str | None:
    missed = table.session(store, wanted.session_id)
    if missed is None or missed.class_id != session.class_id:
        return f"{wanted.session_id[:36]}: 本班没有这次课 / the class has no such lesson"
    if missed.kind in ("make_up", "examination"):
        return f"{said(plan_of(missed))}: 补课和考试不能再补 / neither is made up again"
    if missed.was_planned_again:
        return (
            f"{said(plan_of(missed))}: 因时钟错误打开，已重新排课 / "
            "was opened by a wrong clock and planned again: nothing was missed"
        )
    if missed.state == "cancelled":
        return f"{said(plan_of(missed))}: 已取消，没有课时可补 / was called off: nothing was missed"
    if not 1 <= wanted.hour <= missed.class_hours:
        return f"{said(plan_of(missed))}: 没有第{wanted.hour}课时 / has no class hour {wanted.hour}"
    end_us = class_hours(missed)[wanted.hour - 1].end_us
    if missed.state == "planned" or end_us > stamp.wall_us:
        return f"{_named(store, wanted)}: 还没有上完，谈不上缺课 / is not over: nothing was missed yet"
    if end_us > session.planned_start_us:
        return f"{_named(store, wanted)}: 补课须在缺课之后 / the make-up lesson begins before it was over"
    return None


def _hour_problem(trainee: TraineeAttendance, key: tuple[str, int]) -> str | None:
    state = trainee.cells[key].state
    return None if state in MISSED else f"没有缺课，无须补 / missed nothing there: {state}"


def _bind_one(
    store: Store, stamp: Stamp, session: Session, wanted: MissedHour, person: str, before: MakeUp | None
) -> MakeUp | str:
    """`before`: the binding whose place this one takes; the log keeps that it was."""
    taken = make_ups.hours_taken(store, person, session.id)
    free = next((hour for hour in range(1, session.class_hours + 1) if hour not in taken), None)
    if free is None:
        return (
            f"这次补课只有{session.class_hours}课时，都已安排 / "
            f"all {session.class_hours} class hours of this lesson stand for others of this trainee"
        )
    if before is not None:
        make_ups.release(store, before)
    made = MakeUp(session.id, free, person, wanted.session_id, wanted.hour, stamp.wall_us)
    make_ups.bind(store, made)
    return made


def _end_us(store: Store, bound: MakeUp) -> int | None:
    """Of the missed hour; None when its lesson has no such hour any more."""
    missed = table.session(store, bound.missed_session_id)
    hours = () if missed is None else class_hours(missed)
    return next((hour.end_us for hour in hours if hour.number == bound.missed_hour), None)


def _named(store: Store, wanted: MissedHour) -> str:
    missed = table.session(store, wanted.session_id)
    day = "?" if missed is None else f"{local(missed.planned_start_us):%Y-%m-%d %H:%M}"
    return f"{day} 第{wanted.hour}课时 hour {wanted.hour}"


def _state_released(store: Store, stamp: Stamp, bindings: Sequence[MakeUp], *, simulated: bool) -> None:
    """One record a make-up lesson."""
    for session_id in dict.fromkeys(each.session_id for each in bindings):
        session = table.session(store, session_id)
        if session is not None:
            of_it = [each for each in bindings if each.session_id == session_id]
            _state(store, stamp, FactType.MAKE_UP_RELEASED, session, of_it, simulated=simulated)


def _state(
    store: Store,
    stamp: Stamp,
    kind: FactType,
    session: Session,
    bindings: Iterable[MakeUp],
    *,
    simulated: bool,
) -> None:
    data: dict[str, Any] = {
        "bindings": [
            {
                "person": each.person_id,
                "hour": each.hour,
                "missed_session": each.missed_session_id,
                "missed_hour": each.missed_hour,
            }
            for each in bindings
        ]
    }
    subject = f"session/{session.id}"
    fact = Fact(
        kind, subject, simulated=simulated, data=data, class_id=session.class_id, session_id=session.id
    )
    state_fact(store, stamp, fact)

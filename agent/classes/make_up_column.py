"""The column 补哪次课 of a timetable file: make-up lessons bound as they are planned (R5)."""

from __future__ import annotations

from collections.abc import Sequence

from agent.classes import make_up
from agent.classes.lesson_plan import LessonPlan, TimetableError
from agent.classes.make_up import MissedHour
from agent.classes.make_up_standing import why_nobody, without_make_up
from agent.classes.orders import Desk, lesson_named, missed_hour
from agent.classes.reckoned import Reckoned
from agent.classes.timetable_file import TimetableFile
from agent.clock import Stamp
from agent.store import classes as table
from agent.store import make_ups
from agent.store.classes import Session
from agent.store.database import Store


def bind_column(store: Store, stamp: Stamp, class_id: str, file: TimetableFile, desk: Desk) -> list[str]:
    """Bind every make-up lesson of `file` that says what it makes up, for all who missed it, in the CALLER's
    transaction; bilingual lines. What is bound already stays, so that the file may come again, and who was
    found absent since is bound then.

    TimetableError with every problem and its row; the caller's transaction must then be rolled back.
    """
    lines, problems = [], []
    reckoned = Reckoned(desk.policies, simulated=desk.simulated)
    for where, plan, missed in file.make_ups:
        try:
            session = _lesson_at(store, class_id, plan)
            wanted = _wanted(store, stamp, session, missed, reckoned)
            if wanted:
                made = make_up.bind(store, stamp, session.id, wanted, None, reckoned)
                lines.append(f"{where}: 已安排 bound {len(made)} 人次课时 / trainee class hours")
        except TimetableError as error:
            problems += [f"{where}: {problem}" for problem in error.problems]
    if problems:
        raise TimetableError(problems)
    return lines


def _wanted(
    store: Store, stamp: Stamp, session: Session, missed: Sequence[str], reckoned: Reckoned
) -> list[MissedHour]:
    """The class hours of the cell for which somebody is to be bound, or of which a problem is to be said: of
    a whole lesson those that somebody missed; TimetableError where that is none."""
    attendance = reckoned.of(store, stamp, session.class_id)
    bound = {(each.missed_session_id, each.missed_hour) for each in make_ups.bound_to(store, session.id)}
    wanted: list[MissedHour] = []
    for text in missed:
        hours = _hours(store, session.class_id, text)
        is_whole = len(hours) > 1
        if is_whole and not _was_held(store, hours[0]):
            wanted += hours  # `bind` says of each that it is not over
            continue
        left = [
            each
            for each in hours
            if without_make_up(store, attendance, session.id, each.session_id, each.hour)
        ]
        is_settled = session.state == "closed" or any((e.session_id, e.hour) in bound for e in hours)
        if not left and not is_settled:
            if is_whole:
                whys = [why_nobody(store, attendance, each.session_id, each.hour) for each in hours]
                raise TimetableError([f"{text}: {why}" for why in dict.fromkeys(whys)])
            left = hours  # `bind` says why not
        wanted += left
    return list(dict.fromkeys(wanted))


def _was_held(store: Store, missed: MissedHour) -> bool:
    found = table.session(store, missed.session_id)
    return found is not None and found.state == "closed"


def _lesson_at(store: Store, class_id: str, plan: LessonPlan) -> Session:
    found = [
        each
        for each in table.sessions(store, class_id=class_id)
        if (each.room, each.planned_start_us) == (plan.room, plan.start_us)
        and each.state != "cancelled"
        and not each.was_planned_again
    ]
    if len(found) != 1:
        raise TimetableError(["这次补课没有上或已取消 / that make-up lesson was not held, or was called off"])
    return found[0]


def _hours(store: Store, class_id: str, text: str) -> list[MissedHour]:
    """`2026-11-21 08:30` is the whole lesson, `2026-11-21 08:30:2` its second class hour."""
    if text.count(":") == 2:
        return [missed_hour(store, class_id, text)]
    found = lesson_named(store, class_id, text)
    return [MissedHour(found.id, number) for number in range(1, found.class_hours + 1)]

"""The column 补哪次课 of a timetable file: make-up lessons bound as they are planned (R5)."""

from __future__ import annotations

from agent.classes import make_up
from agent.classes.lesson_plan import LessonPlan, TimetableError
from agent.classes.make_up import MissedHour
from agent.classes.orders import Desk, lesson_named, missed_hour
from agent.classes.timetable_file import TimetableFile
from agent.clock import Stamp
from agent.store import classes as table
from agent.store import make_ups
from agent.store.classes import Session
from agent.store.database import Store


def bind_column(store: Store, stamp: Stamp, class_id: str, file: TimetableFile, desk: Desk) -> list[str]:
    """Bind every make-up lesson of `file` that says what it makes up, for all who missed it, in the CALLER's
    transaction; bilingual lines. What is bound already stays, so that the file may come again.

    TimetableError with every problem and its row; the caller's transaction must then be rolled back.
    """
    lines, problems = [], []
    for where, plan, missed in file.make_ups:
        try:
            session = _lesson_at(store, class_id, plan)
            bound = {
                (each.missed_session_id, each.missed_hour) for each in make_ups.bound_to(store, session.id)
            }
            hours = [hour for text in missed for hour in _hours(store, class_id, text)]
            wanted = [hour for hour in hours if (hour.session_id, hour.hour) not in bound]
            if wanted:
                made = make_up.bind(
                    store, stamp, session.id, wanted, None, policies=desk.policies, simulated=desk.simulated
                )
                lines.append(f"{where}: 已安排 bound {len(made)} 人次课时 / trainee class hours")
        except TimetableError as error:
            problems += [f"{where}: {problem}" for problem in error.problems]
    if problems:
        raise TimetableError(problems)
    return lines


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

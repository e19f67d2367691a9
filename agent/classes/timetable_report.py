"""A class's timetable as people read it: lessons, what was held of each class hour, make-ups, edits."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

from agent.classes.class_hours import MINUTE_US
from agent.classes.held import HourAsHeld, Standing, hours_as_held
from agent.classes.lesson_plan import LessonPlan, local, plan_of, said
from agent.classes.rules import rules_of
from agent.policy import PolicyError, shipped_policies
from agent.store import classes as table
from agent.store import make_ups
from agent.store.classes import Session, SessionState
from agent.store.database import Store
from agent.store.make_ups import MakeUp
from agent.store.timetable_edits import EditRow

STATES: Final[dict[SessionState, str]] = {
    "planned": "计划 planned",
    "open": "进行中 open",
    "closed": "结束 closed",
    "cancelled": "取消 cancelled",
}
STANDINGS: Final[dict[Standing, str]] = {
    "held": "已上 held",
    "short": "不足 SHORT",
    "not_held": "未上 not held",
    "not_yet": "未到 not yet",
}


@dataclass(frozen=True, slots=True)
class LessonReport:
    """One lesson."""

    session: Session
    hours: tuple[HourAsHeld, ...]
    stands_for: tuple[MakeUp, ...]
    """Of a make-up lesson."""
    made_up_by: tuple[MakeUp, ...]


def report(store: Store, class_id: str, now_us: int | None = None) -> list[LessonReport]:
    """Every lesson of a class that exists, in the order of time."""
    training_class = table.training_class(store, class_id)
    if training_class is None:
        raise KeyError(class_id)
    now_us = time.time_ns() // 1000 if now_us is None else now_us
    try:
        least = rules_of(training_class, shipped_policies()).number("class_hour_length")
    except PolicyError:
        least = None  # said where the rules themselves are shown
    least_us = 0 if least is None else round(least * MINUTE_US)
    return [
        LessonReport(
            session,
            hours_as_held(store, session, least_us, now_us),
            tuple(make_ups.bound_to(store, session.id)),
            tuple(make_ups.missed_in(store, session.id)),
        )
        for session in table.sessions(store, class_id=class_id)
    ]


def report_lines(lessons: Iterable[LessonReport]) -> Iterator[str]:
    count = 0
    for lesson in lessons:
        count += 1
        session = lesson.session
        reason = f" ({session.close_reason})" if session.close_reason else ""
        yield f"{session.id}  {said(plan_of(session))}  {STATES[session.state]}{reason}"
        if session.state in ("open", "closed"):
            yield "    " + "  ".join(
                f"{each.hour.number}: {STANDINGS[each.standing]} {each.held_us / MINUTE_US:.1f} min"
                + ("" if each.counted or each.standing == "not_yet" else " (未点人数 not counted)")
                for each in lesson.hours
            )
        for each in lesson.stands_for:
            yield (
                f"    补课 hour {each.hour}: {each.person_id[:8]} ← {each.missed_session_id[:8]}:"
                f"{each.missed_hour}"
            )
        for each in lesson.made_up_by:
            yield f"    第{each.missed_hour}课时 {each.person_id[:8]} → 补课 made up in {each.session_id[:8]}"
    if not count:
        yield "没有课 / no lesson: classroom-agent timetable import CLASS FILE"


def as_json(lessons: Iterable[LessonReport]) -> list[dict[str, Any]]:
    """Times in UTC microseconds; ids only, no name."""
    return [
        {
            "session": lesson.session.id,
            **asdict(plan_of(lesson.session)),
            "state": lesson.session.state,
            "opened_us": lesson.session.opened_us,
            "closed_us": lesson.session.closed_us,
            "reason": lesson.session.close_reason,
            "hours": [
                {
                    **asdict(each.hour),
                    "held_us": each.held_us,
                    "standing": each.standing,
                    "counted": each.counted,
                }
                for each in lesson.hours
            ],
            "stands_for": [asdict(each) for each in lesson.stands_for],
            "made_up_by": [asdict(each) for each in lesson.made_up_by],
        }
        for lesson in lessons
    ]


def edit_lines(rows: Iterable[EditRow]) -> list[str]:
    """One line a lesson, with the reason."""
    lines = []
    for row in rows:
        before = None if row.before is None else said(LessonPlan.of(row.before))
        after = None if row.after is None else said(LessonPlan.of(row.after))
        if before is None:
            what = f"加 added {after}"
        elif after is None:
            what = f"取消 called off {before}"
        else:
            what = f"改 changed {before} → {after}"
        undoes = f"  撤销 undoes {row.undoes[:8]}" if row.undoes else ""
        lines.append(
            f"{row.edit_id[:8]}  {local(row.edited_us):%Y-%m-%d %H:%M}  {row.session_id[:8]}  {what}{undoes}"
            f"  {row.reason}"
        )
    return lines


def finding_lines(store: Store, class_id: str) -> list[str]:
    """Where the plan falls short of the notices now."""
    found = table.training_class(store, class_id)
    warnings = () if found is None else found.warnings
    return [f"{each['rule']}: {each['zh']} / {each['en']}" for each in warnings]

"""A lesson's plan by itself: room, kind, time, class hours and breaks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Self

from agent.classes.class_hours import ClassHour, breaks_problem, cut_hours
from agent.classes.document import LONGEST_SESSION, SHANGHAI, PlannedSession
from agent.classes.row_checks import LONGEST_CLASS
from agent.store.classes import Session, SessionKind

KINDS: dict[SessionKind, str] = {
    "theory": "理论 theory",
    "practical": "实操 practical",
    "examination": "考试 examination",
    "make_up": "补课 make-up",
}


class TimetableError(Exception):
    """The timetable stays as it was. `problems` holds one bilingual line for every error found."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


@dataclass(frozen=True, slots=True)
class LessonPlan:
    """[start_us, end_us) in UTC microseconds; `breaks` lie between its class hours."""

    room: str
    kind: SessionKind
    start_us: int
    end_us: int
    class_hours: int
    breaks: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """From what `dataclasses.asdict` made of one."""
        return cls(**{**row, "breaks": tuple((start, end) for start, end in row["breaks"])})

    @property
    def hours(self) -> tuple[ClassHour, ...]:
        return cut_hours(self.start_us, self.end_us, self.class_hours, self.breaks)

    @property
    def runs_over_midnight(self) -> bool:
        """It ends on the classroom's next day, or at its first moment."""
        return local(self.end_us).date() > local(self.start_us).date()

    def moved(self, start_us: int) -> LessonPlan:
        """The same lesson at another time, breaks with it."""
        by = start_us - self.start_us
        breaks = tuple((first + by, last + by) for first, last in self.breaks)
        return LessonPlan(self.room, self.kind, start_us, self.end_us + by, self.class_hours, breaks)

    def problem(self, opening_day: str) -> str | None:
        """Why no lesson of a class that opened on `opening_day` can be planned so, bilingual; None when one
        can."""
        if not 0 < self.end_us - self.start_us <= LONGEST_SESSION // timedelta(microseconds=1):
            return "结束应晚于开始且不超过12小时 / expected to end after its start and within 12 hours of it"
        if not 1 <= self.class_hours <= 24:
            return f"课时 {self.class_hours}: 应为1到24 / class hours: expected 1 to 24"
        problem = breaks_problem(self.start_us, self.end_us, self.class_hours, self.breaks)
        if problem is not None:
            return f"{problem[0]} / {problem[1]}"
        opens, day = date.fromisoformat(opening_day), local(self.start_us).date()
        if not opens <= day <= opens + LONGEST_CLASS:
            return f"{day} 不在开班日 {opens} 之后两年内 / is not within two years after the opening day"
        return None


def plan_of(session: Session) -> LessonPlan:
    """As it stands in the timetable."""
    return LessonPlan(
        session.room,
        session.kind,
        session.planned_start_us,
        session.planned_end_us,
        session.class_hours,
        session.breaks,
    )


def plan_of_row(planned: PlannedSession) -> LessonPlan:
    """As a document has it."""
    return LessonPlan(
        planned.room, planned.kind, planned.start_us, planned.end_us, planned.class_hours, planned.breaks_us
    )


def local(wall_us: int) -> datetime:
    """In the classroom's time."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=wall_us)).astimezone(SHANGHAI)


def said(plan: LessonPlan) -> str:
    """`2026-11-21 08:30–11:30 room-101 理论 theory 4 课时`; an end on the next day says so."""
    next_day = "次日 next day " if plan.runs_over_midnight else ""
    text = (
        f"{local(plan.start_us):%Y-%m-%d %H:%M}–{next_day}{local(plan.end_us):%H:%M} {plan.room} "
        f"{KINDS[plan.kind]} {plan.class_hours} 课时 hours"
    )
    if plan.breaks:
        pauses = "、".join(f"{local(a):%H:%M}-{local(b):%H:%M}" for a, b in plan.breaks)
        text += f" 课间 breaks {pauses}"
    return text

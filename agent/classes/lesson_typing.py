"""Lesson plans from what people type: `2026-11-21`, `08:30`, times of the classroom; breaks, kinds."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from pydantic import ValidationError

from agent.classes.binding import BindingError, held_lesson
from agent.classes.class_hours import breaks_problem
from agent.classes.document import SHANGHAI, PlannedSession, microseconds
from agent.classes.lesson_plan import KINDS, LessonPlan, TimetableError, local, plan_of_row, said
from agent.classes.sheet_columns import KINDS as WORDS

POSSIBLE_YEARS = range(2000, 2200)
"""Others are slips, and the first and last that can be written are no time in UTC."""


class TypingError(TimetableError):
    """What was typed is no plan; nothing was looked up yet."""


def typed_plan(
    room: str, kind: str, day: str, start: str, end: str, class_hours: int, breaks: str | None
) -> LessonPlan:
    """`kind` in Chinese or as the documents have it; `breaks` as in a spreadsheet's cell. TypingError."""
    word = WORDS.get(kind, kind)
    if word not in KINDS:
        expected = " ".join([*WORDS, *KINDS])
        raise TypingError([f"类型 / kind {kind[:40]!r}: 应为 / expected {expected}"])
    try:
        planned = held_lesson(room, word, day, start, end, class_hours)
        if breaks is not None:
            planned = PlannedSession.model_validate(planned.model_dump() | {"breaks": breaks})
    except BindingError as error:
        raise TypingError([str(error)]) from error
    except ValidationError as error:
        raise TypingError([error.errors()[0]["msg"].removeprefix("Value error, ")]) from error
    return plan_of_row(planned)


def moved_plan(
    plan: LessonPlan,
    day: str,
    start: str,
    *,
    end: str | None = None,
    class_hours: int | None = None,
    breaks: str | None = None,
    room: str | None = None,
) -> LessonPlan:
    """At another time, as long as before and its breaks with it, where nothing else is said. TypingError;
    TimetableError when its breaks do not fit it any more."""
    after = replace(plan.moved(_instant_us(day, start)), room=room or plan.room)
    if end is None and class_hours is None and breaks is None:
        return after
    last = f"{local(after.end_us):%H:%M}" if end is None else end
    typed = typed_plan(after.room, plan.kind, day, start, last, class_hours or plan.class_hours, breaks)
    return typed if breaks is not None else _with_breaks(typed, after.breaks)


def extended_plan(
    plan: LessonPlan, end: str, *, class_hours: int | None = None, breaks: str | None = None
) -> LessonPlan:
    """With another end and the breaks that it had, where none are said. As `moved_plan`."""
    first = local(plan.start_us)
    day, start = f"{first:%Y-%m-%d}", f"{first:%H:%M:%S}"
    typed = typed_plan(plan.room, plan.kind, day, start, end, class_hours or plan.class_hours, breaks)
    return typed if breaks is not None else _with_breaks(typed, plan.breaks)


def _with_breaks(plan: LessonPlan, breaks: tuple[tuple[int, int], ...]) -> LessonPlan:
    after = replace(plan, breaks=breaks)
    problem = breaks_problem(plan.start_us, plan.end_us, plan.class_hours, breaks)
    if problem is not None:
        raise TimetableError(
            [
                f"{said(after)}: {problem[0]}；请重填课间（没有课间填 0） / {problem[1]}: its breaks as they "
                "were do not fit; type them anew, 0 for none"
            ]
        )
    return after


def _instant_us(day: str, clock: str) -> int:
    try:
        typed = datetime.fromisoformat(f"{day}T{clock}")
        if typed.year not in POSSIBLE_YEARS:
            raise ValueError(day)
        return microseconds(typed.replace(tzinfo=SHANGHAI))
    except ValueError as error:
        raise TypingError(
            ["日期写成 2026-11-21，时间写成 08:30 / write days as 2026-11-21 and times as 08:30"]
        ) from error

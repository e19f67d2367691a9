"""Lesson plans from what people type: `2026-11-21`, `08:30`, times of the classroom; breaks, kinds."""

from __future__ import annotations

from dataclasses import replace

from pydantic import ValidationError

from agent.classes.binding import BindingError, held_lesson
from agent.classes.class_hours import breaks_problem
from agent.classes.document import SHANGHAI, PlannedSession, microseconds
from agent.classes.document_values import plain
from agent.classes.lesson_plan import KINDS, LessonPlan, TimetableError, local, plan_of_row, said
from agent.classes.sheet_columns import KIND_WORDS as WORDS
from agent.classes.typed_times import (
    TimesError,
    UnreadableError,
    clock_written,
    day_written,
    end_after,
    interval,
)


class TypingError(TimetableError):
    """What was typed is no plan; nothing was looked up yet."""


def typed_plan(
    room: str, kind: str, day: str, start: str, end: str, class_hours: int, breaks: str | None
) -> LessonPlan:
    """`kind` in Chinese or as the documents have it; `breaks` as in a spreadsheet's cell. TypingError."""
    word = WORDS.get(plain(kind), kind)
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
    after = replace(plan.moved(_start_us(day, start)), room=room or plan.room)
    if end is not None:
        after = replace(after, end_us=_end_us(after, end))
    if end is None and class_hours is None and breaks is None:
        return after
    return _shaped(after, class_hours, breaks)


def extended_plan(
    plan: LessonPlan, end: str, *, class_hours: int | None = None, breaks: str | None = None
) -> LessonPlan:
    """With another end and the breaks that it had, where none are said. As `moved_plan`."""
    return _shaped(replace(plan, end_us=_end_us(plan, end)), class_hours, breaks)


def _shaped(plan: LessonPlan, class_hours: int | None, breaks: str | None) -> LessonPlan:
    """With so many class hours and such breaks, where they are said."""
    try:
        shaped = PlannedSession.model_validate(
            {
                "room": plan.room,
                "kind": plan.kind,
                "start": local(plan.start_us),
                "end": local(plan.end_us),
                "class_hours": class_hours or plan.class_hours,
                "breaks": breaks,
            }
        )
    except ValidationError as error:
        raise TypingError([error.errors()[0]["msg"].removeprefix("Value error, ")]) from error
    return plan_of_row(shaped) if breaks is not None else _with_breaks(plan_of_row(shaped), plan.breaks)


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


def _start_us(day: str, clock: str) -> int:
    try:
        first, _ = interval(day_written(day), clock, "24:00")
    except TimesError as error:
        typed = f"{day[:20]} {clock[:20]}"
        raise TypingError(
            [
                f"日期写成 2026-11-21，时间写成 08:30，不是 {typed!r} / "
                f"write days as 2026-11-21 and times as 08:30, not {typed!r}"
            ]
        ) from error
    return microseconds(first.replace(tzinfo=SHANGHAI))


def _end_us(plan: LessonPlan, text: str) -> int:
    """Of a lesson that runs over midnight a time before its start is the next day's."""
    first = local(plan.start_us).replace(tzinfo=None)
    try:
        last = end_after(first, clock_written(text, "end"), over_midnight=plan.runs_over_midnight)
    except TimesError as error:
        remedy = ("", "")
        if isinstance(error, UnreadableError):
            remedy = ("；时间写成 08:30", "; write the day as 2026-11-21 and times as 08:30")
        raise TypingError(
            [f"结束 end = {text[:40]!r}: {error.zh}{remedy[0]} / {error.en}{remedy[1]}"]
        ) from error
    return microseconds(last.replace(tzinfo=SHANGHAI))

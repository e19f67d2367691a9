"""One change of a class's timetable as people order it: at the console, on the page, in HR's signed message.

What somebody wrote is looked up here (a lesson by its id or by its start, a trainee by name or id) and done
by `timetable_edit` and `make_up`, in the CALLER's transaction. Whoever calls has checked HR's word.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from agent.classes import make_up, timetable_edit
from agent.classes.lesson_plan import LessonPlan, TimetableError, local, plan_of, said
from agent.classes.lesson_typing import TypingError, extended_plan, moved_plan, typed_plan
from agent.classes.make_up import MissedHour
from agent.classes.reckoned import Reckoned
from agent.classes.timetable_edit import Change, Edit
from agent.classes.timetable_report import edit_lines, finding_lines
from agent.clock import Stamp
from agent.policy import Policies
from agent.settings import Identifier
from agent.store import classes as table
from agent.store import timetable_edits
from agent.store.classes import Session
from agent.store.database import Store

Action = Literal["add", "move", "extend", "cancel", "undo", "held", "make_up", "release"]
Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=100)]

_START: Final = re.compile(r"^\d{4}-\d\d-\d\d[ T]\d\d:\d\d$")
_BEGINNING: Final = re.compile(r"^[0-9a-f-]{1,36}$")


class Order(BaseModel):
    """What is wanted, as it was typed. What an action does not need stays empty."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, populate_by_name=True)

    class_id: Annotated[Identifier, Field(alias="class")]
    action: Action
    reason: Annotated[str, StringConstraints(max_length=500)] = ""
    lesson: Text = ""
    """The lesson: its id, the beginning of it, or its start as planned now, `2026-11-21 08:30`."""
    edit: Text = ""
    """The edit to take back: its id, or the beginning of it."""
    kind: Text = "theory"
    day: Text = ""
    start: Text = ""
    end: Text = ""
    class_hours: Annotated[int, Field(ge=1, le=24)] | None = None
    breaks: Text = ""
    room: Text = ""
    missed: Annotated[tuple[Text, ...], Field(max_length=100)] = ()
    """Class hours that were missed: a lesson as above, a colon, the class hour: `2026-11-21 08:30:2`."""
    people: Annotated[tuple[Text, ...], Field(max_length=500)] = ()
    """Trainees by name or id; () means all who missed the hours, of a release all who are bound."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What orders are carried out with. `room` is the device's own."""

    room: str
    policies: Policies
    simulated: bool


@dataclass(frozen=True, slots=True)
class Done:
    """What an order did: an edit, or so many trainee class hours bound or released."""

    edit: Edit | None = None
    hours: int = 0


def carry_out(store: Store, stamp: Stamp, order: Order, desk: Desk) -> list[str]:
    """As `done`; what was done, in bilingual lines."""
    found = done(store, stamp, order, desk)
    if found.edit is not None:
        return lines_of(store, found.edit)
    word = "已安排 bound" if order.action == "make_up" else "已取消 released"
    return [f"{word} {found.hours} 人次课时 / trainee class hours"]


def done(
    store: Store,
    stamp: Stamp,
    order: Order,
    desk: Desk,
    source_sha256: str | None = None,
    reckoned: Reckoned | None = None,
) -> Done:
    """Do it in the caller's transaction, with its records. `source_sha256`: of what it was read from;
    `reckoned`: of that transaction, where it carries out several.

    TimetableError with every problem; the caller's transaction must then be rolled back.
    """
    if order.action == "make_up":
        reckoned = reckoned or Reckoned(desk.policies, simulated=desk.simulated)
        return Done(hours=_bind(store, stamp, order, reckoned))
    if order.action == "release":
        found = lesson_named(store, order.class_id, order.lesson)
        who = trainees_named(store, order.class_id, order.people) if order.people else None
        return Done(hours=make_up.release_of(store, stamp, found.id, people=who, simulated=desk.simulated))
    if order.action == "undo":
        made = timetable_edit.undo(
            store,
            stamp,
            order.class_id,
            order.edit,
            order.reason,
            room=desk.room,
            policies=desk.policies,
            simulated=desk.simulated,
            source_sha256=source_sha256,
        )
    else:
        changes = [_change(store, order, desk)]
        made = edit(store, stamp, order.class_id, changes, order.reason, desk, source_sha256)
    return Done(made)


def edit(
    store: Store,
    stamp: Stamp,
    class_id: str,
    changes: Sequence[Change],
    reason: str,
    desk: Desk,
    source_sha256: str | None = None,
) -> Edit:
    """`timetable_edit.edit` with a desk."""
    return timetable_edit.edit(
        store,
        stamp,
        class_id,
        changes,
        reason,
        room=desk.room,
        policies=desk.policies,
        simulated=desk.simulated,
        source_sha256=source_sha256,
    )


def lines_of(store: Store, done: Edit) -> list[str]:
    """What an edit did, what is to be noted, and where the plan falls short of the notices now."""
    session = table.session(store, done.sessions[0])
    if session is None:
        raise RuntimeError(f"edit {done.edit_id} without its lesson")
    lines = edit_lines(timetable_edits.edit_named(store, session.class_id, done.edit_id))
    lines += [f"注意 / note: {warning}" for warning in done.warnings]
    if done.make_ups_released:
        lines.append(f"{done.make_ups_released} 人次补课安排随之取消 / make-up bindings released with it")
    return lines + finding_lines(store, session.class_id)


def lesson_named(store: Store, class_id: str, text: str) -> Session:
    """A lesson of the class by its id, the beginning of it, or its start. TimetableError."""
    known = [each for each in table.sessions(store, class_id=class_id) if not each.was_planned_again]
    if _START.match(text):
        start = text.replace("T", " ")
        found = [
            each
            for each in known
            if each.state != "cancelled" and f"{local(each.planned_start_us):%Y-%m-%d %H:%M}" == start
        ]
    elif _BEGINNING.match(text):
        found = [each for each in known if each.id.startswith(text)]
    else:
        raise TypingError(
            [
                f"{text[:64]!r}: 应为课次编号或其开始时间 2026-11-21 08:30 / "
                "expected a lesson's id or its start, 2026-11-21 08:30"
            ]
        )
    if len(found) != 1:
        names = "；".join(f"{each.id[:8]} {said(plan_of(each))}" for each in found)
        raise TimetableError([f"{text}: 没有或不止一次课 / no lesson or several: {names or class_id}"])
    return found[0]


def missed_hour(store: Store, class_id: str, text: str) -> MissedHour:
    """`LESSON:HOUR`. TimetableError."""
    lesson, _, hour = text.rpartition(":")
    if not (lesson and hour.isascii() and hour.isdecimal() and len(hour) <= 2):
        raise TypingError(
            [f"{text[:64]!r}: 写作 课次:第几课时 / expected LESSON:HOUR, e.g. 1a2b3c4d:2, 2026-11-21 08:30:2"]
        )
    return MissedHour(lesson_named(store, class_id, lesson).id, int(hour))


def trainees_named(store: Store, class_id: str, words: Sequence[str]) -> list[str]:
    """Ids of trainees by name, id or the beginning of it. TimetableError with every word that fits none or
    several."""
    trainees = [person for person in table.people_of(store, class_id) if person.role == "trainee"]
    found, problems = [], []
    for word in words:
        fits = [p for p in trainees if p.name == word or (len(word) >= 4 and p.id.startswith(word))]
        if len(fits) == 1:
            found.append(fits[0].id)
        else:
            problems.append(f"{word[:40]!r}: 没有或不止一人，请写编号 / nobody or several: give the id")
    if problems:
        raise TimetableError(problems)
    return found


def _change(store: Store, order: Order, desk: Desk) -> Change:
    if order.action == "add":
        return Change(None, _added(order, desk))
    found = lesson_named(store, order.class_id, order.lesson)
    plan = plan_of(found)
    after = None
    if order.action == "move":
        after = moved_plan(
            plan,
            order.day,
            order.start,
            end=order.end or None,
            class_hours=order.class_hours,
            breaks=order.breaks or None,
            room=order.room or None,
        )
    elif order.action == "held":
        day = order.day or f"{local(plan.start_us):%Y-%m-%d}"
        after = moved_plan(plan, day, order.start, end=order.end, breaks=order.breaks or None)
    elif order.action == "extend":
        after = extended_plan(plan, order.end, class_hours=order.class_hours, breaks=order.breaks or None)
    return Change(plan, after, found.id, as_held=order.action == "held")


def _added(order: Order, desk: Desk) -> LessonPlan:
    if order.class_hours is None:
        raise TypingError(["请给出课时数 / say how many class hours it has"])
    return typed_plan(
        order.room or desk.room,
        order.kind,
        order.day,
        order.start,
        order.end,
        order.class_hours,
        order.breaks or None,
    )


def _bind(store: Store, stamp: Stamp, order: Order, reckoned: Reckoned) -> int:
    if not order.missed:
        raise TypingError(["请给出缺的课时 / say which class hours were missed: LESSON:HOUR"])
    found = lesson_named(store, order.class_id, order.lesson)
    wanted = [missed_hour(store, order.class_id, each) for each in order.missed]
    who = trainees_named(store, order.class_id, order.people) if order.people else None
    return len(make_up.bind(store, stamp, found.id, wanted, who, reckoned))

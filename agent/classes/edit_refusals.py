"""Why a change of a timetable is refused, before anything is written: what the lesson is by now, its times.

Under a clock that nobody vouches for "the past" refuses nothing, and is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from agent.classes import as_held
from agent.classes.lesson_plan import plan_of, said
from agent.clock import Stamp
from agent.store import classes as table
from agent.store.classes import Session, TrainingClass
from agent.store.database import Store

if TYPE_CHECKING:
    from agent.classes.timetable_edit import Change


def refusals(
    store: Store,
    stamp: Stamp,
    training_class: TrainingClass,
    change: Change,
    room: str,
    *,
    undone: bool,
    simulated: bool,
) -> Iterator[str]:
    session = None if change.session_id is None else table.session(store, change.session_id)
    if change.before is not None:
        if session is None or session.class_id != training_class.id:
            yield f"{change.name}: 本班没有这次课 / the class has no such lesson"
            return
        if session.state == "cancelled" or (session.state == "closed") != change.as_held:
            yield f"{change.name}: {_not_to_be_changed(session)}"
            return
        if plan_of(session) != change.before:
            now = said(plan_of(session))
            yield f"{change.name}: 此后又有改动，现为 / was changed since, it is now: {now}"
            return
        if change.as_held:
            how = {"is_undo": undone, "simulated": simulated}
            for line in as_held.refusals(store, stamp, session, change.after, **how):
                yield f"{change.name}: {line}"
            if change.after is not None and (problem := change.after.problem(training_class.opening_day)):
                yield f"{change.name}: {problem}"
            return
    if change.after is None:
        if session is not None and session.state == "open":
            yield f"{change.name}: 正在上课，不能取消 / is on and cannot be called off"
        return
    if change.after.room not in (room, *training_class.other_rooms):
        yield (
            f"{change.name}: 教室 / room {change.after.room!r}: 本设备只录 {room!r}"
            f"，其他教室须在班次文件 other_rooms 中 / this device films {room!r}; another device's room "
            "must stand in other_rooms of the class file"
        )
    yield from _time_refusals(stamp, training_class, change, session)


def _not_to_be_changed(session: Session) -> str:
    if session.state == "cancelled":
        return "已取消，不能改；可另加一次课 / was called off and stays as it is: add another lesson"
    if session.state == "closed":
        return f"已结束，不能改；{as_held.REMEDY[0]} / is over and stays as it is: {as_held.REMEDY[1]}"
    return (
        "还没有下课；下课之后才能按实际起止更正，此前用 timetable move 或 extend / "
        "is not over: its times as held are entered afterwards; until then use timetable move or extend"
    )


def _time_refusals(
    stamp: Stamp, training_class: TrainingClass, change: Change, session: Session | None
) -> Iterator[str]:
    after = change.after
    if after is None:
        return
    if problem := after.problem(training_class.opening_day):
        yield f"{change.name}: {problem}"
    if session is not None and session.state == "open":
        kept = (session.room, session.kind, session.planned_start_us)
        if kept != (after.room, after.kind, after.start_us):
            yield f"{change.name}: 正在上课，只能改结束时间 / is on: only its end can be changed"
        elif after.end_us < stamp.wall_us:
            yield f"{change.name}: 结束时间已过 / its end would be over already"
        return
    if _moves(change) and after.start_us <= stamp.wall_us and stamp.clock_state == "synchronised":
        yield (
            f"{change.name}: 开始时间已过；已上过的课请用 class bind 补录 / lies in the past; a lesson that "
            "was held and filmed is entered with `class bind`"
        )


def _moves(change: Change) -> bool:
    """It begins when nothing of it began before."""
    if change.after is None:
        return False
    return change.before is None or change.before.start_us != change.after.start_us


def doubts(stamp: Stamp, changes: Sequence[Change]) -> list[str]:
    """Under a clock that nobody vouches for "the past" refuses nothing, and is said."""
    if stamp.clock_state == "synchronised":
        return []
    return [
        f"{change.name}: 按设备时钟已过，但时钟未同步，请核对日期 / "
        "lies in the past by the device's clock, which is not synchronised: check the day"
        for change in changes
        if _moves(change) and change.after is not None and change.after.start_us <= stamp.wall_us
    ]

"""Footage of no lesson given to a class: a lesson that was held is entered afterwards, by HR."""

from __future__ import annotations

from pydantic import ValidationError

from agent.classes.document import PlannedSession
from agent.classes.timetable_import import attach, was_filmed_for_nobody_else
from agent.classes.typed_times import TimesError, UnreadableError, day_written, interval
from agent.clock import Stamp
from agent.errors import BilingualError
from agent.store import classes as table
from agent.store.classes import SessionKind
from agent.store.database import Store


class BindingError(BilingualError):
    """The footage cannot be given to that class; `zh` and `en` say why and what to do."""


def held_lesson(
    room: str, kind: SessionKind, day: str, start: str, end: str, class_hours: int
) -> PlannedSession:
    """From what people type: `2026-11-21`, `08:30`, `11:30`, times of the classroom. BindingError."""
    try:
        first, last = interval(day_written(day), start, end)
        return PlannedSession(room=room, kind=kind, start=first, end=last, class_hours=class_hours)
    except TimesError as error:
        label, value = {"date": ("日期", day), "start": ("开始", start), "end": ("结束", end)}[error.key]
        where = f"{label} {error.key} = {value[:40]!r}"
        if isinstance(error, UnreadableError):
            raise BindingError(
                f"日期写成 2026-11-21，时间写成 08:30，不是 {where}",
                "write the day as 2026-11-21 and times as 08:30",
            ) from error
        raise BindingError(f"{where}: {error.zh}", error.en) from error
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"]) or "end"
        raise BindingError(
            f"{where}: 结束须晚于开始且不超过 12 小时，课时 1 到 24",
            f"{where}: the end must come after the start within 12 hours, class hours are 1 to 24",
        ) from error


def bind(store: Store, stamp: Stamp, class_id: str, held: PlannedSession, *, simulated: bool) -> str:
    """Enter `held` as a closed lesson of the class, with its record; returns the session's id. What was
    filmed then belongs to it by its time, and is kept with the class. BindingError, and nothing changed."""
    with store.transaction():
        if table.training_class(store, class_id) is None:
            raise BindingError(
                f"没有班次 {class_id[:32]!r}：请先导入",
                f"there is no class {class_id[:32]!r}: import it first",
            )
        if held.end_us > stamp.wall_us:
            raise BindingError(
                "这次课还没有结束：请列入课表", "that lesson is not over yet: enter it in the timetable"
            )
        if not was_filmed_for_nobody_else(store, held):
            raise BindingError(
                f"教室 {held.room} 当时没有录像，或已有别的课次：请核对日期和时间",
                f"room {held.room} was not filmed then, or another lesson was: check day and times",
            )
        return attach(store, stamp, class_id, held, simulated=simulated)

"""A timetable by itself, for a class that is here already: XLSX, CSV or iCalendar, whole or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agent.classes.calendar_file import read_calendar
from agent.classes.checking import checked, place
from agent.classes.document import Timetable
from agent.classes.edited_lessons import edited_lessons
from agent.classes.lesson_plan import LessonPlan, TimetableError, plan_of, plan_of_row, said
from agent.classes.problems import ClassFileError
from agent.classes.reading import read_bounded
from agent.classes.roster_csv import read_csv
from agent.classes.sheet_columns import ROOM_IS_KNOWN, TIMETABLE_SHEET
from agent.classes.sheet_table import Workbook
from agent.classes.sheet_times import join_times
from agent.classes.timetable_edit import Change
from agent.classes.workbook import read_timetable_sheet
from agent.store import classes as table
from agent.store.bindings import TAKEN_BACK
from agent.store.classes import Session
from agent.store.database import Store


@dataclass(frozen=True, slots=True)
class TimetableFile:
    """Lessons with the place of each in the file."""

    lessons: tuple[tuple[str, LessonPlan], ...]
    sha256: str
    make_ups: tuple[tuple[str, LessonPlan, tuple[str, ...]], ...] = ()
    """Place, make-up lesson, and what it stands for (`PlannedSession.makes_up`), where the file says it."""


def read_timetable(path: Path, room: str, rooms: Mapping[str, str]) -> TimetableFile:
    """Read `path` (.xlsx, .csv, .ics by its name); lessons without a room are in `room`. `rooms` are places
    as a calendar names them and the rooms that they are. TimetableError with every problem at once."""
    try:
        data = read_bounded(path)
        book = _book(path, data, rooms)
        for entry in book.content.get("sessions", []):
            entry.setdefault("room", room)
        sessions = checked(Timetable, book, str(path)).sessions
    except ClassFileError as error:
        raise TimetableError(error.problems) from error
    lessons = tuple(
        (f"{path.name}: {place(('sessions', index), book.rows)}", plan_of_row(planned))
        for index, planned in enumerate(sessions)
    )
    bound = tuple(
        (*lesson, planned.makes_up)
        for lesson, planned in zip(lessons, sessions, strict=True)
        if planned.makes_up
    )
    return TimetableFile(lessons, hashlib.sha256(data).hexdigest(), bound)


def _book(path: Path, data: bytes, rooms: Mapping[str, str]) -> Workbook:
    match path.suffix.lower():
        case ".xlsx":
            return read_timetable_sheet(data, str(path))
        case ".csv":
            book = read_csv(data, str(path), TIMETABLE_SHEET, ROOM_IS_KNOWN)
            join_times(book, str(path))
            return book
        case ".ics":
            return read_calendar(data, str(path), rooms)
        case _:
            raise TimetableError(
                [f"{path}: 应为 .xlsx、.csv 或 .ics 文件 / expected an .xlsx, .csv or .ics file"]
            )


@dataclass
class Merge:
    """What a file would change."""

    changes: list[Change] = field(default_factory=list)
    unchanged: int = 0
    problems: list[str] = field(default_factory=list)


def merge(store: Store, class_id: str, file: TimetableFile, *, keep_others: bool) -> Merge:
    """A lesson is the same when room and start are. What was held or called off must stand in the file as it
    was, if it does; planned lessons that do not are called off, unless `keep_others`."""
    result = Merge()
    existing: dict[tuple[str, int], Session] = {}
    # Of a lesson that was called off and planned again the later row counts, which lives.
    for each in sorted(table.sessions(store, class_id=class_id), key=lambda s: s.state != "cancelled"):
        if not each.was_planned_again:
            existing[each.room, each.planned_start_us] = each
    # A lesson that was held otherwise than planned may stand in the file as it was planned.
    edited = edited_lessons(store, class_id)
    planned = {plan for each in edited if each.session.state == "closed" for plan in each.earlier}
    seen: set[tuple[str, int]] = set()
    for where, wanted in file.lessons:
        key = (wanted.room, wanted.start_us)
        seen.add(key)
        session = existing.get(key)
        if wanted in planned:
            result.unchanged += 1
        elif session is None or session.close_reason in ("timetable", TAKEN_BACK):
            result.changes.append(Change(None, wanted, place=where))
        elif session.state == "cancelled" or plan_of(session) == wanted:
            result.unchanged += 1
        elif session.state == "closed":
            result.problems.append(
                f"{where}: 已上完，须与原来一致 / was held and stays as it is: {said(plan_of(session))}"
            )
        else:
            result.changes.append(Change(plan_of(session), wanted, session.id, place=where))
    if not keep_others:
        gone = [s for key, s in existing.items() if key not in seen and s.state == "planned"]
        # First: what takes their place in the room must find it free.
        result.changes[:0] = [Change(plan_of(session), None, session.id) for session in gone]
    return result

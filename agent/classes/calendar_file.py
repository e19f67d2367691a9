"""A timetable as iCalendar (RFC 5545): events and their recurrences become lessons, or problems.

Calendars come from outside (I12): what recurs is bounded, and nothing is guessed. Times without a zone are
the classroom's; a zone that nobody knows, a whole day and an event without class hours are problems.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from icalendar import Calendar

from agent.classes.calendar_lesson import lesson_of
from agent.classes.calendar_moments import EventError, instant, time_of
from agent.classes.calendar_series import Instance, instances
from agent.classes.calendar_versions import Version, instance_of, latest, version_of
from agent.classes.document import MOST_SESSIONS
from agent.classes.sheet_table import Workbook

_UNREADABLE: Final = (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError)
"""What the libraries let through from their insides when the text is not what it claims."""


@dataclass
class _Reading:
    source: str
    rooms: Mapping[str, str]
    book: Workbook = field(default_factory=lambda: Workbook(content={"sessions": []}, rows={"sessions": []}))

    def problem(self, line: int, text: str) -> None:
        self.book.told.add(("sessions",))  # of none being there
        self.book.problems.append(f"{self.source}: 第 {line} 行的事件 / event of line {line}: {text}")

    @contextmanager
    def event_of(self, line: int) -> Iterator[None]:
        """What is wrong with the event of `line` is a problem, and nothing of it is taken."""
        try:
            yield
        except EventError as error:
            self.problem(line, str(error))
        except _UNREADABLE as error:
            self.problem(line, f"读不懂 / cannot be read ({type(error).__name__})")

    @property
    def is_full(self) -> bool:
        return len(self.book.content["sessions"]) > MOST_SESSIONS


def read_calendar(data: bytes, source: str, rooms: Mapping[str, str]) -> Workbook:
    """The lessons of `data` as the section "sessions", the row of each the line of its event. `rooms` are
    names of places and the rooms that they are. Of events that are called off nothing is taken."""
    reading = _Reading(source, rooms)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        reading.book.problems.append(
            f"{source}: 应为 UTF-8，请从日历程序导出 .ics / expected UTF-8, as RFC 5545 says: "
            "export it as .ics from the calendar"
        )
        return reading.book
    lines = _event_lines(text)
    # Before the library reads it: 40 000 events in 5 MiB would take a Pi a minute.
    if len(lines) > MOST_SESSIONS:
        return _too_many(reading, len(lines))
    try:
        events = list(Calendar.from_ical(text).walk("VEVENT"))
    except _UNREADABLE as error:
        reading.book.problems.append(
            f"{source}: 不是可读的 iCalendar 文件，请从日历程序重新导出 / is no readable iCalendar file "
            f"({type(error).__name__}): export it from the calendar again"
        )
        return reading.book
    if not 0 < len(events) <= MOST_SESSIONS:
        return _too_many(reading, len(events))
    _read_events(reading, events, lines)
    return reading.book


def _read_events(reading: _Reading, events: list[Any], lines: list[int]) -> None:
    versions = []
    for number, event in enumerate(events):
        line = lines[number] if number < len(lines) else number + 1
        with reading.event_of(line):
            versions.append(version_of(line, event))
    counting, problems = latest(versions)
    for line, text in problems:
        reading.problem(line, text)
    series: dict[str, list[Version]] = {}
    for each in counting:
        if each.stands_for is not None:
            series.setdefault(each.name, []).append(each)
    for each in counting:
        with reading.event_of(each.line):
            if each.stands_for is not None:
                _take(reading, each, None)
            else:
                _take_series(reading, each, series.get(each.name, []))
        if reading.is_full:
            reading.problem(each.line, f"超过 {MOST_SESSIONS} 次课 / more than {MOST_SESSIONS} lessons")
            break


def _take_series(reading: _Reading, whole: Version, exceptions: list[Version]) -> None:
    """The lessons of an event, but for those that `exceptions` stand for."""
    if whole.is_called_off:
        for each in exceptions:
            if not each.is_called_off:
                reading.problem(
                    each.line,
                    "RECURRENCE-ID: 系列已取消，例外未取消；请删去一个 / its series is called off and it is "
                    "not: remove one",
                )
        return
    _require_good(whole)
    found = instances(whole.event, time_of(whole.event)[0])
    left = {each.start: each for each in found if not each.is_left_out}
    taken: set[Instance] = set()
    for each in exceptions:
        with reading.event_of(each.line):
            instance = instance_of(each, found)
            if instance in taken:
                raise EventError("RECURRENCE-ID: 同一次课有两个例外 / two exceptions to one lesson")
            taken.add(instance)
            left.pop(instance.start, None)
    _take(reading, whole, list(left.values()))


def _take(reading: _Reading, version: Version, found: list[Instance] | None) -> None:
    """The event's lesson at each of `found`, or at its own time."""
    if version.is_called_off:
        return
    _require_good(version)
    start, length = time_of(version.event)
    content = lesson_of(version.event, reading.rooms)
    for begin in [instant(start)] if found is None else [each.start for each in found]:
        reading.book.content["sessions"].append({**content, "start": begin, "end": begin + length})
        reading.book.rows["sessions"].append(version.line)


def _require_good(version: Version) -> None:
    if version.event.errors:
        raise EventError(f"{version.event.errors[0][0]}: 填写有误 / cannot be read")


def _too_many(reading: _Reading, events: int) -> Workbook:
    reading.book.problems.append(
        f"{reading.source}: {events} 个事件，应为1到{MOST_SESSIONS}，请只导出本班的课 / events, "
        f"expected 1 to {MOST_SESSIONS}: export the class's lessons alone"
    )
    return reading.book


def _event_lines(text: str) -> list[int]:
    return [n for n, line in enumerate(text.splitlines(), start=1) if line.strip().upper() == "BEGIN:VEVENT"]

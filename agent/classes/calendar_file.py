"""A timetable as iCalendar (RFC 5545): events and their recurrences become lessons, or problems.

Calendars come from outside (I12): what recurs is bounded, and nothing is guessed. Times without a zone are
the classroom's; a zone that nobody knows, a whole day and an event without class hours are problems.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from itertools import islice
from typing import Any, Final

from dateutil.rrule import rrulestr
from icalendar import Calendar

from agent.classes.document import MOST_SESSIONS, SHANGHAI
from agent.classes.row_checks import LONGEST_CLASS
from agent.classes.sheet_table import Workbook

FREQUENCIES: Final = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})
NOT_BY: Final = frozenset({"BYHOUR", "BYMINUTE", "BYSECOND", "BYSETPOS", "BYYEARDAY", "BYWEEKNO"})
"""What no timetable says, and what makes a rule give a million lessons."""
NOT_BY_IN_DAYS: Final = frozenset({"BYMONTH", "BYMONTHDAY"})
"""Beside DAILY and WEEKLY too: a rule that gives nothing (30 February) is followed to the year 9999, day by
day for twelve seconds, month by month for none."""
WORDS: Final[Mapping[str, str]] = {
    "理论": "theory", "实操": "practical", "考试": "examination", "补课": "make_up",
    "theory": "theory", "practical": "practical", "examination": "examination", "make-up": "make_up",
    "make_up": "make_up",
}  # fmt: skip
_HOURS: Final = re.compile(r"(\d{1,3})\s*(?:课时|学时|class hours?\b)", re.IGNORECASE)
_BREAKS: Final = re.compile(r"(?:课间|breaks?)[:：\s]*([0-9][0-9:：\-–—、,，\s分钟]*)", re.IGNORECASE)
_ROOM: Final = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}\Z")
_UNREADABLE: Final = (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError)
"""What the libraries let through from their insides when the text is not what it claims."""


# Events are Any: icalendar types a property as the union of all that one could be.


class _EventError(Exception):
    """One event cannot be a lesson; its text is bilingual."""


@dataclass
class _Reading:
    source: str
    rooms: Mapping[str, str]
    book: Workbook = field(default_factory=lambda: Workbook(content={"sessions": []}, rows={"sessions": []}))

    def problem(self, line: int, text: str) -> None:
        self.book.problems.append(f"{self.source}: 第 {line} 行的事件 / event of line {line}: {text}")


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
    moved = _moved(events)
    for number, event in enumerate(events):
        line = lines[number] if number < len(lines) else number + 1
        try:
            _take(reading, line, event, moved)
        except _EventError as error:
            reading.problem(line, str(error))
        except _UNREADABLE as error:
            reading.problem(line, f"读不懂 / cannot be read ({type(error).__name__})")
        if len(reading.book.content["sessions"]) > MOST_SESSIONS:
            reading.problem(line, f"超过 {MOST_SESSIONS} 次课 / more than {MOST_SESSIONS} lessons")
            break
    return reading.book


def _too_many(reading: _Reading, events: int) -> Workbook:
    reading.book.problems.append(
        f"{reading.source}: {events} 个事件，应为1到{MOST_SESSIONS}，请只导出本班的课 / events, "
        f"expected 1 to {MOST_SESSIONS}: export the class's lessons alone"
    )
    return reading.book


def _event_lines(text: str) -> list[int]:
    return [n for n, line in enumerate(text.splitlines(), start=1) if line.strip().upper() == "BEGIN:VEVENT"]


def _moved(events: list[Any]) -> dict[str, set[datetime]]:
    """Of each recurring event (UID) the instances that another event stands for."""
    found: dict[str, set[datetime]] = {}
    for event in events:
        if "RECURRENCE-ID" in event and isinstance(event["RECURRENCE-ID"].dt, datetime):
            found.setdefault(str(event.get("UID", "")), set()).add(_instant(event["RECURRENCE-ID"].dt))
    return found


def _take(reading: _Reading, line: int, event: Any, moved: Mapping[str, set[datetime]]) -> None:
    if str(event.get("STATUS", "")).upper() == "CANCELLED":
        return
    if event.errors:
        name = event.errors[0][0]
        raise _EventError(f"{name}: 填写有误 / cannot be read")
    start, length = _time(event)
    content = _content(reading, event)
    instead = moved.get(str(event.get("UID", "")), set()) if "RECURRENCE-ID" not in event else set()
    for begin in _begins(event, start):
        if _instant(begin) not in instead:
            end = _instant(begin) + length
            reading.book.content["sessions"].append({**content, "start": _instant(begin), "end": end})
            reading.book.rows["sessions"].append(line)


def _time(event: Any) -> tuple[datetime, timedelta]:
    if "DTSTART" not in event:
        raise _EventError("DTSTART: 缺少 / is missing")
    start = _moment(event, "DTSTART")
    if "DTEND" in event:
        return start, _instant(_moment(event, "DTEND")) - _instant(start)
    if "DURATION" in event:
        return start, event["DURATION"].dt
    raise _EventError("DTEND: 缺少结束时间 / its end is missing")


def _moment(event: Any, key: str) -> datetime:
    found = event[key].dt
    if not isinstance(found, datetime):
        raise _EventError(
            f"{key} = {found}: 全天事件不是课，请填上课和下课时间 / "
            "a whole day is no lesson: give it the times at which the lesson begins and ends"
        )
    zone = event[key].params.get("TZID")
    if found.tzinfo is None and zone is not None:
        raise _EventError(
            f"{key}: 不认识的时区 / unknown time zone {str(zone)[:40]!r}: expected Asia/Shanghai, UTC, or a "
            "VTIMEZONE in the file"
        )
    return found


def _instant(moment: datetime) -> datetime:
    """Floating times are the classroom's (RFC 5545, 3.3.5: of whoever looks)."""
    return (moment.replace(tzinfo=SHANGHAI) if moment.tzinfo is None else moment).astimezone(SHANGHAI)


def _begins(event: Any, start: datetime) -> Iterator[datetime]:
    """Beginnings of all instances in the event's own zone, where its rule counts days."""
    zone = start.tzinfo
    without = _dates(event, "EXDATE", zone)
    begins = {start.replace(tzinfo=None), *_dates(event, "RDATE", zone)}
    if "RRULE" in event:
        begins.update(_by_rule(event, start))
    for begin in sorted(begins, key=_naive):
        if begin not in without and _naive(begin).date() not in without:
            yield _naive(begin).replace(tzinfo=zone)


def _naive(moment: datetime | date) -> datetime:
    if isinstance(moment, datetime):
        return moment
    raise _EventError("RDATE: 应为时间，不是日期 / expected times, not whole days")


def _by_rule(event: Any, start: datetime) -> Iterator[datetime]:
    rule = event["RRULE"]
    if isinstance(rule, list):
        raise _EventError("RRULE: 只能有一条 / expected once")
    frequency = str(rule.get("FREQ", [""])[0]).upper()
    not_by = NOT_BY | (NOT_BY_IN_DAYS if frequency in ("DAILY", "WEEKLY") else frozenset())
    strange = sorted(not_by & {str(key).upper() for key in rule})
    if frequency not in FREQUENCIES or strange:
        raise _EventError(
            f"RRULE {frequency} {' '.join(strange)}: 只支持按日、周、月重复 / "
            "expected DAILY, WEEKLY, MONTHLY or YEARLY and days alone"
        )
    naive = start.replace(tzinfo=None)
    until = naive + LONGEST_CLASS
    if rule.get("UNTIL"):
        until = min(until, _until(rule["UNTIL"][0], start.tzinfo))
    count = int(rule["COUNT"][0]) if rule.get("COUNT") else MOST_SESSIONS + 1
    parts = {key: value for key, value in rule.items() if str(key).upper() not in ("UNTIL", "COUNT")}
    text = type(rule)(parts).to_ical().decode() + f";UNTIL={until:%Y%m%dT%H%M%S}"
    yield from islice(rrulestr(text, dtstart=naive), min(count, MOST_SESSIONS + 1))


def _until(value: Any, zone: tzinfo | None) -> datetime:
    if not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day, 23, 59, 59)  # noqa: DTZ001 (in the event's zone)
    if value.tzinfo is None:
        return value
    return value.astimezone(zone or SHANGHAI).replace(tzinfo=None)


def _dates(event: Any, key: str, zone: tzinfo | None) -> set[datetime | date]:
    found: set[datetime | date] = set()
    listed = event.get(key, [])
    for group in listed if isinstance(listed, list) else [listed]:
        for each in group.dts:
            moment = each.dt
            if isinstance(moment, datetime) and moment.tzinfo is not None:
                moment = moment.astimezone(zone or SHANGHAI).replace(tzinfo=None)
            if not isinstance(moment, date):
                raise _EventError(f"{key}: 应为时间 / expected times, not periods")
            found.add(moment)
    return found


def _content(reading: _Reading, event: Any) -> dict[str, Any]:
    text = " ".join(str(event.get(key, "")) for key in ("SUMMARY", "DESCRIPTION"))
    kinds = {kind for word, kind in WORDS.items() if word in f"{_categories(event)} {text}".casefold()}
    if "make_up" in kinds:
        kinds = {"make_up"}  # a make-up lesson says of what it is one
    if len(kinds) != 1:
        raise _EventError(
            "标题或类别中应有且只有一种：理论、实操、考试、补课 / "
            "its title or category must name one of theory, practical, examination, make-up"
        )
    hours = str(event["X-CLASS-HOURS"]) if "X-CLASS-HOURS" in event else _only(_HOURS, text)
    if hours is None:
        raise _EventError(
            "没有写课时，请在标题或说明中写“4课时”，或加 X-CLASS-HOURS:4 / "
            "says no class hours: write “4课时” or “4 class hours” into its title or description, "
            "or add X-CLASS-HOURS:4"
        )
    content: dict[str, Any] = {"kind": next(iter(kinds)), "class_hours": hours.strip()}
    breaks = str(event["X-BREAKS"]) if "X-BREAKS" in event else _only(_BREAKS, text)
    if breaks is not None:
        content["breaks"] = breaks.strip().rstrip("、,，")
    place = str(event.get("LOCATION", "")).strip()
    if place and place not in reading.rooms and not _ROOM.match(place):
        raise _EventError(
            f"LOCATION = {place[:40]!r}: 不是教室编号，请用 --place 说明是哪个教室 / "
            "is no room's id: say which room it is with --place NAME=ROOM"
        )
    if place:
        content["room"] = reading.rooms.get(place, place)
    return content


def _only(pattern: re.Pattern[str], text: str) -> str | None:
    found = set(pattern.findall(text))
    if len(found) > 1:
        raise _EventError(f"写了几个不同的数 / says several: {' '.join(sorted(found))[:60]}")
    return found.pop() if found else None


def _categories(event: Any) -> str:
    found = event.get("CATEGORIES")
    if found is None:
        return ""
    return " ".join(
        str(name) for group in (found if isinstance(found, list) else [found]) for name in group.cats
    )

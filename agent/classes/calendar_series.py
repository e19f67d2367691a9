"""The instances of a calendar's recurring event: what its rule, its extra dates and its start give.

Calendars come from outside (I12): what recurs is bounded, and a rule whose meaning the standard leaves open
is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from itertools import islice
from typing import Any, Final

from dateutil.rrule import rrulestr

from agent.classes.calendar_moments import EventError, instant
from agent.classes.document import MOST_SESSIONS, SHANGHAI
from agent.classes.row_checks import LONGEST_CLASS

FREQUENCIES: Final = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})
NOT_BY: Final = frozenset({"BYHOUR", "BYMINUTE", "BYSECOND", "BYSETPOS", "BYYEARDAY", "BYWEEKNO"})
"""What no timetable says, and what makes a rule give a million lessons."""
NOT_BY_IN_DAYS: Final = frozenset({"BYMONTH", "BYMONTHDAY"})
"""Beside DAILY and WEEKLY too: a rule that gives nothing (30 February) is followed to the year 9999, day by
day for twelve seconds, month by month for none."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One occurrence; `is_left_out`: by the event itself (EXDATE)."""

    start: datetime
    day: date
    """In the event's own zone, which may not be the classroom's."""
    is_left_out: bool


def instances(event: Any, start: datetime) -> list[Instance]:
    """All instances of `event`, which begins at `start` in its own zone; where its rule counts days. In
    order. EventError."""
    zone = start.tzinfo
    without = _dates(event, "EXDATE", zone)
    begins = {start.replace(tzinfo=None), *_dates(event, "RDATE", zone)}
    if "RRULE" in event:
        begins.update(_by_rule(event, start))
    return [
        Instance(instant(each.replace(tzinfo=zone)), each.date(), each in without or each.date() in without)
        for each in sorted(map(_naive, begins))
    ]


def _naive(moment: datetime | date) -> datetime:
    if isinstance(moment, datetime):
        return moment
    raise EventError("RDATE: 应为时间，不是日期 / expected times, not whole days")


def _by_rule(event: Any, start: datetime) -> Iterator[datetime]:
    rule = event["RRULE"]
    if isinstance(rule, list):
        raise EventError("RRULE: 只能有一条 / expected once")
    frequency = str(rule.get("FREQ", [""])[0]).upper()
    not_by = NOT_BY | (NOT_BY_IN_DAYS if frequency in ("DAILY", "WEEKLY") else frozenset())
    strange = sorted(not_by & {str(key).upper() for key in rule})
    if frequency not in FREQUENCIES or strange:
        raise EventError(
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
    begins = rrulestr(text, dtstart=naive)
    if next(iter(begins), None) != naive:
        raise EventError(
            f"DTSTART = {naive:%Y-%m-%d %H:%M}: 不是 RRULE 所说的一天，标准未定义这样的系列；"
            "请把开始改到系列的第一次课 / is no day of its RRULE, and the standard leaves open what that "
            "gives: begin the series with its first lesson"
        )
    yield from islice(begins, min(count, MOST_SESSIONS + 1))


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
                raise EventError(f"{key}: 应为时间 / expected times, not periods")
            found.add(moment)
    return found

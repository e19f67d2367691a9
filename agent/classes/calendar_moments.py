"""Moments of a calendar's events (RFC 5545): instants, never whole days, in zones that are known."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from agent.classes.document import SHANGHAI

# Events are Any: icalendar types a property as the union of all that one could be.


class EventError(Exception):
    """One event cannot be a lesson; its text is bilingual."""


def time_of(event: Any) -> tuple[datetime, timedelta]:
    """Beginning, in the event's own zone, and length. EventError."""
    if "DTSTART" not in event:
        raise EventError("DTSTART: 缺少 / is missing")
    start = _moment(event, "DTSTART")
    if "DTEND" in event:
        return start, instant(_moment(event, "DTEND")) - instant(start)
    if "DURATION" in event:
        return start, event["DURATION"].dt
    raise EventError("DTEND: 缺少结束时间 / its end is missing")


def instant(moment: datetime) -> datetime:
    """Floating times are the classroom's (RFC 5545, 3.3.5: of whoever looks)."""
    return (moment.replace(tzinfo=SHANGHAI) if moment.tzinfo is None else moment).astimezone(SHANGHAI)


def day_or_moment(event: Any, key: str) -> date | datetime:
    """What stands under `key`. EventError where its zone is not known."""
    found: date | datetime = event[key].dt
    zone = event[key].params.get("TZID")
    if isinstance(found, datetime) and found.tzinfo is None and zone is not None:
        raise EventError(
            f"{key}: 不认识的时区 / unknown time zone {str(zone)[:40]!r}: expected Asia/Shanghai, UTC, or a "
            "VTIMEZONE in the file"
        )
    return found


def _moment(event: Any, key: str) -> datetime:
    found = day_or_moment(event, key)
    if not isinstance(found, datetime):
        raise EventError(
            f"{key} = {found}: 全天事件不是课，请填上课和下课时间 / "
            "a whole day is no lesson: give it the times at which the lesson begins and ends"
        )
    return found

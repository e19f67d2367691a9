"""Days and times of lessons as people write them, in a cell, a form or a command; nothing is guessed.

Times are the classroom's and have no zone here. A lesson may end on the next day where that is written; an
end before its start is not taken for the next day's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from agent.classes.document import LONGEST_SESSION
from agent.classes.document_values import plain
from agent.errors import BilingualError

POSSIBLE_YEARS: Final = range(2000, 2200)
"""Others are slips, and the first and last that can be written are no time in UTC."""
NEXT_DAY: Final = "次日"
_DAY: Final = re.compile(
    r"(?P<year>\d{4})(?:(?P<mark>[-/.])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})"
    r"|年(?P<m>\d{1,2})月(?P<d>\d{1,2})[日号]?)",
    re.ASCII,
)
_TIME: Final = re.compile(r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d))?", re.ASCII)
_CLOCK: Final = re.compile(
    rf"(?:{_DAY.pattern}(?:[\sT]+|(?<=[日号]))|(?P<next>{NEXT_DAY}|第二天|翌日|next day)\s*)?"
    rf"(?P<time>{_TIME.pattern})",
    re.ASCII | re.IGNORECASE,
)
_ONE_DAY: Final = timedelta(days=1)
_COUNTED_FROM: Final = datetime(1899, 12, 30)  # noqa: DTZ001 (a spreadsheet's)


class TimesError(BilingualError):
    """What was written is no time of a lesson; `key` says of which: "date", "start" or "end"."""

    def __init__(self, key: str, zh: str, en: str) -> None:
        super().__init__(zh, en)
        self.key = key


class UnreadableError(TimesError):
    """It is no day, or no time."""


@dataclass(frozen=True, slots=True)
class Clock:
    """A time: of the lesson's day or `day`, or `days_on` after it."""

    time: time
    day: date | None = None
    days_on: int = 0


def day_written(value: object) -> date:
    """`2026-11-21`, `2026/1/3`, `2026年1月3日`, or a spreadsheet's day. TimesError."""
    if isinstance(value, datetime) and value.time() != time():
        raise TimesError("date", "应只有日期，不含时间", "expected a day alone, without a time")
    if isinstance(value, datetime):
        value = value.date()
    elif not isinstance(value, date):
        value = _day(_DAY.fullmatch(re.sub(r"[\sT]+0?0:00(:00)?\Z", "", plain(str(value)))))
    if value is None or value.year not in POSSIBLE_YEARS:
        raise UnreadableError("date", "应为日期，例 2026-11-20", "expected a day, e.g. 2026-11-20")
    return value


def clock_written(value: object, key: str) -> Clock:
    """`8:30`, `08:30:00`, `24:00`, `次日01:00`, `2026-11-22 01:00`, or a spreadsheet's time. TimesError."""
    if isinstance(value, datetime | time | timedelta):
        found = _spreadsheet_clock(value)
    else:
        match = _CLOCK.fullmatch(plain(str(value)))
        found = None if match is None else _clock(match)
    if found is None:
        example = "11:30" if key == "end" else "08:30"
        raise UnreadableError(key, f"应为时间，例 {example}", f"expected a time, e.g. {example}")
    return found


def interval(day: date, start: object, end: object) -> tuple[datetime, datetime]:
    """The lesson's beginning and end from what was written of each. TimesError."""
    return between(day, clock_written(start, "start"), clock_written(end, "end"))


def between(day: date, begins: Clock, ends: Clock) -> tuple[datetime, datetime]:
    """The lesson's beginning and end. TimesError."""
    if begins.days_on or begins.day not in (None, day):
        raise TimesError(
            "start",
            f"与日期 {day} 不是同一天；请改其中一处，或只填时间",
            f"is not on the lesson's day (日期) {day}: correct one of them, or write the time alone",
        )
    first = datetime.combine(day, begins.time)
    return first, end_after(first, ends)


def end_after(start: datetime, end: Clock, *, over_midnight: bool = False) -> datetime:
    """The end of a lesson that begins at `start`; `over_midnight`: it is known to run into the next day.
    TimesError."""
    day = (end.day or start.date()) + timedelta(days=end.days_on)
    if not start.date() <= day <= start.date() + _ONE_DAY:
        raise TimesError(
            "end",
            f"不在日期 {start.date()} 当天或次日；请改其中一处，或只填时间",
            f"is neither on the lesson's day (日期) {start.date()} nor on the next: correct one of them, or "
            "write the time alone",
        )
    last = datetime.combine(day, end.time)
    if end.day is None and not end.days_on and last < start:
        tomorrow = last + _ONE_DAY
        if over_midnight:
            return tomorrow
        if tomorrow - start <= LONGEST_SESSION:
            zh, en = f"{NEXT_DAY}{last:%H:%M}", f"“next day {last:%H:%M}”"
            if last.time() == time():
                zh = en = "24:00"
            raise TimesError(
                "end",
                f"早于开始 {start:%H:%M}；到次日才结束的，请写 {zh} 或 {tomorrow:%Y-%m-%d %H:%M}"
                "（网页上勾“结束在次日”）",
                f"is before the start {start:%H:%M}: where it ends on the next day, write {en} or "
                f"{tomorrow:%Y-%m-%d %H:%M} (on the page tick the box)",
            )
    return last


def _clock(match: re.Match[str]) -> Clock | None:
    hour, minute, second = (int(match[part] or 0) for part in ("hour", "minute", "second"))
    day = _day(match) if match["year"] else None
    if (match["year"] and day is None) or (hour == 24 and match["next"]):
        return None
    if (hour, minute, second) == (24, 0, 0):
        return Clock(time(), day, 1)
    try:
        return Clock(time(hour, minute, second), day, 1 if match["next"] else 0)
    except ValueError:
        return None


def _spreadsheet_clock(value: datetime | time | timedelta) -> Clock | None:
    """A time alone comes with the day from which a spreadsheet counts, or as a duration; 24:00 as a whole day
    of either."""
    if isinstance(value, time):
        return Clock(value)
    if isinstance(value, datetime):
        if value.year > _COUNTED_FROM.year + 1:
            return Clock(value.time(), value.date())
        value = value - _COUNTED_FROM
        value = value - _ONE_DAY if value > _ONE_DAY else value  # openpyxl counts one day more from the first
    if timedelta() <= value < _ONE_DAY:
        return Clock((_COUNTED_FROM + value).time())
    return Clock(time(), days_on=1) if value == _ONE_DAY else None


def _day(match: re.Match[str] | None) -> date | None:
    if match is None:
        return None
    try:
        day = date(int(match["year"]), int(match["month"] or match["m"]), int(match["day"] or match["d"]))
    except ValueError:
        return None
    return day if day.year in POSSIBLE_YEARS else None

"""Which events of a calendar count, and what an exception stands for (RFC 5545, 3.8.4.4 and 3.8.7.4).

An event may stand in a file in several versions (SEQUENCE), the highest of which counts alone; an exception
(RECURRENCE-ID) stands for one lesson of its series, or is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from agent.classes.calendar_moments import EventError, day_or_moment, instant
from agent.classes.calendar_series import Instance


@dataclass(frozen=True, slots=True)
class Version:
    """An event with the line of the file in which it begins. `name` is that of its series, "" where it has
    none; `stands_for` the moment or day of it that it is an exception to."""

    line: int
    event: Any
    name: str
    sequence: int
    stands_for: date | datetime | None

    @property
    def is_called_off(self) -> bool:
        return str(self.event.get("STATUS", "")).upper() == "CANCELLED"


def version_of(line: int, event: Any) -> Version:
    """EventError where it cannot be told which event it is, or of which lessons it speaks."""
    for name, _ in event.errors:
        if name in ("UID", "SEQUENCE", "RECURRENCE-ID"):
            raise EventError(f"{name}: 填写有误 / cannot be read")
    uid, sequence = event.get("UID", ""), int(event.get("SEQUENCE", 0))
    if not isinstance(uid, str):
        raise EventError("UID: 只能有一个 / expected once")
    if "RECURRENCE-ID" not in event:
        return Version(line, event, uid, sequence, None)
    if not uid:
        raise EventError(
            "UID: 缺少，不知是哪个系列的例外；请重新导出 / is missing, of which series is it an exception? "
            "export the calendar again"
        )
    following = str(event["RECURRENCE-ID"].params.get("RANGE", ""))
    if following or "RRULE" in event or "RDATE" in event:
        raise EventError(
            f"RECURRENCE-ID {following[:20]}: 不支持一次改多次课；请在日历中结束原系列，"
            "另建一个系列，再导出 / a change of several lessons at once is not taken: end the "
            "series in the calendar, make the lessons after it a series of its own, and export it again"
        )
    found = day_or_moment(event, "RECURRENCE-ID")
    return Version(line, event, uid, sequence, instant(found) if isinstance(found, datetime) else found)


def latest(versions: Sequence[Version]) -> tuple[list[Version], list[tuple[int, str]]]:
    """The versions that count; and line and text of each that may or may not."""
    counting: dict[tuple[str, date | datetime | None], Version] = {}
    nameless, problems = [], []
    for each in versions:
        key = (each.name, each.stands_for)
        other = counting.get(key)
        if not each.name:
            nameless.append(each)
        elif other is None or each.sequence > other.sequence:
            counting[key] = each
        elif each.sequence == other.sequence:
            problems.append(
                (
                    each.line,
                    f"UID 和 SEQUENCE 与第 {other.line} 行的事件相同，不知以哪个为准；请删去一个 / "
                    f"has UID and SEQUENCE of the event of line {other.line}, which counts? remove one",
                )
            )
    return sorted([*counting.values(), *nameless], key=lambda each: each.line), problems


def instance_of(exception: Version, series: Sequence[Instance]) -> Instance:
    """The instance that `exception` stands for. EventError where there is none, or several."""
    wanted = exception.stands_for
    if isinstance(wanted, datetime):
        found = [each for each in series if each.start == wanted]
    else:
        found = [each for each in series if each.day == wanted]
    if len(found) == 1:
        return found[0]
    said = f"{wanted:%Y-%m-%d %H:%M}" if isinstance(wanted, datetime) else f"{wanted}"
    if not found:
        raise EventError(
            f"RECURRENCE-ID = {said}: 系列中这时没有课；请改正或删去 / "
            "its series has no lesson then: correct or remove it"
        )
    raise EventError(
        f"RECURRENCE-ID = {said}: 系列中这天有 {len(found)} 次课，请写明时间 / its series has {len(found)} "
        "lessons on that day: name the time, too"
    )

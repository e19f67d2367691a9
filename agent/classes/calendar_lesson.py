"""What a calendar's event says of its lesson: kind, class hours, breaks, room. Nothing is guessed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from agent.classes.calendar_moments import EventError
from agent.classes.document_values import plain

WORDS: Final[Mapping[str, str]] = {
    "理论": "theory", "实操": "practical", "考试": "examination", "补课": "make_up",
    "theory": "theory", "practical": "practical", "examination": "examination", "make-up": "make_up",
    "make_up": "make_up",
}  # fmt: skip
_HOURS: Final = re.compile(
    r"(?:第\s*[0-9一二三四五六七八九十百]+(?:\s*[-–—~至到、,./]\s*第?\s*[0-9一二三四五六七八九十百]+)*"
    r"|[0-9]+(?:\s*[-–—~至到、./]\s*第?\s*[0-9]+)*)\s*个?(?:课时|学时|class hours?\b)",
    re.IGNORECASE,
)
"""A number of class hours, or which of them: 第3课时, 3-4课时."""
_NUMBER: Final = re.compile(r"([0-9]{1,3})\s*\D*")
_BREAKS: Final = re.compile(r"(?:课间|breaks?)[:\s]*([0-9][0-9:\-–—、,\s分钟]*)", re.IGNORECASE)
_ROOM: Final = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}\Z")


def lesson_of(event: Any, rooms: Mapping[str, str]) -> dict[str, Any]:
    """As a class document has it, without its times. `rooms` are names of places and the rooms that they
    are. EventError."""
    title = plain(" ".join(str(event.get(key, "")) for key in ("SUMMARY", "DESCRIPTION")))
    content: dict[str, Any] = {"kind": _kind(event, title), "class_hours": _class_hours(event, title)}
    breaks = plain(str(event["X-BREAKS"])) if "X-BREAKS" in event else _only(_BREAKS.findall(title))
    if breaks is not None:
        content["breaks"] = breaks.strip().rstrip("、,")
    place = str(event.get("LOCATION", "")).strip()
    if place and place not in rooms and not _ROOM.match(place):
        raise EventError(
            f"LOCATION = {place[:40]!r}: 不是教室编号，请用 --place 说明是哪个教室 / "
            "is no room's id: say which room it is with --place NAME=ROOM"
        )
    if place:
        content["room"] = rooms.get(place, place)
    return content


def _kind(event: Any, title: str) -> str:
    kinds = {kind for word, kind in WORDS.items() if word in f"{_categories(event)} {title}".casefold()}
    if "make_up" in kinds:
        kinds = {"make_up"}  # a make-up lesson says of what it is one
    if len(kinds) != 1:
        raise EventError(
            "标题或类别中应有且只有一种：理论、实操、考试、补课 / "
            "its title or category must name one of theory, practical, examination, make-up"
        )
    return kinds.pop()


def _class_hours(event: Any, title: str) -> str:
    if "X-CLASS-HOURS" in event:
        return plain(str(event["X-CLASS-HOURS"]))
    numbers = []
    for said in _HOURS.findall(title):
        number = _NUMBER.fullmatch(said)
        if number is None:
            raise EventError(
                f"“{said[:40]}”: 不是课时数；第几课时请写成“第3-4节”，另写几课时，如“2课时”，"
                "或加 X-CLASS-HOURS:2 / is no number of class hours: write which of them as "
                "“第3-4节” and how many as “2课时” or “2 class hours”, or add X-CLASS-HOURS:2"
            )
        numbers.append(number[1])
    hours = _only(numbers)
    if hours is None:
        raise EventError(
            "没有写课时，请在标题或说明中写“4课时”，或加 X-CLASS-HOURS:4 / "
            "says no class hours: write “4课时” or “4 class hours” into its title or description, "
            "or add X-CLASS-HOURS:4"
        )
    return hours


def _only(said: Sequence[str]) -> str | None:
    found = set(said)
    if len(found) > 1:
        raise EventError(f"写了几个不同的数 / says several: {' '.join(sorted(found))[:60]}")
    return found.pop() if found else None


def _categories(event: Any) -> str:
    found = event.get("CATEGORIES")
    if found is None:
        return ""
    return " ".join(
        str(name) for group in (found if isinstance(found, list) else [found]) for name in group.cats
    )

"""The class hours (课时) of a lesson, and how much video of each the class's notices demand (R2 to R5).

A lesson's planned time less its planned breaks, cut into `class_hours` parts. A class hour never reaches over
a break: each stretch between breaks holds a whole number of them, equal parts of it. The notices count class
hours and say nothing of breaks; a timetable without breaks names only the whole lesson.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

from agent.policy import EffectiveLimit, PolicySet
from agent.store.classes import Session, SessionKind

MINUTE_US: Final = 60_000_000

_SUBJECTS: Final[dict[SessionKind, str]] = {
    "theory": "theory_video",
    "practical": "practical_video",
    "examination": "examination_video",
    "make_up": "make_up_video",
}


@dataclass(frozen=True, slots=True)
class ClassHour:
    """[start_us, end_us) in UTC microseconds; `number` counts from 1."""

    number: int
    start_us: int
    end_us: int


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a demand is written."""

    notice: str
    number: str
    """文号."""
    clause: str


@dataclass(frozen=True, slots=True)
class VideoDemand:
    """What the class's notices want of each class hour of one kind of lesson."""

    rule: str
    """R1..R5."""
    limit: int | Literal["whole"]
    """Microseconds of continuous video in every class hour, or all of it."""
    sources: tuple[Citation, ...]


def class_hours(session: Session) -> tuple[ClassHour, ...]:
    """The planned class hours, to the microsecond; together with the breaks they tile the planned time.

    ValueError for breaks that `breaks_problem` refuses: no such lesson comes into the database.
    """
    return cut_hours(session.planned_start_us, session.planned_end_us, session.class_hours, session.breaks)


def shortest_us(hours: Sequence[ClassHour]) -> int:
    """Length of the shortest of `hours`, of which there is one."""
    return min(hour.end_us - hour.start_us for hour in hours)


def cut_hours(
    start_us: int, end_us: int, hours: int, breaks: Sequence[tuple[int, int]]
) -> tuple[ClassHour, ...]:
    """As `class_hours`, of a plan that is not yet a lesson."""
    problem = breaks_problem(start_us, end_us, hours, breaks)
    if problem is not None:
        raise ValueError(problem[1])
    stretches = _stretches(start_us, end_us, breaks)
    borders: list[tuple[int, int]] = []
    for (begin_us, until_us), parts in zip(stretches, _shared_out(stretches, hours), strict=True):
        cuts = [begin_us + (until_us - begin_us) * part // parts for part in range(parts + 1)]
        borders += itertools.pairwise(cuts)
    return tuple(ClassHour(number, *each) for number, each in enumerate(borders, start=1))


def breaks_of(session: Session) -> tuple[ClassHour, ...]:
    """The planned breaks; `number` is that of the class hour before."""
    hours = class_hours(session)
    return tuple(
        ClassHour(max(hour.number for hour in hours if hour.end_us <= start_us), start_us, end_us)
        for start_us, end_us in session.breaks
    )


def breaks_problem(
    start_us: int, end_us: int, hours: int, breaks: Sequence[tuple[int, int]]
) -> tuple[str, str] | None:
    """Why a lesson cannot have these breaks, in Chinese and English; None when it can."""
    if len(breaks) >= hours:
        return (
            f"{hours} 课时之间至多 {hours - 1} 次课间，填了 {len(breaks)} 次",
            f"{len(breaks)} breaks: expected at most {hours - 1} between {hours} class hours",
        )
    if end_us - start_us - sum(until - first for first, until in breaks) < hours:
        return "课间之外所剩时间不足", "no time is left beside the breaks"
    last_us = start_us
    for first_us, until_us in breaks:
        if not last_us < first_us < until_us:
            return (
                "课间须按先后列出，在两节课之间，互不相接",
                "breaks are expected in order, each between two class hours, none next to another",
            )
        last_us = until_us
    if breaks and last_us >= end_us:
        return "课间须在下课之前结束", "breaks are expected to end before the lesson does"
    return None


def breaks_between(start_us: int, end_us: int, hours: int, break_us: int) -> tuple[tuple[int, int], ...]:
    """A break of `break_us` between every two of equal class hours, as most timetables mean it. Class hours
    that are not whole minutes are cut to the microsecond."""
    taught_us = end_us - start_us - (hours - 1) * break_us
    return tuple(
        (begin, begin + break_us)
        for number in range(1, hours)
        for begin in (start_us + taught_us * number // hours + (number - 1) * break_us,)
    )


def _stretches(start_us: int, end_us: int, breaks: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    begins = [start_us, *(until for _, until in breaks)]
    ends = [*(first for first, _ in breaks), end_us]
    return list(zip(begins, ends, strict=True))


def _shared_out(stretches: Sequence[tuple[int, int]], hours: int) -> list[int]:
    """How many class hours each stretch holds: at least one, and each further one where the hours would be
    the longest, the earlier stretch first."""
    lengths = [end_us - start_us for start_us, end_us in stretches]
    counts = [1] * len(lengths)
    for _ in range(hours - len(lengths)):
        longest = max(range(len(lengths)), key=lambda at: (Fraction(lengths[at], counts[at]), -at))
        counts[longest] += 1
    return counts


def video_demand(policy: PolicySet, kind: SessionKind) -> VideoDemand:
    """The strictest demand of the class's notices.

    Where no notice names a kind of lesson (examinations outside Jiaozuo) R1's "the whole process is recorded"
    holds.
    """
    limit = policy.limits.get(_SUBJECTS[kind]) or policy.limits["recorded_evidence"]
    minutes = limit.limit
    is_number = not isinstance(minutes, bool | str)
    return VideoDemand(
        limit.rule, round(float(minutes) * MINUTE_US) if is_number else "whole", _citations(limit)
    )


def _citations(limit: EffectiveLimit) -> tuple[Citation, ...]:
    return tuple(Citation(source.notice, source.number, source.clause) for source in limit.sources)

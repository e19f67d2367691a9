"""The class hours (课时) of a lesson, and how much video of each the class's notices demand (R2 to R5).

A class hour is one of `class_hours` equal parts of the lesson's planned time: the notices count class hours
and say nothing of breaks between them, and a timetable names only the whole lesson.
"""

from __future__ import annotations

from dataclasses import dataclass
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
    """The planned time in equal parts, without a hole between them, to the microsecond."""
    start_us, length_us = session.planned_start_us, session.planned_end_us - session.planned_start_us
    borders = [start_us + length_us * part // session.class_hours for part in range(session.class_hours + 1)]
    return tuple(
        ClassHour(number, borders[number - 1], borders[number])
        for number in range(1, session.class_hours + 1)
    )


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

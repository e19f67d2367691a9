"""What the last minutes of a running lesson show: an interval each, and where places went dark."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from agent.visibility.crowd import of_crowd
from agent.visibility.doubts import Doubt, Region, Sight, region_of
from agent.visibility.error_model import ErrorModel
from agent.visibility.estimate import of_seats
from agent.visibility.seats import Look, distinct, gather
from agent.visibility.vanished import Places

KEPT_US: Final = 360_000_000
"""Looks of so long are reckoned with: the error model looks for movement over five minutes."""
EVERY_US: Final = 15_000_000
"""How often the interval is reckoned: at eighty people a tenth of a second of arithmetic."""
SIGHTS_US: Final = 7_200_000_000


@dataclass(frozen=True, slots=True)
class LessonNow:
    """What is known of the lesson at one picture."""

    session_id: str
    trainees: int
    teachers: int
    """Checked in and not checked out."""
    walking: bool
    has_teacher_zone: bool
    aspect: float
    """Width of the picture over its height."""


class RoomNow:
    """Fed with each counted picture of a calibrated detector. One camera, one thread."""

    def __init__(self) -> None:
        self._session_id: str | None = None
        self._looks: deque[Look] = deque()
        self._sights: deque[Sight] = deque()
        self._places = Places()
        self._lesson: LessonNow | None = None

    def see(self, look: Look, lesson: LessonNow, model: ErrorModel) -> None:
        """Take a picture of the lesson; pictures come in the order of time."""
        if lesson.session_id != self._session_id:
            self._session_id = lesson.session_id
            self._looks.clear()
            self._sights.clear()
            self._places = Places()
        self._lesson = lesson
        self._looks.append(look)
        while look.at_us - self._looks[0].at_us > KEPT_US:
            self._looks.popleft()
        if self._sights and look.at_us - self._sights[-1].at_us < EVERY_US:
            return
        seats = gather(distinct(self._looks))
        found = of_crowd(seats, model) if lesson.walking else of_seats(seats, model, live=True)
        teachers = 0 if lesson.has_teacher_zone else max(1, lesson.teachers)
        beside = max(0, int(found.teachers[-1]) - lesson.teachers)
        least = max(0, int(found.lower[-1]) - teachers)
        self._sights.append(Sight(look.at_us, least, int(found.upper[-1]) + beside, lesson.trainees))
        while look.at_us - self._sights[0].at_us > SIGHTS_US:
            self._sights.popleft()
        if not lesson.walking:
            self._places.see(seats, lesson.trainees, model)

    @property
    def session_id(self) -> str | None:
        """Of the lesson whose pictures it was fed last."""
        return self._session_id

    @property
    def sights(self) -> Sequence[Sight]:
        """Intervals of this lesson so far, oldest first."""
        return tuple(self._sights)

    def hidden(self) -> tuple[tuple[Region, int], ...]:
        """Where places in which somebody surely sat show nobody now; the most of them first."""
        return self._regions(self._places.dark())

    def likely(self, after_us: int) -> Doubt | None:
        """The doubt that places justify which have shown nobody for so long; None without one."""
        lesson = self._lesson
        if lesson is None or lesson.walking or not self._sights:
            return None
        strays = 0 if lesson.has_teacher_zone else max(1, lesson.teachers)
        found = self._places.vanished(lesson.trainees, strays, after_us)
        if found is None:
            return None
        visible = max(0, lesson.trainees - found.people)
        return Doubt("fewer_likely", found.since_us, visible, lesson.trainees, self._regions(found.places))

    def _regions(self, places: Sequence[tuple[float, float]]) -> tuple[tuple[Region, int], ...]:
        aspect = 1.0 if self._lesson is None else self._lesson.aspect
        dark = sorted(region_of(x / aspect, y) for x, y in places)
        found = [(where, len(list(each))) for where, each in groupby(dark)]
        return tuple(sorted(found, key=lambda each: (-each[1], each[0])))

"""What the last minutes of a running lesson show: an interval each, and where places went dark."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from math import hypot
from typing import Final

import numpy as np

from agent.visibility.crowd import of_crowd
from agent.visibility.doubts import Region, Sight, region_of
from agent.visibility.error_model import ErrorModel
from agent.visibility.estimate import of_seats
from agent.visibility.seats import REACH, Look, SeatMap, distinct, gather

KEPT_US: Final = 360_000_000
"""Looks of so long are reckoned with: the error model looks for movement over five minutes."""
EVERY_US: Final = 15_000_000
"""How often the interval is reckoned: at eighty people a tenth of a second of arithmetic."""
SIGHTS_US: Final = 7_200_000_000
SETTLED: Final = 0.5
"""Share of the last minutes' looks in which a place must have shown a head for somebody to sit there."""
FEWEST_LOOKS: Final = 24
GONE_US: Final = 60_000_000
"""A place that showed nobody for so long is dark."""


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


@dataclass(slots=True)
class _Settled:
    x: float
    y: float
    size: float
    last_us: int


class RoomNow:
    """Fed with each counted picture of a calibrated detector. One camera, one thread."""

    def __init__(self) -> None:
        self._session_id: str | None = None
        self._looks: deque[Look] = deque()
        self._sights: deque[Sight] = deque()
        self._settled: list[_Settled] = []
        self._aspect = 1.0

    def see(self, look: Look, lesson: LessonNow, model: ErrorModel) -> None:
        """Take a picture of the lesson; pictures come in the order of time."""
        if lesson.session_id != self._session_id:
            self._session_id = lesson.session_id
            self._looks.clear()
            self._sights.clear()
            self._settled.clear()
        self._aspect = lesson.aspect
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
            self._settle(seats)

    @property
    def session_id(self) -> str | None:
        """Of the lesson whose pictures it was fed last."""
        return self._session_id

    @property
    def sights(self) -> Sequence[Sight]:
        """Intervals of this lesson so far, oldest first."""
        return tuple(self._sights)

    def hidden(self) -> tuple[tuple[Region, int], ...]:
        """Where places in which somebody sat for minutes show nobody now; the most of them first."""
        if not self._looks:
            return ()
        now_us = self._looks[-1].at_us
        dark = sorted(
            region_of(place.x / self._aspect, place.y)
            for place in self._settled
            if now_us - place.last_us >= GONE_US
        )
        found = [(where, len(list(places))) for where, places in groupby(dark)]
        return tuple(sorted(found, key=lambda each: (-each[1], each[0])))

    def _settle(self, seats: SeatMap) -> None:
        """Remember where somebody sits, and when a head was last seen there."""
        if len(seats.at_us) < FEWEST_LOOKS:
            return
        centre, seen = seats.centre, seats.seen
        for number in np.flatnonzero(seen.mean(axis=1) >= SETTLED):
            if seats.zone[number]:
                continue
            x, y = float(centre[number, 0]), float(centre[number, 1])
            known = min(self._settled, key=lambda place: _apart(place, x, y), default=None)
            if known is None or _apart(known, x, y) > REACH:
                last_us = int(seats.at_us[np.flatnonzero(seen[number])[-1]])
                self._settled.append(_Settled(x, y, float(seats.size[number]), last_us))
        last = [int(np.flatnonzero(each)[-1]) for each in seen]
        for place in self._settled:
            near = np.hypot(centre[:, 0] - place.x, centre[:, 1] - place.y) <= REACH * place.size
            shown = [int(seats.at_us[last[number]]) for number in np.flatnonzero(near)]
            place.last_us = max([place.last_us, *shown])


def _apart(place: _Settled, x: float, y: float) -> float:
    return hypot(place.x - x, place.y - y) / place.size

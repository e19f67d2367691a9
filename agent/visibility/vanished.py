"""Who sat there and is seen no more: the softer warning of a running lesson, from places and not from number.

The number's interval is too wide for two of thirty. A place where somebody surely sat tells more: when it
shows nobody for minutes, its person is hidden, gone, or sits elsewhere. Each such place is balanced against
the places that came to be since, and against check-ins and check-outs since then; what is left over is
likely, never certain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from agent.visibility.error_model import ErrorModel
from agent.visibility.seats import REACH, Floats, SeatMap
from agent.visibility.windows import Windows, moved

SURE: Final = 1.5
"""Mean log-odds over minutes from which on somebody surely sits there, if the place moves as people do."""
FEWEST: Final = 2
"""So many must have vanished: one who is out of sight for minutes behind a neighbour is common."""
ENOUGH: Final = 0.8
"""Share of the minutes over which movement is looked for that must have been seen for somebody to be sure."""
LATELY_US: Final = 180_000_000
"""Over so long it is asked whether a place shows somebody: who bends down is back within it."""
LIT: Final = -1.5
"""Mean log-odds lately above which a place shows somebody."""
DARK: Final = -2.95
"""Mean log-odds lately below which it shows nobody: `ErrorModel.miss` is a look without any head."""


@dataclass(slots=True)
class _Place:
    x: float
    y: float
    size: float
    lit_us: int
    """When it showed somebody last."""
    expected: int
    """Trainees who were expected then."""
    came_us: int | None = None
    """When it showed somebody first; None: it never did for more than a moment."""
    was_sure: bool = False
    stirs: bool = False
    is_dark: bool = False


@dataclass(frozen=True, slots=True)
class Vanished:
    """People who are likely out of the picture, by their places."""

    people: int
    since_us: int
    places: tuple[tuple[float, float], ...]
    """Dark places, x and y as in `Head`; more than `people` where others came to be."""


class Places:
    """Where people of one lesson sat. Fed in the order of time."""

    def __init__(self) -> None:
        self._places: list[_Place] = []
        self._now_us = 0

    def see(self, seats: SeatMap, expected: int, model: ErrorModel) -> None:
        """Take the seat map of the last minutes; so many trainees are expected at its end."""
        if len(seats.at_us) == 0 or seats.at_us[-1] - seats.at_us[0] < LATELY_US:
            return
        self._now_us = now_us = int(seats.at_us[-1])
        lately, long = (_mean_odds(seats, before_us, model) for before_us in (LATELY_US, model.moving_us))
        stirs = moved(seats, model, live=True)[:, -1]
        is_long = seats.at_us[-1] - seats.at_us[0] >= ENOUGH * model.moving_us
        for place in self._places:
            place.is_dark = True
        for row, place in self._matched(seats, expected):
            place.is_dark = bool(lately[row] <= DARK)
            if lately[row] < LIT:
                continue
            place.came_us = place.came_us or now_us
            place.lit_us, place.expected = now_us, expected
            place.x, place.y = (float(each) for each in seats.centre[row])
            place.stirs |= bool(stirs[row])
            place.was_sure |= bool(is_long and stirs[row] and long[row] >= SURE)
        # What never showed anybody for more than a moment is no place.
        self._places = [each for each in self._places if each.came_us is not None or not each.is_dark]

    def dark(self) -> list[tuple[float, float]]:
        """Where somebody surely sat and nobody is seen lately, x and y as in `Head`."""
        return [(place.x, place.y) for place in self._dark()]

    def vanished(self, expected: int, strays: int, after_us: int) -> Vanished | None:
        """Who is likely out of the picture for so long; None: nobody. `strays`: teachers who may have sat
        among the trainees."""
        gone = [place for place in self._dark() if self._now_us - _gone_us(place) >= after_us]
        if not gone or sum(each.was_sure and not each.is_dark for each in self._places) >= expected + strays:
            return None
        gone.sort(key=lambda place: place.lit_us)
        more = expected - gone[0].expected
        came = max(0, self._came(gone[0].lit_us - LATELY_US) - max(0, more))
        people = len(gone) - came - strays + min(0, more)
        if people < FEWEST:
            return None
        return Vanished(people, _gone_us(gone[-people]), tuple((place.x, place.y) for place in gone))

    def _dark(self) -> list[_Place]:
        return [place for place in self._places if place.was_sure and place.is_dark]

    def _came(self, since_us: int) -> int:
        """Places that show somebody who stirs, and did not before."""
        return sum(
            place.stirs and not place.is_dark and place.came_us is not None and place.came_us > since_us
            for place in self._places
        )

    def _matched(self, seats: SeatMap, expected: int) -> list[tuple[int, _Place]]:
        """Each row of trainees with its place, nearest pairs first; what has none is a new one."""
        rows = [row for row, zone in enumerate(seats.zone) if not zone]
        found: dict[int, _Place] = {}
        if self._places and rows:
            ours = np.array([(place.x, place.y, place.size) for place in self._places])
            theirs = seats.centre[rows]
            away = np.hypot(*(theirs[:, None, axis] - ours[None, :, axis] for axis in (0, 1))) / ours[:, 2]
            near = np.argwhere(away < REACH)
            taken: set[int] = set()
            for row, place in near[np.argsort(away[near[:, 0], near[:, 1]], kind="stable")]:
                if rows[row] not in found and int(place) not in taken:
                    found[rows[row]] = self._places[int(place)]
                    taken.add(int(place))
        for row in rows:
            if row not in found:
                x, y = (float(each) for each in seats.centre[row])
                found[row] = _Place(x, y, float(seats.size[row]), self._now_us, expected)
                self._places.append(found[row])
        return list(found.items())


def _mean_odds(seats: SeatMap, before_us: int, model: ErrorModel) -> Floats:
    """(n,): of each place over the last looks."""
    return np.asarray(Windows(seats, before_us, 0).log_odds(model)[:, -1] / model.weight)


def _gone_us(place: _Place) -> int:
    """When its person was seen last, about: what shows nobody any more has a low mean half a window later."""
    return place.lit_us - LATELY_US // 2

"""How many people the picture shows, with an interval: from places, and from what is known of the errors.

Errors persist. Who is hidden behind a pillar stays hidden, and a chair that looks like a head looks like one
in every picture, so looks are not independent: the mean log-odds of a place's looks over minutes counts as
`weight` looks, however many there are. What remains of a place's doubt is a probability; the number of people
is the sum over places (Poisson-binomial), mixed over how far the detector is off in this room as a whole,
less the false places that no evidence shows up, and for the upper bound more by the people whom it does not
see.

Places are not people: who goes to and fro has two, and people who take turns are never there together. So the
lower bound counts of places that are seldom seen together one, and it never exceeds what one single picture
nearby shows, misses allowed for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from agent.visibility.error_model import DEFAULT, ErrorModel
from agent.visibility.people_number import Integers, fewer, mixed, more, quantile
from agent.visibility.seats import Floats, SeatMap
from agent.visibility.teacher_zone import heads_in_zone
from agent.visibility.windows import (
    Windows,
    in_zones,
    merged,
    most_at_once,
    moved,
    told_apart,
)

FOR_EACH_MISS: Final = 9
"""One picture may miss one person for each so many that it shows, less two. Then of a class of which at each
look two and a tenth are out, the larger, no bound reaches all but one."""
ONE_PICTURE_US: Final = 135_000_000
"""How far from a look the picture may lie that shows so many at once."""
NEAR_PICTURE_US: Final = 30_000_000
"""So near to a look one picture must show four fifths of them: half a class that is out for a minute and more
is not there all the time. Nearer or more costs full classes of the one real lesson (bench/RESULTS.md)."""


@dataclass(frozen=True, slots=True)
class Estimates:
    """People in the trainees' part of the picture at each of m looks; `lower` <= `probable` <=
    `likely` <= `plausible` <= `upper`."""

    at_us: Integers
    lower: Integers
    """With `ErrorModel.confidence` so many at least."""
    probable: Integers
    """So many at least in nine of ten."""
    likely: Integers
    """Median."""
    plausible: Integers
    """So many or more in one of four."""
    upper: Integers
    """With `ErrorModel.confidence` so many at most."""
    teachers: Integers
    """Heads in the teacher's zone."""
    at_the_desk: Integers
    """Teachers who are surely there: see `teacher_zone.heads_in_zone`."""

    def __len__(self) -> int:
        return len(self.at_us)


def of_seats(
    seats: SeatMap,
    model: ErrorModel = DEFAULT,
    *,
    live: bool = False,
    one_picture_us: int = ONE_PICTURE_US,
) -> Estimates:
    """Estimates for people who sit. `live`: from the looks up to each, as a lesson runs; else from those
    around it. `one_picture_us`: so near to a look one picture must show as many as its lower bound says."""
    half_us = model.window_us // 2
    around = Windows(seats, half_us, half_us)
    windows = Windows(seats, model.live_window_us, 0) if live else around
    near_us = (model.live_window_us, 0) if live else (one_picture_us, one_picture_us)
    odds = windows.log_odds(model)
    stirs = moved(seats, model, live=live)
    moving = stirs & in_zones(seats, "")[:, None]
    present = windows.bracketed if not live else windows.any
    odds = odds + np.where(moving, model.movement, 0.0)
    surest = merged(seats, np.where(moving & present, odds, -np.inf), 0.0)
    at_least = told_apart(seats, around, surest)
    between = merged(seats, np.where(in_zones(seats, "")[:, None] & windows.any, odds, -np.inf), 1.0)
    possible = in_zones(seats, "", "masked")[:, None] & windows.any
    at_most = merged(
        seats, np.where(possible, np.maximum(odds, windows.log_odds(model) + model.movement), -np.inf), 0.0
    )
    ceiling = _ceiling(most_at_once(seats, surest, *near_us))
    if not live:
        near = most_at_once(seats, surest, NEAR_PICTURE_US, NEAR_PICTURE_US)
        ceiling = np.minimum(ceiling, near + near // 4)
    return _bounds((at_least, between, at_most), ceiling, heads_in_zone(seats, stirs), seats.at_us, model)


def _ceiling(at_once: Integers) -> Integers:
    """How many may be there where so many are in one picture."""
    return np.asarray(at_once + np.maximum(0, at_once // FOR_EACH_MISS - 2))


def _bounds(
    places: tuple[Floats, Floats, Floats],
    ceiling: Integers,
    teachers: tuple[Integers, Integers],
    at_us: Integers,
    model: ErrorModel,
) -> Estimates:
    """`places`: log-odds of each for lower bound, median and upper bound; `ceiling`: of the lower bound."""
    at_least, between, at_most = places
    low = fewer(mixed(at_least, model.room_sd), at_least, model)
    middle = more(mixed(between, model.room_sd), model.unseen)
    high = more(mixed(at_most, model.room_sd), model.unseen)
    lower = np.minimum(quantile(low, 1 - model.confidence), ceiling)
    probable = np.maximum(lower, quantile(low, 0.1))
    likely = np.maximum(probable, quantile(middle, 0.5))
    plausible = np.maximum(likely, quantile(middle, 0.75))
    upper = np.maximum(plausible, quantile(high, model.confidence))
    return Estimates(at_us, lower, probable, likely, plausible, upper, *teachers)

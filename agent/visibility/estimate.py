"""How many people the picture shows, with an interval: from places, and from what is known of the errors.

Errors persist. Who is hidden behind a pillar stays hidden, and a chair that looks like a head looks like one
in every picture, so looks are not independent: the mean log-odds of a place's looks over minutes counts as
`weight` looks, however many there are. What remains of a place's doubt is a probability; the number of people
is the sum over places (Poisson-binomial), mixed over how far the detector is off in this room as a whole,
less the false places that no evidence shows up, and for the upper bound more by the people whom it does not
see.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agent.visibility.error_model import DEFAULT, ErrorModel
from agent.visibility.people_number import Integers, fewer, mixed, more, quantile
from agent.visibility.seats import Floats, SeatMap
from agent.visibility.windows import Windows, in_zones, merged, moved


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

    def __len__(self) -> int:
        return len(self.at_us)


def of_seats(seats: SeatMap, model: ErrorModel = DEFAULT, *, live: bool = False) -> Estimates:
    """Estimates for people who sit. `live`: from the looks up to each, as a lesson runs; else from those
    around it."""
    half_us = model.window_us // 2
    before_us, after_us = (model.live_window_us, 0) if live else (half_us, half_us)
    windows = Windows(seats, before_us, after_us)
    odds = windows.log_odds(model)
    moving = moved(seats, model, live=live) & in_zones(seats, "")[:, None]
    present = windows.bracketed if not live else windows.any
    odds = odds + np.where(moving, model.movement, 0.0)
    at_least = merged(seats, np.where(moving & present, odds, -np.inf), 2.0)
    between = merged(seats, np.where(in_zones(seats, "")[:, None] & windows.any, odds, -np.inf), 1.0)
    possible = in_zones(seats, "", "masked")[:, None] & windows.any
    at_most = merged(
        seats, np.where(possible, np.maximum(odds, windows.log_odds(model) + model.movement), -np.inf), 0.0
    )
    return _bounds(seats, at_least, between, at_most, model, model.unseen)


def _bounds(
    seats: SeatMap,
    at_least: Floats,
    between: Floats,
    at_most: Floats,
    model: ErrorModel,
    unseen: tuple[float, float],
) -> Estimates:
    low = fewer(mixed(at_least, model.room_sd), at_least, model)
    middle = more(mixed(between, model.room_sd), unseen)
    high = more(mixed(at_most, model.room_sd), unseen)
    lower = quantile(low, 1 - model.confidence)
    probable = quantile(low, 0.1)
    likely = np.maximum(probable, quantile(middle, 0.5))
    plausible = np.maximum(likely, quantile(middle, 0.75))
    upper = np.maximum(plausible, quantile(high, model.confidence))
    in_zone = in_zones(seats, "teacher")[:, None] & (seats.probability >= 0.5)
    return Estimates(seats.at_us, lower, probable, likely, plausible, upper, in_zone.sum(axis=0))

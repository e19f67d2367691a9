"""How many people stand and walk in the picture: each picture counted by itself, nobody followed."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from agent.visibility.error_model import DEFAULT, ErrorModel
from agent.visibility.estimate import Estimates
from agent.visibility.people_number import Integers
from agent.visibility.seats import Floats, SeatMap
from agent.visibility.teacher_zone import heads_in_zone
from agent.visibility.windows import Windows, in_zones, moved


def of_crowd(seats: SeatMap, model: ErrorModel = DEFAULT) -> Estimates:
    """Estimates for people who stand and walk: nobody has a place, so each picture is counted by itself and
    the mean of a window taken, never its best picture. Who walks behind another is missed for a moment: more
    by that share. What stays where it is to a hair's breadth is a thing. What is left of the doubt lasts."""
    half_us = model.window_us // 2
    windows = Windows(seats, half_us, half_us)
    with np.errstate(divide="ignore"):
        odds = np.log(seats.probability) - np.log1p(-seats.probability)
    stays = windows.seen >= np.maximum(3, 0.5 * windows.looks)
    stirs = moved(seats, model, live=False)
    person = ~(stays & ~stirs)
    trainees = in_zones(seats, "")[:, None]
    low = _Crowd.of(windows, np.where(trainees & person, odds + model.stirring, -np.inf), model)
    # A thing may be somebody who stands as still, and a mask may hide somebody.
    high = _Crowd.of(
        windows, np.where(in_zones(seats, "", "masked")[:, None], odds + model.movement, -np.inf), model
    )
    lower = low.at(-_deviate(model.confidence))
    probable = np.maximum(lower, low.at(-_deviate(0.9)))
    likely = np.maximum(probable, low.at(0.0))
    plausible = np.maximum(likely, low.at(_deviate(0.75)))
    upper = np.maximum(plausible, high.at(_deviate(model.confidence)))
    teachers = heads_in_zone(seats, stirs)
    return Estimates(seats.at_us, lower, probable, likely, plausible, upper, *teachers)


@dataclass(frozen=True, slots=True)
class _Crowd:
    """Number of people at each of m looks, normal."""

    mean: Floats
    deviation: Floats

    @classmethod
    def of(cls, windows: Windows, odds: Floats, model: ErrorModel) -> _Crowd:
        """From what each place says in each look, (n, m)."""
        chance = 1 / (1 + np.exp(-np.maximum(odds, -700)))
        seen = windows.sum(chance.sum(axis=0, keepdims=True))[0] / windows.looks
        doubt = windows.sum((chance * (1 - chance)).sum(axis=0, keepdims=True))[0] / windows.looks
        alpha, beta = model.unseen_moving
        behind = alpha / (alpha + beta)
        spread = np.sqrt(behind * (1 - behind) / (alpha + beta + 1))
        mean = seen / (1 - behind)
        variance = doubt + (model.room_sd * doubt) ** 2 + (mean * spread / (1 - behind)) ** 2
        return cls(mean, np.sqrt(variance + (model.crowd_sd * mean) ** 2 + model.false_places))

    def at(self, deviate: float) -> Integers:
        """The whole number nearest to so many standard deviations from the mean."""
        return np.maximum(0, np.rint(self.mean + deviate * self.deviation)).astype(np.int64)


def _deviate(share: float) -> float:
    """Of the standard normal distribution."""
    return NormalDist().inv_cdf(share)

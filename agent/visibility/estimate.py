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
from functools import lru_cache
from math import lgamma
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt

from agent.visibility.seats import Floats, SeatMap

Integers = npt.NDArray[np.int64]

_NODES: Final = ((-1.732, 1 / 6), (0.0, 2 / 3), (1.732, 1 / 6))
"""Gauss-Hermite points of a normal deviate, and their weights."""
MOST_UNSEEN: Final = 80
ONE_HEAD: Final = 0.55
"""Two people's heads are farther apart in the picture, in head sizes, however dense they sit (of 82 labelled
seats of a lesson the nearest two lie 0.57 apart)."""
NEVER: Final = -12.0
"""Log-odds below which a place is left out of the sum: all of them together are no person."""


@dataclass(frozen=True, slots=True)
class ErrorModel:
    """What is known of a detector's errors; each number is measured (bench/verdict.py) on other pictures than
    those on which the verdict's error rates are reported."""

    window_us: int = 600_000_000
    """Looks so near to one another are evidence of the same seats. Of people who sit a miss is forgotten
    after a minute or two (correlation .46 after 15 s, .14 after 75 s, none after 150 s), so minutes tell what
    a moment cannot."""
    live_window_us: int = 60_000_000
    """The same of a lesson that runs: who warns late warns nobody."""
    weight: float = 3.0
    """Looks that the mean log-odds of a place's looks over a window are worth."""
    movement: float = 3.3
    """Log-odds that movement over minutes adds: heads move, chairs and coats do not. Who moves and is seen in
    every other look is rather somebody than nobody."""
    miss: float = -3.0
    """Log-odds of a head in a place that shows none in a look: what is below the detector's floor."""
    room_sd: float = 0.5
    """Of the detector's log-odds from room to room, normal: the count's bias changes sign between rooms."""
    stillness: float = 0.025
    """A place whose heads' centres vary by less than so many head sizes over minutes is a thing: people
    move. It counts for nothing in the lower bound and as a person in the upper one."""
    moving_us: int = 300_000_000
    """Over so long movement is looked for."""
    false_places: float = 0.02
    """Places a room that move, are seen again and again and are no trainee, mean number (Poisson)."""
    false_share: float = 0.0005
    """The same for each place that is seen: more people, more bags, screens and reflections beside them."""
    unseen: tuple[float, float] = (1.0, 60.0)
    """Beta distribution of the share of visible people whom no place shows over a window."""
    unseen_moving: tuple[float, float] = (2.0, 60.0)
    """The same of people who stand and walk, of one picture: who is behind another for a moment."""
    stirring: float = 1.2
    """Log-odds that not being a thing adds where people stand and walk: believed, three in ten of what looks
    like a head and is none moves."""
    crowd_sd: float = 0.03
    """Share of the people by which their number is uncertain besides: believed, nothing measures it here."""
    confidence: float = 0.99
    """Of the lower bound, and of the upper bound."""


DEFAULT: Final = ErrorModel()


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
    windows = _Windows(seats, before_us, after_us)
    odds = windows.log_odds(model)
    moving = _moved(seats, model, live=live) & _ours(seats, "")[:, None]
    present = windows.bracketed if not live else windows.any
    odds = odds + np.where(moving, model.movement, 0.0)
    at_least = _merged(seats, np.where(moving & present, odds, -np.inf), 2.0)
    between = _merged(seats, np.where(_ours(seats, "")[:, None] & windows.any, odds, -np.inf), 1.0)
    possible = _ours(seats, "", "masked")[:, None] & windows.any
    at_most = _merged(
        seats, np.where(possible, np.maximum(odds, windows.log_odds(model) + model.movement), -np.inf), 0.0
    )
    return _bounds(seats, at_least, between, at_most, model, model.unseen)


def of_crowd(seats: SeatMap, model: ErrorModel = DEFAULT) -> Estimates:
    """Estimates for people who stand and walk: nobody has a place, so each picture is counted by itself and
    the mean of a window taken, never its best picture. Who walks behind another is missed for a moment: more
    by that share. What stays where it is to a hair's breadth is a thing. What is left of the doubt lasts."""
    half_us = model.window_us // 2
    windows = _Windows(seats, half_us, half_us)
    with np.errstate(divide="ignore"):
        odds = np.log(seats.probability) - np.log1p(-seats.probability)
    stays = windows.seen >= np.maximum(3, 0.5 * windows.looks)
    person = ~(stays & ~_moved(seats, model, live=False))
    ours = _ours(seats, "")[:, None]
    low = _Crowd.of(windows, np.where(ours & person, odds + model.stirring, -np.inf), model)
    # A thing may be somebody who stands as still, and a mask may hide somebody.
    high = _Crowd.of(
        windows, np.where(_ours(seats, "", "masked")[:, None], odds + model.movement, -np.inf), model
    )
    lower = low.at(-_deviate(model.confidence))
    probable = np.maximum(lower, low.at(-_deviate(0.9)))
    likely = np.maximum(probable, low.at(0.0))
    plausible = np.maximum(likely, low.at(_deviate(0.75)))
    upper = np.maximum(plausible, high.at(_deviate(model.confidence)))
    in_zone = _ours(seats, "teacher")[:, None] & (seats.probability >= 0.5)
    return Estimates(seats.at_us, lower, probable, likely, plausible, upper, in_zone.sum(axis=0))


@dataclass(frozen=True, slots=True)
class _Crowd:
    """Number of people at each of m looks, normal."""

    mean: Floats
    deviation: Floats

    @classmethod
    def of(cls, windows: _Windows, odds: Floats, model: ErrorModel) -> _Crowd:
        """From what each place says in each look, (n, m)."""
        chance = 1 / (1 + np.exp(-np.maximum(odds, -700)))
        seen = windows._sum(chance.sum(axis=0, keepdims=True))[0] / windows.looks
        doubt = windows._sum((chance * (1 - chance)).sum(axis=0, keepdims=True))[0] / windows.looks
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


def _ours(seats: SeatMap, *zones: str) -> npt.NDArray[np.bool_]:
    return np.array([zone in zones for zone in seats.zone], dtype=np.bool_)


class _Windows:
    """What each place showed in the window around each look; all (n, m)."""

    def __init__(self, seats: SeatMap, before_us: int, after_us: int) -> None:
        at = seats.at_us
        self.first = np.searchsorted(at, at - before_us, side="left")
        self.last = np.searchsorted(at, at + after_us, side="right")
        self.looks = (self.last - self.first).astype(np.float64)
        self._seats = seats
        self.seen = self._sum(seats.seen.astype(np.float64))
        self.any = self.seen > 0
        before, after = self._nearest(seats, before_us + after_us)
        self.bracketed = self.any & before & after

    def _sum(self, values: Floats) -> Floats:
        total = np.concatenate([np.zeros((values.shape[0], 1)), np.cumsum(values, axis=1)], axis=1)
        return np.asarray(total[:, self.last] - total[:, self.first])

    def _nearest(self, seats: SeatMap, reach_us: int) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Whether the place showed a head within the reach up to the look, and from it on: who changed places
        is counted at neither end twice."""
        at = seats.at_us
        total = np.concatenate(
            [np.zeros((seats.seen.shape[0], 1)), np.cumsum(seats.seen.astype(np.float64), axis=1)], axis=1
        )
        here = np.arange(len(at))
        first = np.searchsorted(at, at - reach_us, side="left")
        last = np.searchsorted(at, at + reach_us, side="right")
        return total[:, here + 1] > total[:, first], total[:, last] > total[:, here]

    def log_odds(self, model: ErrorModel) -> Floats:
        """(n, m): that somebody is there."""
        probability = np.clip(self._seats.probability, 1e-4, 1 - 1e-4)
        each = np.where(self._seats.seen, np.log(probability) - np.log1p(-probability), model.miss)
        return np.asarray(model.weight * self._sum(each) / self.looks)

    @property
    def best(self) -> Floats:
        """(n, m): log-odds of the surest look of the window."""
        found = np.full(self._seats.probability.shape, -np.inf)
        probability = np.clip(self._seats.probability, 0, 1 - 1e-4)
        for column, (first, last) in enumerate(zip(self.first, self.last, strict=True)):
            top = probability[:, first:last].max(axis=1) if last > first else probability[:, column]
            with np.errstate(divide="ignore"):
                found[:, column] = np.log(top) - np.log1p(-top)
        return found


def _moved(seats: SeatMap, model: ErrorModel, *, live: bool) -> npt.NDArray[np.bool_]:
    """(n, m): whether the place's heads moved around each look. Running means of the positions, so that a
    lesson costs milliseconds."""
    half_us = model.moving_us // 2
    windows = _Windows(seats, model.moving_us if live else half_us, 0 if live else half_us)
    count = np.maximum(windows.seen, 1)
    spread = np.zeros_like(count)
    for values in (seats.x, seats.y):
        known = np.nan_to_num(values - np.nanmean(values, axis=1, keepdims=True)) if values.size else values
        mean = windows._sum(known) / count
        spread += np.maximum(0.0, windows._sum(known * known) / count - mean * mean)
    return np.asarray((np.sqrt(spread) >= model.stillness * seats.size[:, None]) & (windows.seen >= 3))


def _merged(seats: SeatMap, odds: Floats, within: float) -> Floats:
    """Of places nearer than `within` head sizes that never show a head in the same look, only the surest
    counts: somebody who leans to and fro is one person, and two who are seen so seldom may as well be one.
    The same of places nearer than `ONE_HEAD` whatever they show: two boxes of one head."""
    if len(odds) < 2:
        return odds
    centre, seen = seats.centre, seats.seen.astype(np.float64)
    distance = np.hypot(*(centre[:, None, axis] - centre[None, :, axis] for axis in (0, 1)))
    size = np.maximum(seats.size[:, None], seats.size[None, :])
    together = seen @ seen.T
    same = ((distance < within * size) & (together == 0)) | (distance < ONE_HEAD * size)
    found = odds.copy()
    for one, other in np.argwhere(np.triu(same, 1)):
        # The likelier one of both at each look; the other is as if it were not there.
        weaker = found[one] < found[other]
        found[one, weaker] = -np.inf
        found[other, ~weaker] = -np.inf
    return found


def _bounds(
    seats: SeatMap,
    at_least: Floats,
    between: Floats,
    at_most: Floats,
    model: ErrorModel,
    unseen: tuple[float, float],
) -> Estimates:
    low = _less(_mixed(at_least, model.room_sd), at_least, model)
    middle = _more(_mixed(between, model.room_sd), unseen)
    high = _more(_mixed(at_most, model.room_sd), unseen)
    lower = _quantile(low, 1 - model.confidence)
    probable = _quantile(low, 0.1)
    likely = np.maximum(probable, _quantile(middle, 0.5))
    plausible = np.maximum(likely, _quantile(middle, 0.75))
    upper = np.maximum(plausible, _quantile(high, model.confidence))
    in_zone = _ours(seats, "teacher")[:, None] & (seats.probability >= 0.5)
    return Estimates(seats.at_us, lower, probable, likely, plausible, upper, in_zone.sum(axis=0))


def _mixed(odds: Floats, room_sd: float) -> Floats:
    """(m, n + 1): distribution of the number of people over places whose log-odds are (n, m)."""
    looks = odds.shape[1]
    places = int((odds > NEVER).sum(axis=0).max(initial=0))
    surest = -np.sort(-np.maximum(odds, -700), axis=0)[:places]  # most places show nobody at a given look
    distribution = np.zeros((looks, len(_NODES), places + 1))
    distribution[:, :, 0] = 1.0
    shifts = np.array([node for node, _ in _NODES]) * room_sd
    for place, row in enumerate(surest):
        shown = np.where(row > NEVER, row, -700)[:, None] + shifts[None, :]
        chance = (1 / (1 + np.exp(-np.maximum(shown, -700))))[:, :, None]
        reached = distribution[:, :, : place + 1] * chance
        distribution[:, :, : place + 1] *= 1 - chance
        distribution[:, :, 1 : place + 2] += reached
    return np.asarray(np.einsum("mkn,k->mn", distribution, np.array([weight for _, weight in _NODES])))


def _less(distribution: Floats, odds: Floats, model: ErrorModel) -> Floats:
    """Fewer by the false places: Poisson, so many a room and so many for each place that is seen."""
    seen = (odds > 0).sum(axis=0)
    mean = model.false_places + model.false_share * seen
    found = np.zeros_like(distribution)
    weight = np.exp(-mean)
    for fewer in range(6):
        part = np.roll(distribution, -fewer, axis=1)
        if fewer:
            part[:, -fewer:] = 0
            part[:, 0] += distribution[:, :fewer].sum(axis=1)
            weight = weight * mean / fewer
        found += part * weight[:, None]
    return found


def _more(distribution: Floats, unseen: tuple[float, float]) -> Floats:
    """More by the people whom no place shows: of k who are seen, a share drawn from a Beta distribution."""
    table = _unseen_table(distribution.shape[1], *unseen)
    wide = np.zeros((distribution.shape[0], distribution.shape[1] + MOST_UNSEEN))
    for seen in range(distribution.shape[1]):
        wide[:, seen : seen + MOST_UNSEEN] += distribution[:, seen : seen + 1] * table[seen]
    return wide


@lru_cache(maxsize=64)
def _unseen_table(most: int, alpha: float, beta: float) -> Floats:
    """(most, MOST_UNSEEN): beta negative binomial, how many are missed before the next is seen."""

    def log_beta(a: float, b: float) -> float:
        return lgamma(a) + lgamma(b) - lgamma(a + b)

    table = np.zeros((most, MOST_UNSEEN))
    for seen in range(most):
        for missed in range(MOST_UNSEEN):
            ways = lgamma(seen + 1 + missed) - lgamma(missed + 1) - lgamma(seen + 1)
            table[seen, missed] = np.exp(
                ways + log_beta(alpha + missed, beta + seen + 1) - log_beta(alpha, beta)
            )
    return np.asarray(table / table.sum(axis=1, keepdims=True))


def _quantile(distribution: Floats, share: float) -> Integers:
    """Smallest number below or at which at least `share` of each row lies."""
    total = np.cumsum(distribution, axis=1)
    return np.asarray((total < share - 1e-12).sum(axis=1), dtype=np.int64)

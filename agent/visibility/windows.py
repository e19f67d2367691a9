"""What each place of a seat map showed around each look: how often, how surely, whether it moved."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from agent.visibility.error_model import ErrorModel
from agent.visibility.people_number import NEVER, Integers
from agent.visibility.seats import Floats, SeatMap

ONE_HEAD: Final = 0.55
"""Two people's heads are farther apart in the picture, in head sizes, however dense they sit (of 82 labelled
seats of a lesson the nearest two lie 0.57 apart)."""
SELDOM: Final = 0.2
"""Of the rarer one's looks: two places that are seen together more seldom may be one person's. Two people
who are seen independently of one another are together in the share of looks in which the commoner one is
seen, and who is seen in a fifth of the looks counts for nothing."""
AWAY_US: Final = 150_000_000
"""A place that showed nobody for so long before a look, or after it, shows nobody there: a miss of somebody
who sits is forgotten by then. Half of it halves the full classes of the one real lesson that are `shown`."""


def in_zones(seats: SeatMap, *zones: str) -> npt.NDArray[np.bool_]:
    return np.array([zone in zones for zone in seats.zone], dtype=np.bool_)


class Windows:
    """What each place showed in the window around each look; all (n, m)."""

    def __init__(self, seats: SeatMap, before_us: int, after_us: int) -> None:
        at = seats.at_us
        self.first = np.searchsorted(at, at - before_us, side="left")
        self.last = np.searchsorted(at, at + after_us, side="right")
        self.looks = (self.last - self.first).astype(np.float64)
        self._seats = seats
        self.seen = self.sum(seats.seen.astype(np.float64))
        self.any = self.seen > 0
        before, after = self._nearest(seats, AWAY_US)
        self.bracketed = self.any & before & after

    def sum(self, values: Floats) -> Floats:
        total = np.concatenate([np.zeros((values.shape[0], 1)), np.cumsum(values, axis=1)], axis=1)
        return np.asarray(total[:, self.last] - total[:, self.first])

    def _nearest(self, seats: SeatMap, reach_us: int) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Whether the place showed a head within the reach up to the look, and from it on: who has left is
        not there any longer, and who will come not yet."""
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
        return np.asarray(model.weight * self.sum(each) / self.looks)


def moved(seats: SeatMap, model: ErrorModel, *, live: bool) -> npt.NDArray[np.bool_]:
    """(n, m): whether the place's heads moved around each look. Running means of the positions, so that a
    lesson costs milliseconds."""
    half_us = model.moving_us // 2
    windows = Windows(seats, model.moving_us if live else half_us, 0 if live else half_us)
    count = np.maximum(windows.seen, 1)
    spread = np.zeros_like(count)
    for values in (seats.x, seats.y):
        known = np.nan_to_num(values - np.nanmean(values, axis=1, keepdims=True)) if values.size else values
        mean = windows.sum(known) / count
        spread += np.maximum(0.0, windows.sum(known * known) / count - mean * mean)
    return np.asarray((np.sqrt(spread) >= model.stillness * seats.size[:, None]) & (windows.seen >= 3))


def merged(seats: SeatMap, odds: Floats, within: float) -> Floats:
    """Of places nearer than `ONE_HEAD` only the surest counts: two boxes of one head. The same of places
    nearer than `within` head sizes that never show a head in the same look: somebody who leans to and fro is
    one person, and two who are seen so seldom may as well be one."""
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


def told_apart(seats: SeatMap, windows: Windows, odds: Floats) -> Floats:
    """Of places that are seldom seen together in the window only the surest counts, however far apart they
    lie: who goes to and fro between two places is one person. Any two that are left were in one picture."""
    found, seen = odds.copy(), seats.seen.astype(np.float64)
    rows = np.flatnonzero((odds > NEVER).any(axis=1))
    for number, one in enumerate(rows):
        others = rows[number + 1 :]
        together = windows.sum(seen[one] * seen[others])
        seldom = together < SELDOM * np.minimum(windows.seen[one], windows.seen[others])
        for other, here in zip(others, seldom, strict=True):
            weaker = here & (found[one] < found[other])
            found[one, weaker] = -np.inf
            found[other, here & ~weaker] = -np.inf
    return found


def most_at_once(seats: SeatMap, odds: Floats, before_us: int, after_us: int) -> Integers:
    """At each look the most people that one single look around it shows, (m,): places with a head in it that
    are rather people than not. Nobody is in two places of one picture."""
    shown = ((odds > 0) & seats.seen).sum(axis=0)
    at = seats.at_us
    first, last = np.searchsorted(at, at - before_us), np.searchsorted(at, at + after_us, side="right")
    return np.array([shown[a:b].max() for a, b in zip(first, last, strict=True)], dtype=np.int64)

"""Lessons made of a cast: what a counter would report of it each few seconds, with errors that persist.

Who is seen badly stays so, a thing that looks like a head stays, both with noise from look to look; people
bend down and come up again, or walk about.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from agent.visibility.seats import Head, Look
from bench.verdict_casts import FLOOR, Cast

HOUR_S: Final = 900
"""A class hour of a quarter of its length: one of 45 minutes has three times as many chances to err."""
EVERY_S: Final = 5
NEEDED_US: Final = 300_000_000

Persistence = Literal["frozen", "measured"]
"""How long an error lasts. `frozen`: the score of one picture stays for the class hour, with little noise.
`measured`: as in the one real lesson (val_room), see `_Errors`."""
SLOW, QUICK = 0.6, 0.4
"""Frozen: standard deviations of a head's log-odds from half minute to half minute and from look to look."""
BENDS_PER_HOUR, BENT_S = 12, 20
"""Frozen: how often and how long somebody is bent over the work and hardly seen."""
THINGS: Final = 0.7
"""Share of false places that do not move."""

Floats = npt.NDArray[np.float64]


class _Errors(NamedTuple):
    """What a score in one picture says of the same place in the other pictures of a lesson (log-odds): fitted
    to the 82 people and 110 false places of val_room over fifty looks, -3 where a place shows nothing."""

    offset: float
    slope: float
    spread: float
    """Standard deviation of a place's mean around `offset + slope * score`."""
    noise: float
    """Standard deviation of a look from its place's mean."""
    missed: float
    """The score that stands for no detection at all."""


MEASURED: Final = {
    True: _Errors(0.875, 0.297, 1.12, 2.1, -1.3),  # people
    False: _Errors(-1.93, 0.2, 0.82, 1.0, -3.0),  # what is nobody
}
KEPT_EACH_LOOK: Final = 0.745
"""Correlation of that noise from look to look, five seconds apart: .42 after 15 s, .05 after 75 s."""


def lesson(
    cast: Cast,
    posture: str,
    random: np.random.Generator,
    seconds: int = HOUR_S,
    persistence: Persistence = "frozen",
) -> list[Look]:
    """What the counter reports of the group over a class hour, a look each five seconds."""
    looks = seconds // EVERY_S
    actors = np.concatenate([cast.people, cast.false])
    is_person = np.arange(len(actors)) < len(cast.people)
    moves = is_person | (random.random(len(actors)) >= THINGS)
    shape = (len(actors), looks)
    odds = (_measured if persistence == "measured" else _frozen)(actors[:, 3:4], is_person, shape, random)
    step = np.where(moves, 0.08, 0.006)[:, None] * actors[:, 2:3]
    x, y = (actors[:, [axis]] + _wander(shape, random) * step for axis in (0, 1))
    if posture == "standing":
        x, y, odds = _walk(x, y, odds, is_person, actors, random)
    score = 1 / (1 + np.exp(-odds))
    return [
        Look(
            at * EVERY_S * 1_000_000,
            tuple(
                Head(float(x[n, at]), float(y[n, at]), float(actors[n, 2]), float(min(score[n, at], 0.9999)))
                for n in np.flatnonzero(score[:, at] >= FLOOR)
            ),
        )
        for at in range(looks)
    ]


def _frozen(
    score: Floats, is_person: npt.NDArray[np.bool_], shape: tuple[int, int], random: np.random.Generator
) -> Floats:
    looks = shape[1]
    slow = np.repeat(random.normal(0, SLOW, (shape[0], looks // 6 + 1)), 6, axis=1)[:, :looks]
    odds = score + slow + random.normal(0, QUICK, shape)
    begins = random.random(shape) < BENDS_PER_HOUR / 3600 * EVERY_S
    bent = np.zeros(shape, dtype=bool)
    for later in range(BENT_S // EVERY_S):
        bent[:, later:] |= begins[:, : looks - later]
    return np.where(bent & is_person[:, None], odds - 4, odds)


def _measured(
    score: Floats, is_person: npt.NDArray[np.bool_], shape: tuple[int, int], random: np.random.Generator
) -> Floats:
    of = np.array([MEASURED[bool(each)] for each in is_person]).reshape(-1, len(_Errors._fields))
    offset, slope, spread, noise, missed = (column[:, None] for column in of.T)
    mean = offset + slope * np.where(np.isfinite(score), score, missed)
    lasting = mean + spread * random.normal(0, 1, (shape[0], 1))
    return np.asarray(lasting + noise * _wander(shape, random, KEPT_EACH_LOOK))


def _wander(shape: tuple[int, int], random: np.random.Generator, kept: float = 0.8) -> Floats:
    """Numbers of standard deviation 1 that are `kept` from look to look in part."""
    found = random.normal(0, 1, shape)
    for at in range(1, shape[1]):
        found[:, at] = kept * found[:, at - 1] + np.sqrt(1 - kept * kept) * found[:, at]
    return found


def _walk(
    x: Floats,
    y: Floats,
    odds: Floats,
    is_person: npt.NDArray[np.bool_],
    actors: Floats,
    random: np.random.Generator,
) -> tuple[Floats, Floats, Floats]:
    """People stroll about the space of the group, a head's width a second; who passes behind another is not
    seen, though never for long."""
    stride = 1.0 * actors[:, 2:3] * EVERY_S
    low, high = actors[:, :2].min(0), actors[:, :2].max(0)
    walked = []
    for axis, places in enumerate((x, y)):
        there = places + np.cumsum(random.normal(0, 1, places.shape) * stride / 3, axis=1)
        span = max(1e-6, high[axis] - low[axis])
        folded = np.abs((there - low[axis]) % (2 * span) - span)
        walked.append(np.where(is_person[:, None], low[axis] + folded, places))
    behind = random.random(odds.shape) < 0.08
    return walked[0], walked[1], np.where(behind & is_person[:, None], -np.inf, odds)

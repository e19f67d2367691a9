"""Lessons made of a cast: what a counter would report of it each few seconds, with errors that persist.

Who is seen badly stays so, a thing that looks like a head stays, both with noise from look to look; people
bend down and come up again, or walk about.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from agent.visibility.seats import Head, Look
from bench.verdict_casts import FLOOR, Cast

HOUR_S: Final = 900
"""A class hour of a quarter of its length: one of 45 minutes has three times as many chances to err."""
EVERY_S: Final = 5
NEEDED_US: Final = 300_000_000

SLOW, QUICK = 0.6, 0.4
"""Standard deviations of a head's log-odds from half minute to half minute and from look to look."""
BENDS_PER_HOUR, BENT_S = 12, 20
"""How often and how long somebody is bent over the work and hardly seen."""
THINGS: Final = 0.7
"""Share of false places that do not move."""

Floats = npt.NDArray[np.float64]


def lesson(cast: Cast, posture: str, random: np.random.Generator, seconds: int = HOUR_S) -> list[Look]:
    """What the counter reports of the group over a class hour, a look each five seconds."""
    looks = seconds // EVERY_S
    actors = np.concatenate([cast.people, cast.false])
    is_person = np.arange(len(actors)) < len(cast.people)
    moves = is_person | (random.random(len(actors)) >= THINGS)
    shape = (len(actors), looks)
    slow = np.repeat(random.normal(0, SLOW, (len(actors), looks // 6 + 1)), 6, axis=1)[:, :looks]
    odds = actors[:, 3:4] + slow + random.normal(0, QUICK, shape)
    begins = random.random(shape) < BENDS_PER_HOUR / 3600 * EVERY_S
    bent = np.zeros(shape, dtype=bool)
    for later in range(BENT_S // EVERY_S):
        bent[:, later:] |= begins[:, : looks - later]
    odds = np.where(bent & is_person[:, None], odds - 4, odds)
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


def _wander(shape: tuple[int, int], random: np.random.Generator) -> Floats:
    """Positions that are kept from look to look in part: standard deviation 1."""
    found = random.normal(0, 1, shape)
    for at in range(1, shape[1]):
        found[:, at] = 0.8 * found[:, at - 1] + 0.6 * found[:, at]
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

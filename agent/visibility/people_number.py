"""The number of people as a distribution: a sum over places of which each holds somebody with its own
probability (Poisson-binomial), mixed over how far the detector is off in this room as a whole, less the false
places that no evidence shows up, and more by the people whom no place shows."""

from __future__ import annotations

from functools import lru_cache
from math import lgamma
from typing import Final

import numpy as np
import numpy.typing as npt

from agent.visibility.error_model import ErrorModel
from agent.visibility.seats import Floats

Integers = npt.NDArray[np.int64]

_NODES: Final = ((-1.732, 1 / 6), (0.0, 2 / 3), (1.732, 1 / 6))
"""Gauss-Hermite points of a normal deviate, and their weights."""
MOST_UNSEEN: Final = 80
NEVER: Final = -12.0
"""Log-odds below which a place is left out of the sum: all of them together are no person."""


def mixed(odds: Floats, room_sd: float) -> Floats:
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


def fewer(distribution: Floats, odds: Floats, model: ErrorModel) -> Floats:
    """Fewer by the false places: Poisson, so many a room and so many for each place that is seen."""
    seen = (odds > 0).sum(axis=0)
    mean = model.false_places + model.false_share * seen
    found = np.zeros_like(distribution)
    weight = np.exp(-mean)
    for false in range(6):
        part = np.roll(distribution, -false, axis=1)
        if false:
            part[:, -false:] = 0
            part[:, 0] += distribution[:, :false].sum(axis=1)
            weight = weight * mean / false
        found += part * weight[:, None]
    return found


def more(distribution: Floats, unseen: tuple[float, float]) -> Floats:
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


def quantile(distribution: Floats, share: float) -> Integers:
    """Smallest number below or at which at least `share` of each row lies."""
    total = np.cumsum(distribution, axis=1)
    return np.asarray((total < share - 1e-12).sum(axis=1), dtype=np.int64)

"""What there is to be seen in one labelled picture: its people and what looks like a head, with the scores of
a counter, or with scores drawn so that recall and precision are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from bench.head_labels import unlabelled

FLOOR: Final = 0.05
FOUND: Final = 0.6
"""A detection so many head sizes from a label is that head."""
SMALLEST_PART: Final = 10
"""Seats of the smallest part of a room whose false places are reckoned with."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Cast:
    """Lengths in units of the picture's height."""

    people: Floats
    """(n, 4): x, y, size, log-odds of the detector; -inf: never found."""
    false: Floats
    """(k, 4): the same of what is no head."""


def stand_in(pictures: Sequence[Floats], random: np.random.Generator) -> list[Cast]:
    """Casts with scores so drawn that of those with score p a share p are heads: recall .88 and precision .89
    at a cut of .38, as measured of the net's predecessor on val_room."""
    casts = []
    for heads in pictures:
        # Of all that is reported, a score's density g; heads have g * p, the rest g * (1 - p).
        many = 40 * len(heads)
        score = np.where(random.random(many) < 0.7, random.beta(14, 0.9, many), random.beta(0.6, 2.2, many))
        is_head = random.random(many) < score
        people, false = score[is_head], score[~is_head & (score >= FLOOR)]
        share = len(false) / max(1, len(people))
        odds = np.log(people[: len(heads)] / np.maximum(1e-9, 1 - people[: len(heads)]))
        count = random.poisson(share * len(heads))
        near = heads[random.integers(0, len(heads), count), :3]
        places = near + random.normal(0, 2.5, (count, 3)) * near[:, 2:3] * (1, 1, 0)
        casts.append(
            Cast(
                np.column_stack([heads, odds]),
                np.column_stack([places, np.log(false[:count] / (1 - false[:count]))]),
            )
        )
    return casts


def of_counts(pictures: Mapping[str, Floats], found: Mapping[str, Floats]) -> list[Cast]:
    """Casts of labelled `pictures` with the scores in `found` (`verdict_pictures.counted`). Who is in a
    picture and not in its labels is neither one of the people nor a false place."""
    left_out = unlabelled()
    nobody: Floats = np.zeros((0, 3))
    return [_cast(heads, found[name], left_out.get(name, nobody)) for name, heads in pictures.items()]


def _is_at(places: Floats, x: float, y: float) -> bool:
    return bool((np.hypot(places[:, 0] - x, places[:, 1] - y) < FOUND * places[:, 2]).any())


def _cast(heads: Floats, found: Floats, left_out: Floats) -> Cast:
    odds, false = np.full(len(heads), -np.inf), []
    for x, y, size, score in found:  # the surest first
        value = float(np.log(score / (1 - score)))
        away = np.hypot(heads[:, 0] - x, heads[:, 1] - y) / heads[:, 2]
        away[np.isfinite(odds)] = np.inf
        nearest = int(np.argmin(away))
        if away[nearest] < FOUND:
            odds[nearest] = value
        elif not _is_at(left_out, x, y):
            false.append((x, y, size, value))
    return Cast(np.column_stack([heads, odds]), np.array(false).reshape(-1, 4))


def group(cast: Cast, people: int, random: np.random.Generator) -> Cast | None:
    """So many neighbours of a picture and what is false among them; None where it has fewer people.

    A class smaller than `SMALLEST_PART` sits in a part of a room as large as so many need: with what is false
    in it, and without the others who sit there."""
    if len(cast.people) < max(1, people):
        return None
    first = cast.people[random.integers(len(cast.people)), :2]
    order = np.argsort(np.hypot(*(cast.people[:, :2] - first).T))
    part = cast.people[order[: max(people, SMALLEST_PART)]]
    low, high = part[:, :2].min(0) - 0.03, part[:, :2].max(0) + 0.03
    inside = ((cast.false[:, :2] >= low) & (cast.false[:, :2] <= high)).all(1)
    return Cast(cast.people[order[:people]], cast.false[inside])

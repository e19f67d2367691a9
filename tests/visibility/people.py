"""Made-up lessons: people in places, as a head counter would report them picture by picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from agent.store.attendance import Expected
from agent.visibility.error_model import DEFAULT
from agent.visibility.looks import MODELS
from agent.visibility.seats import Head, Look
from agent.visibility.verdict import Scene

SECOND_US = 1_000_000
HOUR = (0, 2700 * SECOND_US)
NEEDED_US = 300 * SECOND_US
DETECTOR = "made-up-heads"
"""Whose counts these are: as good as the head net's, whatever its weights bear today."""
MODELS[DETECTOR] = DEFAULT


def seats_of(people: int, in_row: int = 10) -> list[tuple[float, float]]:
    """Places in rows, three head sizes apart, so that nobody's head is another's."""
    return [(0.15 + 0.14 * (n % in_row), 0.12 + 0.12 * (n // in_row)) for n in range(people)]


def lesson(
    places: Sequence[tuple[float, float]],
    *,
    seconds: int = 420,
    chance: float = 0.97,
    probability: float = 0.99,
    moves: float = 0.1,
    seed: int = 1,
    zone: str = "",
) -> list[Look]:
    """A look each five seconds; each place shows a head with `chance`, whose centre wanders by `moves` head
    sizes (0: a thing, which does not move)."""
    random = np.random.default_rng(seed)
    size = 0.045
    looks = []
    for second in range(0, seconds, 5):
        heads = []
        for x, y in places:
            dx, dy, scatter, shown = random.normal(), random.normal(), random.normal(), random.random()
            if shown < chance:
                found = float(np.clip(probability + 0.003 * scatter, 0.02, 0.998))
                step = moves * size
                heads.append(Head(x + dx * step, y + dy * step, size, found, zone))
        looks.append(Look(second * SECOND_US, tuple(heads)))
    return looks


def together(*streams: Sequence[Look]) -> list[Look]:
    """Several groups of heads in the same pictures."""
    return [
        Look(looks[0].at_us, tuple(head for look in looks for head in look.heads))
        for looks in zip(*streams, strict=True)
    ]


def scene(trainees: int, teachers: int = 0, *, walking: bool = False, zoned: bool = True) -> Scene:
    """So many are checked in from beginning to end."""
    return Scene([Expected(*HOUR, trainees, teachers)], has_teacher_zone=zoned, walking=walking)

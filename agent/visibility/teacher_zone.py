"""Which heads are teachers': the zone about the desk frees those who are checked in from standing among the
trainees, but only where somebody stirs there."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from agent.visibility.people_number import Integers
from agent.visibility.seats import SeatMap
from agent.visibility.windows import Windows, in_zones

AT_THE_DESK_US: Final = 30_000_000
"""Who stirs in the zone at half of the looks so near to a look is not among the trainees."""


def heads_in_zone(seats: SeatMap, stirs: npt.NDArray[np.bool_]) -> tuple[Integers, Integers]:
    """At each look the heads in the teacher's zone, and the teachers who are there at half of the looks
    around: so many heads whose places move (`windows.moved`), or so many such places, of which any two are in
    one picture then. What never moves is a poster or a screen, what is there now and then may be nobody."""
    there = in_zones(seats, "teacher")[:, None] & (seats.probability >= 0.5)
    windows, stirring = Windows(seats, AT_THE_DESK_US, AT_THE_DESK_US), there & stirs
    often = (windows.sum(stirring.astype(np.float64)) > windows.looks / 2).sum(axis=0)
    heads, around = stirring.sum(axis=0), zip(windows.first, windows.last, strict=True)
    half = np.array([np.sort(heads[a:b])[(b - a) // 2] for a, b in around], dtype=np.int64)
    return there.sum(axis=0), np.maximum(half, often)


def teachers_beside(
    at: Integers, in_zone: tuple[Integers, Integers] | None, checked_in: Integers
) -> tuple[Integers, Integers]:
    """How many of the heads outside the zone are teachers' at each look, fewest and most; `in_zone` as
    `heads_in_zone` gives it. Without a zone (None) one at least."""
    if in_zone is None:
        return np.maximum(1, checked_in), np.maximum(1, checked_in)
    heads, stirring = in_zone
    first = np.searchsorted(at, at - AT_THE_DESK_US)
    last = np.searchsorted(at, at + AT_THE_DESK_US, side="right")
    some = np.array([heads[a:b].max() for a, b in zip(first, last, strict=True)], dtype=np.int64)
    return np.maximum(0, checked_in - some), np.maximum(0, checked_in - stirring)

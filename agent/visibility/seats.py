"""Heads of one picture after the other, gathered into places: who sits is seen there again and again.

A place takes at most one head of a picture, so heads that are seen together are never one place. Where a
place was looked at and no head found, that is kept too: silence speaks against it. Distances are in units of
the picture's height, so that a stream may change its resolution.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
Polygon = tuple[tuple[float, float], ...]
"""Corners (x, y) in 0..1 of the picture's width and height."""

REACH: Final = 0.8
"""A head belongs to the place whose centre is nearer than so many of its own sizes: people turn and bend by
less, and who sits beside them is farther away."""
QUICKEST_US: Final = 1_000_000
YOUNG: Final = 0.4
"""Head sizes by which a place with hardly a head counts as farther away: a ghost beside somebody's place must
not take that person's heads."""
DRIFT: Final = 0.15
"""Share by which each head moves its place's centre: people settle into another posture over minutes."""


@dataclass(frozen=True, slots=True, order=True)
class Head:
    """One detection. Lengths in units of the picture's height."""

    x: float
    y: float
    """Of the box's centre; x from 0 to the picture's aspect ratio, y from 0 to 1."""
    size: float
    """Square root of the box's area."""
    probability: float
    """Calibrated: that a head is there, in (0, 1)."""
    zone: str = ""
    """'' trainees, 'teacher' in the teacher's zone, 'masked' where the empty room shows what looks like a
    head."""


@dataclass(frozen=True, slots=True)
class Look:
    """One counted picture."""

    at_us: int
    """True time, UTC microseconds."""
    heads: tuple[Head, ...]


@dataclass(frozen=True, slots=True)
class SeatMap:
    """Places over looks, n places and m looks in the order of time."""

    at_us: npt.NDArray[np.int64]
    """(m,)"""
    probability: Floats
    """(n, m), 0 where the place showed no head."""
    x: Floats
    """(n, m), NaN where it showed none; the head's centre, in units of the picture's height."""
    y: Floats
    size: Floats
    """(n,) of the heads of each place, median."""
    zone: tuple[str, ...]
    """(n,) of the place's heads, most of them."""

    @property
    def seen(self) -> Booleans:
        """(n, m), where a place showed a head."""
        return np.asarray(self.probability > 0)

    @property
    def centre(self) -> Floats:
        """(n, 2), median of where its heads were."""
        return np.stack([np.nanmedian(self.x, axis=1), np.nanmedian(self.y, axis=1)], axis=1)


def distinct(looks: Iterable[Look]) -> list[Look]:
    """Looks in the order of time, one an instant. The same heads to the last digit are the same picture
    again, which says nothing new: of a frozen camera, or of a picture that was written twice."""
    found: list[Look] = []
    ordered = (Look(look.at_us, tuple(sorted(look.heads))) for look in looks)
    for look in sorted(ordered, key=lambda each: (each.at_us, each.heads)):
        if found and _repeats(found[-1], look):
            continue
        found.append(look)
    return found


def _repeats(before: Look, look: Look) -> bool:
    """Two pictures without a head are two, unless they come faster than anybody looks."""
    apart_us = look.at_us - before.at_us
    return apart_us == 0 or (before.heads == look.heads and (bool(look.heads) or apart_us < QUICKEST_US))


class _Place:
    def __init__(self, head: Head) -> None:
        self.x, self.y, self.size = head.x, head.y, head.size
        self.heads: dict[int, Head] = {}

    def take(self, at: int, head: Head) -> None:
        self.x += DRIFT * (head.x - self.x)
        self.y += DRIFT * (head.y - self.y)
        self.size += DRIFT * (head.size - self.size)
        self.heads[at] = head


def gather(looks: Sequence[Look]) -> SeatMap:
    """The seat map of `looks`, which are in the order of time and distinct."""
    places: list[_Place] = []
    for at, look in enumerate(looks):
        taken = _matched(places, look.heads)
        for number, head in enumerate(look.heads):
            if number in taken:
                taken[number].take(at, head)
            else:
                places.append(place := _Place(head))
                place.heads[at] = head
    return _table(places, looks)


def _matched(places: Sequence[_Place], heads: Sequence[Head]) -> dict[int, _Place]:
    """Head number → its place, nearest pairs first, each head and each place once."""
    if not places or not heads:
        return {}
    ours = np.array([(place.x, place.y, place.size) for place in places])
    theirs = np.array([(head.x, head.y, head.size) for head in heads])
    distance = np.hypot(theirs[:, None, 0] - ours[None, :, 0], theirs[:, None, 1] - ours[None, :, 1])
    relative = distance / np.maximum(theirs[:, None, 2], ours[None, :, 2])
    candidates = np.argwhere(relative < REACH)
    young = np.array([YOUNG if len(place.heads) < 3 else 0.0 for place in places])
    cost = relative + young[None, :]
    order = np.argsort(cost[candidates[:, 0], candidates[:, 1]], kind="stable")
    found: dict[int, _Place] = {}
    used: set[int] = set()
    for head, place in candidates[order]:
        if int(head) not in found and int(place) not in used:
            found[int(head)] = places[int(place)]
            used.add(int(place))
    return found


def _table(places: Sequence[_Place], looks: Sequence[Look]) -> SeatMap:
    shape = (len(places), len(looks))
    probability = np.zeros(shape)
    x, y = np.full(shape, np.nan), np.full(shape, np.nan)
    for row, place in enumerate(places):
        for at, head in place.heads.items():
            probability[row, at], x[row, at], y[row, at] = head.probability, head.x, head.y
    sizes = [float(np.median([head.size for head in place.heads.values()])) for place in places]
    zones = [_most([head.zone for head in place.heads.values()]) for place in places]
    at_us = np.array([look.at_us for look in looks], dtype=np.int64)
    return SeatMap(at_us, probability, x, y, np.array(sizes), tuple(zones))


def _most(words: Sequence[str]) -> str:
    return max(sorted(set(words)), key=words.count)


def inside(polygon: Polygon, x: float, y: float) -> bool:
    """Whether (x, y) lies in `polygon` (even-odd rule); False for one without corners."""
    found = False
    for (x1, y1), (x2, y2) in zip(polygon, (*polygon[1:], *polygon[:1]), strict=True):
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            found = not found
    return found

"""Following faces from frame to frame by place alone, several at once.

A track says "probably the same face as before", never who; who it is, is decided on templates, and a
track whose face turns out to be someone else's starts anew (agent/checkin/deliberation.py).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from models.images import Box

MIN_OVERLAP = 0.2
"""Intersection over union from which a box continues a track."""
MAX_STEP = 0.8
"""Or a step of the centre of at most so many box widths: at 5 frames/s a walking face may leave its box."""
FORGET_NS = 1_000_000_000
"""A track not seen for so long has ended: the person left, or turned away."""


@dataclass(slots=True)
class Track:
    """One face over time."""

    id: int
    box: Box
    seen_ns: int


class Tracker:
    """Assigns the boxes of each frame to tracks: nearest pairs first, each box and track once."""

    def __init__(self) -> None:
        self._ids = itertools.count(1)
        self._tracks: list[Track] = []

    @property
    def tracks(self) -> list[Track]:
        """Tracks that have not ended, oldest first."""
        return list(self._tracks)

    def update(self, boxes: Sequence[Box], now_ns: int) -> list[Track]:
        """The track of each box, in the order of `boxes`; ends tracks unseen for `FORGET_NS`."""
        self._tracks = [track for track in self._tracks if now_ns - track.seen_ns <= FORGET_NS]
        pairs = sorted(
            (
                (affinity, place, track)
                for place, box in enumerate(boxes)
                for track in self._tracks
                if (affinity := _affinity(track.box, box)) > 0
            ),
            key=lambda pair: -pair[0],
        )
        assigned: dict[int, Track] = {}
        taken: set[int] = set()
        for _, place, track in pairs:
            if place not in assigned and track.id not in taken:
                assigned[place] = track
                taken.add(track.id)
        for place, box in enumerate(boxes):
            if place not in assigned:
                assigned[place] = Track(next(self._ids), box, now_ns)
                self._tracks.append(assigned[place])
            assigned[place].box, assigned[place].seen_ns = box, now_ns
        return [assigned[place] for place in range(len(boxes))]


def _affinity(before: Box, now: Box) -> float:
    """0 when `now` cannot continue `before`; overlaps (1..2) go before mere nearness (0..1)."""
    overlap = before.overlap(now)
    if overlap >= MIN_OVERLAP:
        return 1.0 + overlap
    step = math.dist(before.centre, now.centre) / max(before.width, now.width)
    alike = min(before.width, now.width) / max(before.width, now.width)
    return max(0.0, 1.0 - step / MAX_STEP) if alike > 0.5 else 0.0

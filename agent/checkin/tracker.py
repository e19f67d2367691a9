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
"""A track not seen for so long has ended (the person left or turned away), if pictures could have seen it."""
FORGET_PICTURES = 2
"""So many pictures must have missed it: on a machine so busy that it takes less than a picture a second every
face would else be a new one each time, and nobody ever answered for."""
FORGET_AT_LAST_NS = 3_000_000_000
"""But after so long it has ended anyway: somebody else may have taken the place unseen."""


@dataclass(slots=True)
class Track:
    """One face over time."""

    id: int
    box: Box
    seen_ns: int
    missed: int = 0
    """Pictures since it was seen."""


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
        """The track of each box, in the order of `boxes`; ends those long unseen."""
        self._tracks = [track for track in self._tracks if not _has_ended(track, now_ns)]
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
            assigned[place].box, assigned[place].seen_ns, assigned[place].missed = box, now_ns, -1
        for track in self._tracks:
            track.missed += 1
        return [assigned[place] for place in range(len(boxes))]


def _has_ended(track: Track, now_ns: int) -> bool:
    unseen_ns = now_ns - track.seen_ns
    return unseen_ns > (FORGET_NS if track.missed >= FORGET_PICTURES else FORGET_AT_LAST_NS)


def _affinity(before: Box, now: Box) -> float:
    """0 when `now` cannot continue `before`; overlaps (1..2) go before mere nearness (0..1)."""
    overlap = before.overlap(now)
    if overlap >= MIN_OVERLAP:
        return 1.0 + overlap
    step = math.dist(before.centre, now.centre) / max(before.width, now.width)
    alike = min(before.width, now.width) / max(before.width, now.width)
    return max(0.0, 1.0 - step / MAX_STEP) if alike > 0.5 else 0.0

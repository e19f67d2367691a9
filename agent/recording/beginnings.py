"""Where the recording began, and where it began anew: why nothing is on video before (I3).

A recorder states what it misses from its first start on. Of the time before, nobody was there to state
anything; the files tell it: the first on a disk without history names no footage before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agent.store import footage, true_footage
from agent.store.database import Store
from agent.store.true_time import gaps_between, placed_segments


@dataclass(frozen=True, slots=True)
class Unbegun:
    """[start_us, end_us) before the recording of a camera began, in true time (UTC microseconds)."""

    start_us: int
    end_us: int | None
    """None while nothing was recorded or stated yet."""
    reason: Literal["not_in_service", "begun_anew"]
    """`not_in_service`: before anything that is known of the camera. `begun_anew`: between footage that is
    known and a file that names none before it: the disk was changed or emptied, or did not give back what it
    held."""


def unbegun_between(store: Store, camera: str, start_us: int, end_us: int) -> list[Unbegun]:
    """What of [start_us, end_us) lies before a beginning, in order. A gap that was stated says more: none of
    these reaches into one."""
    beginnings = placed_segments(store, footage.beginnings(store, camera))
    if not beginnings and not footage.is_any(store, camera):
        found = [Unbegun(0, footage.first_gap_us(store, camera), "not_in_service")]
    else:
        found = [
            _before(store, camera, int(row["start_us"])) for row in beginnings if row["start_us"] > start_us
        ]
    return [
        each
        for each in found
        if each.start_us < end_us and (each.end_us is None or each.end_us > max(start_us, each.start_us))
    ]


def _before(store: Store, camera: str, begins_us: int) -> Unbegun:
    known_us = true_footage.last_end_before(store, camera, begins_us)
    since_us = 0 if known_us is None else min(known_us, begins_us)
    gaps = gaps_between(store, camera, since_us, begins_us)
    stated_us = min((int(gap["start_us"]) for gap in gaps if gap["start_us"] >= since_us), default=None)
    reason: Literal["not_in_service", "begun_anew"] = "not_in_service" if known_us is None else "begun_anew"
    return Unbegun(since_us, begins_us if stated_us is None else stated_us, reason)

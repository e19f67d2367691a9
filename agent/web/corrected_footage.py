"""Footage whose device time was wrong when it was recorded: where the page puts it, and both times.

What the page draws and plays lies in true time, as continuity judges it and retention counts it.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.recording.beginnings import unbegun_between
from agent.store import overview, true_footage, true_time
from agent.store.database import Store
from agent.store.overview import Gap
from agent.store.playback import segments_to_play

NOTABLE_US = 1_000_000
"""A smaller correction is the clock's ordinary error and nothing to tell people."""


@dataclass(frozen=True, slots=True)
class CorrectedFootage:
    """`segments` files were moved; the times are those of the first."""

    segments: int
    stated_us: int
    true_us: int
    uncertainty_us: int


def corrected_footage(store: Store, start_us: int, end_us: int) -> CorrectedFootage | None:
    """What truly lies in [start_us, end_us) and was stamped otherwise; None when nothing was."""
    if not true_footage.has_corrections(store):
        return None
    rows = segments_to_play(store, "rear", start_us, end_us)
    moved = [row for row in rows if abs(row.add_us) >= NOTABLE_US]
    if not moved:
        return None
    first = moved[0]
    return CorrectedFootage(
        len(moved), first.start_us - first.add_us, first.start_us, first.uncertainty_us or 0
    )


def gaps_between(store: Store, camera: str, start_us: int, end_us: int) -> list[Gap]:
    """Gaps of a camera that truly reach into [start_us, end_us), and what lies before its recording began;
    oldest first."""
    if not true_footage.has_corrections(store):
        stated = overview.gaps_between(store, camera, start_us, end_us)
    else:
        rows = true_time.gaps_between(store, camera, start_us, end_us)
        stated = [Gap(row["reason"], row["start_us"], row["end_us"]) for row in rows]
    unbegun = unbegun_between(store, camera, start_us, end_us)
    before = [Gap(each.reason, each.start_us, each.end_us) for each in unbegun]
    return sorted([*before, *stated], key=lambda gap: gap.start_us)

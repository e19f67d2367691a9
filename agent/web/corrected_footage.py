"""Footage of a session whose device time was wrong when it was recorded: both times, for whoever looks."""

from __future__ import annotations

from dataclasses import dataclass

from agent.recording import true_time
from agent.store.database import Store

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
    rows = true_time.segments_between(store, "rear", start_us, end_us)
    moved = [row for row in rows if abs(row["add_us"]) >= NOTABLE_US]
    if not moved:
        return None
    first = moved[0]
    return CorrectedFootage(len(moved), first["stated_start_us"], first["start_us"], first["uncertainty_us"])

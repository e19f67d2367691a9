"""Whether the wall clock is vouched for (I8): what retention asks before it deletes anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agent.clock import Stamp
from agent.store.database import Store

KERNEL_LIMIT_US = 16_000_000
"""The kernel itself withdraws its word once the possible error has passed 16 s (adjtimex(2))."""


@dataclass(frozen=True, slots=True)
class Vouch:
    """Somebody answers for the wall clock."""

    by: Literal["synchronised", "hr_check"]
    """`synchronised`: a time service disciplines the clock. `hr_check`: HR staff compared it (annex 6)."""
    uncertainty_us: int
    """The true time lies within this many microseconds of the clock's."""
    since_us: int
    """When the word was given, UTC microseconds by this clock."""


def vouch(store: Store, stamp: Stamp) -> Vouch | None:
    """Who answers for the clock that gave `stamp`; None when nobody does, and nothing may expire (I8)."""
    if stamp.clock_state == "synchronised":
        return Vouch("synchronised", KERNEL_LIMIT_US, stamp.wall_us)
    return None

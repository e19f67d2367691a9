"""Whether the wall clock is vouched for (I8), and what time it truly was when a stamp was made.

Retention asks `vouch` before it deletes anything. Readers of footage and facts ask `corrected`: the rows
themselves keep what they said.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from agent.clock import Stamp
from agent.store import clock_log
from agent.store.clock_log import Comparison, Correction
from agent.store.database import Store

KERNEL_LIMIT_US = 16_000_000
"""The kernel itself withdraws its word once the possible error has passed 16 s (adjtimex(2))."""
DRIFT_PPM = 100
"""What an undisciplined crystal, the machine's or the RTC's, is trusted to keep within: 9 s a day. A Pi's
crystal is given with 30 ppm or less at room temperature; the rest is a cupboard in summer and age."""
CHECK_LASTS_US = 180 * 86_400_000_000
"""HR's comparison is to be repeated each half year: by then 100 ppm are 26 minutes."""
LONGEST_OFF_US = 40 * 86_400_000_000
"""A longer time without power (more than a summer holiday) is believed to no RTC: its battery may have been
changed and the clock set by anybody."""
RTC_AGREES_US = 10_000_000
"""RTC and system clock further apart than this were not set from one another."""
LARGEST_UNCERTAINTY_US = 86_400_000_000
"""A clock that may be a day off serves no retention: it is set right and compared again."""


@dataclass(frozen=True, slots=True)
class Vouch:
    """Somebody answers for the wall clock."""

    by: Literal["synchronised", "hr_check"]
    """`synchronised`: a time service disciplines the clock. `hr_check`: HR staff compared it (annex 6)."""
    uncertainty_us: int
    """The true time lies within this many microseconds of the clock's."""
    since_us: int
    """When the word was given, UTC microseconds by this clock."""


@dataclass(frozen=True, slots=True)
class Corrected:
    """The true time of a stamp, as far as it is known."""

    wall_us: int
    uncertainty_us: int
    basis: clock_log.Basis


def vouch(store: Store, stamp: Stamp) -> Vouch | None:
    """Who answers for the clock that gave `stamp`; None when nobody does, and nothing may expire (I8)."""
    if stamp.clock_state == "synchronised":
        return Vouch("synchronised", KERNEL_LIMIT_US, stamp.wall_us)
    comparison = clock_log.newest_comparison(store)
    if comparison is None:
        return None
    if comparison.boot_id == stamp.boot_id:
        elapsed_us = (stamp.monotonic_ns - comparison.monotonic_ns) // 1000
        extra_us = 0
    else:
        carried = _carried_by_rtc(store, comparison, stamp)
        if carried is None:
            return None
        elapsed_us, extra_us = carried
    if not 0 <= elapsed_us <= CHECK_LASTS_US:
        return None
    off_us = abs(comparison.stated_us + elapsed_us - stamp.wall_us)
    uncertainty_us = off_us + comparison.uncertainty_us + drift_us(elapsed_us) + extra_us
    if uncertainty_us > LARGEST_UNCERTAINTY_US:
        return None
    return Vouch("hr_check", uncertainty_us, stamp.wall_us - elapsed_us)


def drift_us(elapsed_us: int) -> int:
    """By how much a free-running clock may have gone wrong in the meantime."""
    return abs(elapsed_us) * DRIFT_PPM // 1_000_000


def _carried_by_rtc(store: Store, comparison: Comparison, stamp: Stamp) -> tuple[int, int] | None:
    """Microseconds since HR's comparison in an earlier boot, and what the RTC adds to the uncertainty; None
    when no RTC carried the time without a break."""
    if comparison.rtc_ahead_us is None or abs(comparison.rtc_ahead_us) > RTC_AGREES_US:
        return None
    seen = clock_log.stretches_since(store, comparison.boot_id)
    if not seen or seen[-1].boot_id != stamp.boot_id:
        return None  # the keeper has not looked at this boot's clock yet
    for stretch in seen:
        if stretch.rtc_ahead_us is None or abs(stretch.rtc_ahead_us) > RTC_AGREES_US:
            return None
    set_us = 0
    for before, after in pairwise(seen):
        if before.boot_id == after.boot_id:
            set_us += abs(after.offset_us - before.offset_us)
        elif not -RTC_AGREES_US <= after.began_us - before.ended_us <= LONGEST_OFF_US:
            return None
    if set_us > RTC_AGREES_US:
        return None  # set by hand, and the RTC after it: no longer the clock that was compared
    return stamp.wall_us - comparison.wall_us, RTC_AGREES_US


def corrected(store: Store, boot_id: str, monotonic_ns: int) -> Corrected | None:
    """The true time of an instant of `boot_id`; None when the stamps of that instant are all there is."""
    return Corrections.of(store, {boot_id}).at(boot_id, monotonic_ns)


@dataclass(frozen=True, slots=True)
class Corrections:
    """The corrections of some boots, read once for many stamps."""

    by_boot: dict[str, list[Correction]]

    @classmethod
    def of(cls, store: Store, boots: set[str]) -> Corrections:
        """Those of `boots`."""
        return cls({boot: clock_log.corrections(store, boot) for boot in sorted(boots)})

    def at(self, boot_id: str, monotonic_ns: int) -> Corrected | None:
        """As `corrected`."""
        for row in self.by_boot.get(boot_id, ()):
            if row.from_monotonic_ns <= monotonic_ns < row.until_monotonic_ns:
                return Corrected(row.true_offset_us + monotonic_ns // 1000, row.uncertainty_us, row.basis)
        return None


def latest_us(store: Store, stamp: Stamp) -> int | None:
    """The latest true time at which `stamp` can have been made, UTC microseconds; None when nothing but its
    own clock, which nobody disciplined, says so."""
    if stamp.clock_state == "synchronised":
        return stamp.wall_us
    found = corrected(store, stamp.boot_id, stamp.monotonic_ns)
    if found is not None:
        return found.wall_us + found.uncertainty_us
    between = bounds(store, stamp.boot_id, stamp.monotonic_ns)
    return None if between is None else between[1]


def bounds(store: Store, boot_id: str, monotonic_ns: int) -> tuple[int | None, int] | None:
    """(earliest, latest) true time of an instant of a boot that never was synchronised, from the order of the
    log alone; None when nothing after it was synchronised, or when it was itself."""
    found = clock_log.bound(store, boot_id)
    if found is None:
        return None
    after_us = monotonic_ns // 1000
    earliest = found.began_not_before_us
    return None if earliest is None else earliest + after_us, found.began_not_after_us + after_us

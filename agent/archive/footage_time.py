"""When footage was truly recorded, as far as anybody can know (I8): retention counts from there.

A stamp of a synchronised clock is the time. Any other is only a claim, and a wrong one could make this
morning's lesson three years old. For those, in this order: the clock's later correction; what a vouched
clock saw of the file while the same boot still ran; the boots before and after it in the log.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.clock import Stamp
from agent.store import clock
from agent.store.clock import Corrections, Vouch
from agent.store.database import Store
from agent.store.retention import Held


@dataclass(frozen=True, slots=True)
class TrueTime:
    """Bounds in UTC microseconds. `start_us` None: it may have been recorded any time before `end_us`."""

    start_us: int | None
    end_us: int


def true_time(store: Store, held: Held, corrections: Corrections) -> TrueTime | None:
    """When `held` was recorded; None when nothing bounds it yet, and it is kept."""
    length_us = max(0, held.end_us - held.start_us)
    if held.clock_state == "synchronised":
        return TrueTime(held.start_us, held.start_us + length_us)
    corrected = corrections.at(held.boot_id, held.monotonic_start_ns)
    if corrected is not None:
        slack_us = corrected.uncertainty_us
        return TrueTime(corrected.wall_us - slack_us, corrected.wall_us + length_us + slack_us)
    if held.not_after_us is not None:
        return TrueTime(held.not_before_us, held.not_after_us)
    between = clock.bounds(store, held.boot_id, held.monotonic_start_ns)
    if between is not None:
        return TrueTime(between[0], between[1] + length_us)
    return None


def lies_at(held: Held, corrections: Corrections) -> tuple[int, int]:
    """Where people find it on page and time line: at its corrected time, else by its stamps."""
    corrected = corrections.at(held.boot_id, held.monotonic_start_ns)
    add_us = 0 if corrected is None else corrected.wall_us - held.start_us
    return held.start_us + add_us, held.end_us + add_us


def seen_bounds_us(held: Held, stamp: Stamp, vouch: Vouch) -> tuple[int | None, int]:
    """What a vouched clock that sees the file of an unsynchronised segment can say: in the boot that recorded
    it, how long ago that was; in a later one, that it is past."""
    latest_us = stamp.wall_us + vouch.uncertainty_us
    if held.boot_id != stamp.boot_id:
        return None, latest_us
    ago_us = (stamp.monotonic_ns - held.monotonic_start_ns) // 1000
    if ago_us < 0:
        return None, latest_us
    start_us = stamp.wall_us - ago_us
    end_us = start_us + max(0, held.end_us - held.start_us)
    return start_us - vouch.uncertainty_us, min(latest_us, end_us + vouch.uncertainty_us)

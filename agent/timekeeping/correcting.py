"""What follows from a clock that has become right: corrections of its boot, bounds of the boots before."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from agent.clock import Stamp
from agent.store import clock_log
from agent.store.clock import drift_us
from agent.store.clock_log import Bound, Correction, Stretch
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact

SMALL_SETTINGS_US = 500_000
"""Settings of the clock that stay within a stretch (`watch.STEP_US`)."""


def correct_boot(
    store: Store, stamp: Stamp, right: Stretch, *, was_seen_before: bool, simulated: bool
) -> None:
    """`right` was synchronised at `stamp`: map what this boot stamped before. Inside a transaction.

    `was_seen_before` False: this is the first look at the boot's clock, which may have been set before it.
    """
    of_boot = clock_log.stretches(store, right.boot_id)
    for stretch in of_boot:
        if stretch.id > right.id or (stretch.synchronised_ns is not None and stretch.id != right.id):
            continue  # a time service answered for it already
        following = [other.from_monotonic_ns for other in of_boot if other.id > stretch.id]
        until_ns = stamp.monotonic_ns if stretch.id == right.id else following[0]
        correction = Correction(
            boot_id=right.boot_id,
            from_monotonic_ns=stretch.from_monotonic_ns,
            until_monotonic_ns=until_ns,
            true_offset_us=right.offset_us,
            add_us=right.offset_us - stretch.offset_us if was_seen_before else None,
            uncertainty_us=_error_us(right)
            + drift_us((stamp.monotonic_ns - stretch.from_monotonic_ns) // 1000),
            basis="synchronised",
        )
        if until_ns > stretch.from_monotonic_ns and clock_log.insert_correction(store, correction):
            _state(store, stamp, _as_data(correction), simulated=simulated)


def bound_earlier_boots(store: Store, stamp: Stamp, *, simulated: bool) -> None:
    """Boots that never were synchronised lie between two that were, each as long as it ran. Inside a
    transaction."""
    seen = clock_log.stretches(store, stamp.boot_id)
    right = next(stretch for stretch in seen if stretch.synchronised_ns is not None)
    after_us = right.offset_us + _error_us(right)  # the latest wall time of this boot's monotonic zero
    unproven: list[tuple[str, int]] = []
    before_us: int | None = None
    for boot_id, rows in groupby(clock_log.stretches_before(store, seen[0].id), lambda row: row.boot_id):
        of_boot = list(rows)  # newest first
        synchronised = [row for row in of_boot if row.synchronised_ns is not None]
        if synchronised:
            ended_us = synchronised[0].offset_us + of_boot[0].until_monotonic_ns // 1000
            before_us = ended_us - _error_us(synchronised[0])
            break
        unproven.append((boot_id, of_boot[0].until_monotonic_ns // 1000))
    for place, (boot_id, lasted_us) in enumerate(unproven):
        after_us -= lasted_us
        earlier_us = sum(lasted for _, lasted in unproven[place + 1 :])
        found = Bound(boot_id, None if before_us is None else before_us + earlier_us, after_us)
        if clock_log.insert_bound(store, found):
            _state(store, stamp, _bound_as_data(found, lasted_us * 1000), simulated=simulated)


def _error_us(right: Stretch) -> int:
    return (right.maximum_error_us or 0) + SMALL_SETTINGS_US


def _as_data(correction: Correction) -> dict[str, Any]:
    return {
        "boot_id": correction.boot_id,
        "from_monotonic_ns": correction.from_monotonic_ns,
        "until_monotonic_ns": correction.until_monotonic_ns,
        "basis": correction.basis,
        "true_offset_us": correction.true_offset_us,
        "add_us": correction.add_us,
        "uncertainty_us": correction.uncertainty_us,
        "began_not_before_us": None,
        "began_not_after_us": None,
    }


def _bound_as_data(found: Bound, lasted_ns: int) -> dict[str, Any]:
    return {
        "boot_id": found.boot_id,
        "from_monotonic_ns": 0,
        "until_monotonic_ns": lasted_ns,
        "basis": "bounds",
        "true_offset_us": None,
        "add_us": None,
        "uncertainty_us": None,
        "began_not_before_us": found.began_not_before_us,
        "began_not_after_us": found.began_not_after_us,
    }


def _state(store: Store, stamp: Stamp, data: dict[str, Any], *, simulated: bool) -> None:
    state_fact(store, stamp, Fact(FactType.CLOCK_CORRECTED, "node", simulated=simulated, data=data))

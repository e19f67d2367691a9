"""Whether the clock has been right for long enough to delete by it (I8): one more word than `vouch`.

A time service can be wrong or forged, and then the kernel says "synchronised" to the year 2099. So retention
acts only when, besides the vouch of this instant,

- the machine has run for 24 hours under a vouched clock since the last irregularity (a clock that was set, or
  that went backwards, starts the count anew). Hours of the machine, over as many days as that takes: a
  classroom's device may be switched off each night;
- time that nobody saw pass (the machine was off, or the clock was set forward) is paid for by running, a
  sixteenth of it: a forged time service and a power switch would else make three years of an afternoon, 32
  days a time;
- the clock has not leapt further than 32 days between two sightings of a vouched clock. After a longer
  absence nobody on this machine can tell holidays from a forged time: HR staff compare the clock once;
- it is later than the newest statement in the database;
- no footage is older than 32 days before this database first saw the clock. Where one is, a database was lost
  or put back, and with it the history of the clock: whoever forges a year and deletes the database would
  begin a new history in that year. HR staff compare the clock once.

Deleting late costs disk. A device without a network or a check for longer than 32 days rests in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from agent.clock import Stamp
from agent.store.clock import Vouch
from agent.store.clock_trust import ClockTrust

NEEDED_NS = 24 * 3_600_000_000_000
KEPT_NS = 36 * 3_600_000_000_000
"""More than needed, so that a week without power is paid for at once."""
UNSEEN_SHARE = 16
"""Three years of forged time take 68 days of running. A device that runs an hour each day keeps up."""
LONGEST_ABSENCE_US = 32 * 86_400_000_000
SET_US = 120_000_000
"""Wall and monotonic time may part by so much between two sightings of one boot: slewing, and a step that
only put the seconds right."""
READING_US = 1_000_000
"""Wall and monotonic clock are read one after the other; a busy machine pauses in between."""
COMPARED_BEFORE_US = 86_400_000_000
"""HR may compare the clock before the archive first sees it; not before it leapt, which an earlier comparison
must not confirm because the clock was set back first."""
COMPARED_WITHIN_US = 600_000_000
"""HR's watch and the device's clock must agree to this for a comparison to confirm a leap."""

Doubt = Literal["not_vouched", "too_short", "leap", "behind", "no_history"]


@dataclass(frozen=True, slots=True)
class Sight:
    """What retention may assume of the clock: `vouch` when it may delete by it, else `doubt`."""

    vouch: Vouch | None
    doubt: Doubt | None
    missing_ns: int = 0
    """How much longer the machine has to run, for `too_short`."""


def observe(
    before: ClockTrust | None, stamp: Stamp, vouch: Vouch | None, newest_us: int | None
) -> ClockTrust | None:
    """The state after another look at the clock. `newest_us`: the newest statement of a synchronised clock;
    a new database measures the first leap from there. Sightings without a vouch change nothing."""
    if vouch is None:
        return before
    if before is None:
        last_us = stamp.wall_us if newest_us is None else newest_us
        before = ClockTrust(last_us, "", stamp.monotonic_ns, 0, None, None, stamp.wall_us)
    elapsed_us = stamp.wall_us - before.last_us
    seen = replace(before, last_us=stamp.wall_us, boot_id=stamp.boot_id, monotonic_ns=stamp.monotonic_ns)
    if stamp.boot_id == before.boot_id:
        ran_ns = stamp.monotonic_ns - before.monotonic_ns
        set_by_us = elapsed_us - ran_ns // 1000
        if abs(set_by_us) <= SET_US:
            # Two minutes a minute would be three years a year: small settings cost more than they bring.
            earned_ns = ran_ns - max(0, abs(set_by_us) - READING_US) * 1000 * UNSEEN_SHARE
            return replace(seen, vouched_ns=min(before.vouched_ns + earned_ns, KEPT_NS))
        return _broken(seen, before, set_by_us)
    if not -SET_US <= elapsed_us <= LONGEST_ABSENCE_US:
        return _broken(seen, before, elapsed_us)
    return replace(seen, vouched_ns=min(before.vouched_ns, KEPT_NS) - _price_ns(elapsed_us))


def _broken(seen: ClockTrust, before: ClockTrust, by_us: int) -> ClockTrust:
    """Nothing is left of what the machine ran so far, but what it owes."""
    left_ns = min(0, before.vouched_ns)
    if by_us <= LONGEST_ABSENCE_US:
        # Set back from a leap: a comparison made from here on confirms, or 2099 would have to come first.
        leap_us = None if seen.leap_us is None else min(seen.leap_us, seen.last_us)
        return replace(seen, vouched_ns=left_ns - _price_ns(by_us), leap_us=leap_us)
    far_us = max(before.last_us + LONGEST_ABSENCE_US, seen.last_us - COMPARED_BEFORE_US)
    return replace(seen, vouched_ns=left_ns, leap_us=max(far_us, seen.leap_us or 0))


def _price_ns(unseen_us: int) -> int:
    return max(0, unseen_us) * 1000 // UNSEEN_SHARE


def confirmed(trust: ClockTrust, compared_wall_us: int, stated_us: int) -> ClockTrust:
    """After HR's comparison: `compared_wall_us` the device's time then, `stated_us` the watch's. One that was
    made on the far side of the leap confirms it."""
    agrees = abs(compared_wall_us - stated_us) <= COMPARED_WITHIN_US
    if agrees and compared_wall_us >= trust.since_us - COMPARED_BEFORE_US:
        trust = replace(trust, since_us=0)
    if trust.leap_us is None or not agrees or compared_wall_us < trust.leap_us:
        return trust
    return replace(trust, leap_us=None)


def sight(
    trust: ClockTrust | None,
    stamp: Stamp,
    vouch: Vouch | None,
    newest_us: int | None,
    oldest_us: int | None = None,
) -> Sight:
    """Whether retention may act by this clock now. `newest_us`: when the newest fact was stated; `oldest_us`:
    when the oldest footage begins."""
    if vouch is None or trust is None:
        return Sight(None, "not_vouched")
    if trust.leap_us is not None:
        return Sight(None, "leap")
    if trust.since_us and oldest_us is not None and trust.since_us - oldest_us > LONGEST_ABSENCE_US:
        return Sight(None, "no_history")
    if stamp.wall_us + SET_US < max(trust.last_us, newest_us or 0):
        return Sight(None, "behind")
    if trust.vouched_ns < NEEDED_NS:
        return Sight(None, "too_short", NEEDED_NS - trust.vouched_ns)
    return Sight(vouch, None)

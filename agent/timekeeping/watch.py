"""The keeper's eye on the clock: notices when it is set and when a time service first answers for it.

Wall minus monotonic time changes only when somebody sets the clock (slewing moves both alike). So every
setting is seen, however long ago the last look was, and stamps made before the clock was right can be mapped
to true time by their monotonic half. The mapping is a record of its own; nothing is rewritten (I4).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from agent.clock import Stamp
from agent.log import get_logger
from agent.store import clock_log
from agent.store.clock import KERNEL_LIMIT_US
from agent.store.clock_log import Stretch
from agent.store.database import Store
from agent.timekeeping.correcting import bound_earlier_boots, correct_boot
from drivers import rtc, timesource

STEP_US = 500_000
"""A smaller setting stays within a stretch and is part of every correction's uncertainty: two clocks cannot
be read at the same instant, and on a loaded machine that difference must not look like a setting."""
NOTE_EVERY_NS = 600_000_000_000
"""How often the newest stretch is written though nothing happened: one small transaction in ten minutes."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Instruments:
    """What is read besides the two clocks; tests pass their own."""

    maximum_error_us: Callable[[], int]
    """The kernel's word on a synchronised clock, microseconds."""
    rtc_us: Callable[[], int | None]
    """The RTC's reading, UTC microseconds; None without one."""


def system_instruments() -> Instruments:
    """The machine's."""
    return Instruments(_maximum_error_us, rtc.read_us)


def _maximum_error_us() -> int:
    try:
        return timesource.read().maximum_error_us
    except timesource.TimeSourceError:
        return KERNEL_LIMIT_US


class ClockWatch:
    """One look a second by one process. Not safe for two threads; one `store` each look."""

    def __init__(self, instruments: Instruments, *, simulated: bool) -> None:
        self._instruments = instruments
        self._simulated = simulated
        self._current: Stretch | None = None
        """As it was last written, but for `until_monotonic_ns` of the looks since."""
        self._written_ns = 0
        self._suspect: Stamp | None = None
        """The first stamp that looked as if the clock had been set."""

    def look(self, store: Store, stamp: Stamp) -> None:
        """Take one stamp. sqlite3.Error passes through; the next look sees the same again."""
        current = self._current or _of_boot(store, stamp.boot_id)
        if current is None or current.boot_id != stamp.boot_id:
            self._note(store, stamp, lambda: self._begin(store, stamp, 0), is_first_look=True)
            return
        self._current = current
        if abs(offset_us(stamp) - current.offset_us) > STEP_US:
            self._stepped(store, stamp, current)
            return
        self._suspect = None
        self._current = current = replace(current, until_monotonic_ns=stamp.monotonic_ns)
        is_new_word = stamp.clock_state == "synchronised" and current.synchronised_ns is None
        if is_new_word or stamp.monotonic_ns - self._written_ns >= NOTE_EVERY_NS:
            self._note(store, stamp, lambda: current)

    def _stepped(self, store: Store, stamp: Stamp, current: Stretch) -> None:
        suspect, self._suspect = self._suspect, stamp
        if suspect is None or abs(offset_us(stamp) - offset_us(suspect)) > STEP_US:
            return  # the next look tells a setting from a reading that was interrupted half way
        self._suspect = None
        log.warning("clock.was_set", seconds=(offset_us(stamp) - current.offset_us) / 1e6)

        def change() -> Stretch:
            # From the last look on: the clock was set somewhere in between, and true time is reckoned from
            # the monotonic clock, so what was stamped before the setting is mapped rightly too.
            clock_log.extend_stretch(store, current)
            return self._begin(store, stamp, current.until_monotonic_ns)

        self._note(store, stamp, change)

    def _begin(self, store: Store, stamp: Stamp, from_ns: int) -> Stretch:
        return clock_log.begin_stretch(store, stamp.boot_id, from_ns, stamp.monotonic_ns, offset_us(stamp))

    def _note(
        self, store: Store, stamp: Stamp, make: Callable[[], Stretch], *, is_first_look: bool = False
    ) -> None:
        """Write the newest stretch, and where the clock has just become right what follows from that."""
        with store.transaction():
            stretch = replace(make(), rtc_ahead_us=self._rtc_ahead_us(stamp))
            if stamp.clock_state == "synchronised" and stretch.synchronised_ns is None:
                error_us = self._instruments.maximum_error_us()
                stretch = replace(stretch, synchronised_ns=stamp.monotonic_ns, maximum_error_us=error_us)
                clock_log.extend_stretch(store, stretch)
                correct_boot(
                    store, stamp, stretch, was_seen_before=not is_first_look, simulated=self._simulated
                )
                bound_earlier_boots(store, stamp, simulated=self._simulated)
            else:
                clock_log.extend_stretch(store, stretch)
        self._current, self._written_ns = stretch, stamp.monotonic_ns

    def _rtc_ahead_us(self, stamp: Stamp) -> int | None:
        reading_us = self._instruments.rtc_us()
        return None if reading_us is None else reading_us - stamp.wall_us


def offset_us(stamp: Stamp) -> int:
    """Wall minus monotonic time."""
    return stamp.wall_us - stamp.monotonic_ns // 1000


def _of_boot(store: Store, boot_id: str) -> Stretch | None:
    newest = clock_log.newest_stretch(store)
    return newest if newest is not None and newest.boot_id == boot_id else None

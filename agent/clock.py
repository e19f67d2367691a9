"""Time as the device knows it: wall clock, monotonic clock and how far the wall clock can be trusted.

The clock is an argument everywhere, so that tests and simulations pass their own (`tests/clocks.py`).
Wall stamps are integer UTC microseconds since 1970 (`_us`), monotonic stamps integer nanoseconds
(`_ns`). A monotonic stamp means something only together with the boot it was taken in.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Literal, Protocol

from agent.log import get_logger
from drivers import timesource

log = get_logger(__name__)

ClockState = Literal["synchronised", "unsynchronised"]
"""`synchronised`: a time service disciplines the kernel's clock (STA_UNSYNC is clear). An RTC does not do
that: it sets the clock once, at boot, and the state stays `unsynchronised` until a service has answered.
The third state of I8, `vouched` (compared and signed by HR staff), arrives with retention."""

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Stamp:
    """One instant, as every row, fact and record carries it (I8)."""

    wall_us: int
    monotonic_ns: int
    boot_id: str
    clock_state: ClockState


class Clock(Protocol):
    """Source of every stamp; `now` never goes backwards in `monotonic_ns`."""

    def now(self) -> Stamp: ...


class SystemClock:
    """The machine's clocks."""

    def __init__(self) -> None:
        self._refusal_logged = False

    @cached_property
    def boot_id(self) -> str:
        return BOOT_ID.read_text(encoding="ascii").strip()

    def now(self) -> Stamp:
        return Stamp(
            wall_us=time.time_ns() // 1000,
            monotonic_ns=time.monotonic_ns(),
            boot_id=self.boot_id,
            clock_state=self._state(),
        )

    def _state(self) -> ClockState:
        """A kernel that refuses the question (a container, a stricter filter) vouches for nothing; the
        recorder goes on all the same (I11)."""
        try:
            return "synchronised" if timesource.is_synchronised() else "unsynchronised"
        except timesource.TimeSourceError as error:
            if not self._refusal_logged:
                self._refusal_logged = True
                log.warning("clock.state-unknown", error=str(error), taken_as="unsynchronised")
            return "unsynchronised"


def rfc3339(wall_us: int) -> str:
    """`2026-11-21T13:04:05.678901Z` for UTC microseconds."""
    return (
        datetime.fromtimestamp(wall_us / 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S.")
        + f"{wall_us % 1_000_000:06d}Z"
    )

"""A machine whose clocks, RTC and time service a test turns by hand, with the keeper's eye on them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from agent.clock import Stamp
from agent.store.clock import Vouch, vouch
from agent.store.database import Store
from agent.timekeeping.watch import ClockWatch, Instruments
from tests.clocks import ManualClock

START_US = 1_795_219_200_000_000
"""True time at the machine's first boot."""
ERROR_US = 20_000


@dataclass
class Machine:
    """`true_us` goes on whatever the machine believes."""

    store: Store
    has_rtc: bool = False
    true_us: int = START_US
    clock: ManualClock = field(default_factory=ManualClock)
    rtc_ahead_us: int = 0
    """RTC minus true time."""
    boots: int = 0
    stamps: list[tuple[Stamp, int]] = field(default_factory=list)
    """Everything stamped, with the true time of it."""

    def boot(self, wall_us: int | None = None) -> None:
        """A new boot: the clock starts from the RTC, or from `wall_us` (saved at the last shutdown)."""
        self.boots += 1
        if self.has_rtc:
            wall_us = self.true_us + self.rtc_ahead_us
        self.clock = ManualClock(
            wall_us=START_US if wall_us is None else wall_us,
            monotonic_ns=0,
            boot_id=str(UUID(int=self.boots, version=4)),
            clock_state="unsynchronised",
        )
        self.restart_keeper()

    def restart_keeper(self) -> None:
        self.watch = ClockWatch(Instruments(lambda: ERROR_US, self._rtc), simulated=True)

    def _rtc(self) -> int | None:
        return self.true_us + self.rtc_ahead_us if self.has_rtc else None

    def live(self, seconds: float, *, watched: bool = True) -> None:
        """Time passes; the keeper looks each second and something is stamped at each look."""
        for _ in range(round(seconds)):
            self.clock.advance(1)
            self.true_us += 1_000_000
            self.stamps.append((self.clock.now(), self.true_us))
            if watched:
                self.look()

    def look(self) -> None:
        self.watch.look(self.store, self.clock.now())

    def pass_quickly(self, seconds: float) -> None:
        """A long time passes; the keeper looks at its end."""
        self.clock.advance(seconds)
        self.true_us += round(seconds * 1e6)
        self.look()

    def off(self, seconds: float) -> None:
        """Without power."""
        self.true_us += round(seconds * 1e6)

    def synchronise(self) -> None:
        """A time service sets the clock right and answers for it from now on."""
        self.clock.wall_us = self.true_us
        self.clock.clock_state = "synchronised"

    def set_clock(self, seconds: float) -> None:
        """Somebody sets it; the kernel withdraws its word."""
        self.clock.step_wall(seconds)
        self.clock.clock_state = "unsynchronised"

    def vouch(self) -> Vouch | None:
        return vouch(self.store, self.clock.now())

    def facts(self, kind: str) -> list[dict[str, Any]]:
        rows = self.store.rows("SELECT data FROM fact WHERE type = ? ORDER BY id", (kind,))
        return [json.loads(row["data"]) for row in rows]

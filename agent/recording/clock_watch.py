"""Noticing that the wall clock was set while a segment is being written."""

from __future__ import annotations

from agent.clock import Stamp

CLOCK_STEP_US = 500_000
"""Wall and monotonic clock diverging by more than this within one segment is a step. Slewing moves both
alike; what is left is that two clocks are never read at the same instant. As the keeper's
(`agent.timekeeping.watch`): a setting that one of them saw and the other did not would leave a file whose two
ends were stamped by different clocks."""


class ClockWatch:
    """Compares the wall clock with the monotonic one since the last `restart`."""

    def __init__(self) -> None:
        self._offset_us: int | None = None
        self.was_synchronised = False
        """True once the clock was vouched for in this boot, by whatever time it shows since."""

    def idle(self, now: Stamp) -> None:
        """Nothing is being written: the clock may be set without anybody's noticing a step."""
        self.was_synchronised |= now.clock_state == "synchronised"

    def restart(self) -> None:
        """A new segment takes its wall time anew, from the next look on."""
        self._offset_us = None

    def step(self, now: Stamp) -> int:
        """Microseconds by which the wall clock was set; 0 when it was not."""
        offset = now.wall_us - now.monotonic_ns // 1000
        if self._offset_us is None:
            self._offset_us = offset
        step = offset - self._offset_us
        if abs(step) > CLOCK_STEP_US:
            return step  # a clock that has just been set counts as synchronised from the next segment on
        self.idle(now)
        return 0

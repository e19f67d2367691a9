"""Noticing that the wall clock was set while a segment is being written."""

from __future__ import annotations

from agent.clock import Stamp

CLOCK_STEP_US = 2_000_000
"""Wall and monotonic clock diverging by more than this within one segment is a step; slewing is slower."""


class ClockWatch:
    """Compares the wall clock with the monotonic one since the last `restart`."""

    def __init__(self) -> None:
        self._offset_us: int | None = None

    def restart(self) -> None:
        """A new segment takes its wall time anew, from the next look on."""
        self._offset_us = None

    def step(self, now: Stamp) -> int:
        """Microseconds by which the wall clock was set; 0 when it was not."""
        offset = now.wall_us - now.monotonic_ns // 1000
        if self._offset_us is None:
            self._offset_us = offset
        step = offset - self._offset_us
        return step if abs(step) > CLOCK_STEP_US else 0

"""A clock that tests turn by hand."""

from __future__ import annotations

from dataclasses import dataclass

from agent.clock import ClockState, Stamp


@dataclass
class ManualClock:
    """Starts at 2026-11-21 08:00 Asia/Shanghai. As strict as the real one: monotonic time never goes back."""

    wall_us: int = 1_795_219_200_000_000
    monotonic_ns: int = 1_000_000_000_000
    boot_id: str = "00000000-0000-4000-8000-000000000001"
    clock_state: ClockState = "synchronised"

    def now(self) -> Stamp:
        return Stamp(self.wall_us, self.monotonic_ns, self.boot_id, self.clock_state)

    def advance(self, seconds: float) -> None:
        """Time passes: both clocks move."""
        if seconds < 0:
            raise ValueError("time does not pass backwards; use `step_wall`")
        self.wall_us += round(seconds * 1_000_000)
        self.monotonic_ns += round(seconds * 1_000_000_000)

    def step_wall(self, seconds: float) -> None:
        """The wall clock is set: it alone jumps, either way."""
        self.wall_us += round(seconds * 1_000_000)

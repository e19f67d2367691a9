"""Recording people for whom no lesson is planned: when it begins and when it ends. A pure state machine.

    resting ──people──► recording ──nobody, or a lesson──► resting
                            └──time limit──► spent ──nobody, or hours later──► resting

Whoever is in the room is recorded, because the lesson may have been entered late (R1); something that moves
without being anybody must not record for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

MINUTE_NS: Final = 60_000_000_000
EndReason = Literal["nobody", "lesson", "time_limit"]


@dataclass(frozen=True, slots=True)
class Limits:
    """In nanoseconds of the monotonic clock."""

    longest_ns: int = 4 * 60 * MINUTE_NS
    """Longer than any lesson; a curtain in the draught records so long at a time."""
    spent_ns: int = 4 * 60 * MINUTE_NS
    """After the time limit people are believed again so much later, if the room was never empty meanwhile."""


@dataclass(frozen=True, slots=True)
class Change:
    """What just happened."""

    to: Literal["recording", "resting", "spent"]
    reason: EndReason | None
    """None where recording began."""


@dataclass
class Unscheduled:
    """One room. Asked once a second."""

    limits: Limits = Limits()
    state: Literal["resting", "recording", "spent"] = "resting"
    _since_ns: int = 0

    def step(self, now_ns: int, *, present: bool, is_lesson_time: bool) -> Change | None:
        """`present`: people are seen by the watcher, whose own word has the hysteresis; `is_lesson_time`: who
        is seen belongs to a lesson."""
        lasted_ns = now_ns - self._since_ns
        if self.state == "resting" and present and not is_lesson_time:
            return self._go("recording", now_ns, None)
        if self.state == "recording":
            if is_lesson_time:
                return self._go("resting", now_ns, "lesson")
            if not present:
                return self._go("resting", now_ns, "nobody")
            if lasted_ns >= self.limits.longest_ns:
                return self._go("spent", now_ns, "time_limit")
        if self.state == "spent" and (not present or is_lesson_time or lasted_ns >= self.limits.spent_ns):
            self.state, self._since_ns = "resting", now_ns
        return None

    def _go(
        self, to: Literal["recording", "resting", "spent"], now_ns: int, reason: EndReason | None
    ) -> Change:
        self.state, self._since_ns = to, now_ns
        return Change(to, reason)

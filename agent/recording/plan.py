"""When to record: the plan that the keeper leaves on the board, read so that every doubt means "record".

The recorder needs no database (I11): the plan is a file. Missing, unreadable, outdated or of the future, or
the clock not vouched for, everything is recorded, because footage too much can be deleted and footage too
little cannot be made good (R1, R2).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from agent import board
from agent.clock import Stamp

LONGEST_VALIDITY_US = 24 * 3600 * 1_000_000
"""The keeper vouches for a few hours ahead; a plan that claims more is damaged or not the keeper's."""

CLOCK_SLACK_US = 60 * 1_000_000
"""A plan may have been written this far in what the recorder takes for the future: the clock was slewed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Intervals in UTC microseconds, pre-roll and post-roll included."""

    written_us: int
    valid_until_us: int
    intervals: tuple[tuple[int, int], ...]

    @classmethod
    def read(cls, path: Path, *, pre_roll_s: int, post_roll_s: int) -> Self:
        """The plan in `path`: `{"written_us", "valid_until_us", "record_until_us", "sessions": [{"session",
        "class", "kind", "start_us", "end_us"}]}`. FileNotFoundError, or ValueError when it is no plan."""
        content = board.read_json(path)
        if content is None:
            raise FileNotFoundError(path)
        try:
            intervals = [
                (
                    int(session["start_us"]) - pre_roll_s * 1_000_000,
                    int(session["end_us"]) + post_roll_s * 1_000_000,
                )
                for session in content["sessions"]
            ]
            if content.get("record_until_us"):
                intervals.append((int(content["written_us"]), int(content["record_until_us"])))
            plan = cls(int(content["written_us"]), int(content["valid_until_us"]), tuple(intervals))
        except (KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"{path}: no recording plan: {error!r}") from error
        if plan.valid_until_us - plan.written_us > LONGEST_VALIDITY_US:
            raise ValueError(f"{path}: valid for more than 24 hours, which no plan of the keeper's is")
        return plan

    def wants(self, now_us: int) -> bool:
        return now_us >= self.valid_until_us or any(start <= now_us < end for start, end in self.intervals)

    def first_wanted(self, start_us: int, end_us: int) -> int | None:
        """The first instant in [start_us, end_us) at which recording was wanted."""
        candidates = [*self.intervals, (self.valid_until_us, end_us)]
        starts = [
            max(start, start_us) for start, end in candidates if max(start, start_us) < min(end, end_us)
        ]
        return min(starts, default=None)


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether to record now, and why, for the status board."""

    record: bool
    because: str
    plan: Plan | None = None


def decide(path: Path, now: Stamp, *, pre_roll_s: int, post_roll_s: int) -> Decision:
    """Whether to record at `now`. Raises nothing: no plan is a reason to record, not to fail."""
    try:
        plan = Plan.read(path, pre_roll_s=pre_roll_s, post_roll_s=post_roll_s)
    except FileNotFoundError:
        return Decision(True, "no plan")
    except (OSError, ValueError) as error:
        return Decision(True, f"plan unreadable: {type(error).__name__}")
    if now.wall_us < plan.written_us - CLOCK_SLACK_US:
        return Decision(
            True, "plan of the future"
        )  # the clock was set back, or was wrong when it was written
    if now.clock_state != "synchronised":
        return Decision(True, "clock not synchronised", plan)
    if now.wall_us >= plan.valid_until_us:
        return Decision(True, "plan outdated", plan)
    return Decision(plan.wants(now.wall_us), "plan", plan)

"""When to record: the state machine over plan, clock and footage. Every doubt means "record".

    unplanned   no plan, an unreadable, old or future one, or a clock that nobody vouches for: everything
    whole       a lesson from pre-roll to post-roll
    minimum     a practical lesson by HR's decision: in every class hour until one stretch without a missing
                frame is long enough; a gap begins it anew, the class hour's end ends the attempt. After it
                unannounced looks of a minute, so that nobody can go home behind it unseen
    people      beyond the plan: a lesson that began early or overruns
    unscheduled people, and no lesson planned; kept as long as `retention.unscheduled_days` says
    rest        none of these

Footage too much can be deleted and footage too little cannot be made good (R1, R2): whole wins over minimum,
and what the machine cannot know (a restart, a set clock) makes it record longer.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from random import Random, SystemRandom
from typing import Final, Literal

from agent.clock import Stamp
from agent.recording.clock_watch import ClockWatch
from agent.recording.plan import MINIMUM_MARGIN_US, Plan, PlannedHour, PlannedSession
from agent.recording.run import Run

CLOCK_SLACK_US: Final = 60 * 1_000_000
"""A plan may have been written this far in what the recorder takes for the future: the clock was slewed."""

LOOK_US: Final = 60 * 1_000_000
"""An unannounced look: some thirty key frames, on which people can be counted."""

Mode = Literal["unplanned", "whole", "minimum", "people", "unscheduled", "rest"]


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether to record now, in which mode, and why in English for the status board."""

    record: bool
    because: str
    mode: Mode = "unplanned"
    plan: Plan | None = None
    session: str | None = None
    """The lesson that decides, for `whole` and `minimum`."""

    @property
    def sound_allowed(self) -> bool:
        """True when a plan in force wants sound. Every doubt that makes pictures be recorded means silence:
        voices are personal data, and nobody may be heard by mistake."""
        return self.mode != "unplanned" and self.plan is not None and self.plan.audio

    @property
    def sound(self) -> bool:
        """Whether sound is recorded: with lessons, never with people outside them, who agreed to nothing."""
        return self.sound_allowed and self.record and self.mode != "unscheduled"


@dataclass(frozen=True, slots=True)
class Progress:
    """Footage without a missing frame up to now: [unbroken_since_us, durable_until_us), UTC microseconds."""

    unbroken_since_us: int
    durable_until_us: int


def progress_of(run: Run | None) -> Progress | None:
    """Of the run being written, by its ticks from its first frame on."""
    if run is None or run.first is None or run.segment is None:
        return None
    elapsed = Fraction(run.segment.durable_ticks, run.first.ticks_per_second)
    return Progress(run.first.wall_start_us, run.first.wall_start_us + int(elapsed * 1_000_000))


@dataclass(slots=True)
class _Attempt:
    """What was seen of a class hour under `minimum`."""

    longest_us: int = 0
    look_us: int | None = None
    """When the next look begins: known here alone, and not before the one before it is over."""

    def see(self, hour: PlannedHour, progress: Progress | None) -> None:
        if progress is not None:
            begin_us = max(progress.unbroken_since_us, hour.start_us)
            end_us = min(progress.durable_until_us, hour.end_us)
            self.longest_us = max(self.longest_us, end_us - begin_us)

    def is_looking(self, hour: PlannedHour, now_us: int, chance: Random) -> bool:
        """Whether `now_us` lies in a look. The next one is drawn over all that is left of the class hour as
        soon as the last is over, as long as one fits: whatever somebody saw so far, up to a minute before the
        end another is still to come."""
        if self.look_us is None or now_us >= self.look_us + LOOK_US:
            latest_us = hour.end_us - LOOK_US
            self.look_us = chance.randint(now_us, latest_us) if now_us <= latest_us else hour.end_us
        return now_us >= self.look_us


class Schedule:
    """Asked once a second. What it remembers is the longest stretch of each class hour that runs; a new
    process begins that anew and records longer for it."""

    def __init__(
        self, path: Path, *, pre_roll_s: int, post_roll_s: int, chance: Random | None = None
    ) -> None:
        """`chance` draws the unannounced looks: the machine's own when left out, which nobody foretells."""
        self._path = path
        self._chance = SystemRandom() if chance is None else chance
        self._pre_roll_s, self._post_roll_s = pre_roll_s, post_roll_s
        self._attempts: dict[tuple[str, PlannedHour], _Attempt] = {}
        """By session and class hour; several where two lessons share the room."""
        self._clock = ClockWatch()

    def decide(self, now: Stamp, progress: Progress | None) -> Decision:
        """Whether to record at `now`. Raises nothing: no plan is a reason to record, not to fail."""
        try:
            plan = Plan.read(self._path, pre_roll_s=self._pre_roll_s, post_roll_s=self._post_roll_s)
        except FileNotFoundError:
            return Decision(True, "no plan")
        except (OSError, ValueError) as error:
            return Decision(True, f"plan unreadable: {type(error).__name__}")
        return self.judge(plan, now, progress)

    def judge(self, plan: Plan, now: Stamp, progress: Progress | None) -> Decision:
        """What `plan` means at `now`."""
        if self._clock.step(now):
            # What was seen of the class hour was placed by another clock: it may lie outside of it.
            self._clock.restart()
            self._attempts.clear()
        if now.wall_us < plan.written_us - CLOCK_SLACK_US:
            # The clock was set back, or was wrong when it was written.
            return Decision(True, "plan of the future")
        if now.clock_state != "synchronised":
            return Decision(True, "clock not synchronised", plan=plan)
        if now.wall_us >= plan.valid_until_us:
            return Decision(True, "plan outdated", plan=plan)
        return self._planned(plan, now.wall_us, progress)

    def _planned(self, plan: Plan, now_us: int, progress: Progress | None) -> Decision:
        minimum = self._minimum(plan, now_us, progress)  # first: it looks at each second's progress
        for session in plan.sessions:
            if session.mode == "whole" and any(
                start <= now_us < end for start, end in session.intervals(plan.pre_roll_us, plan.post_roll_us)
            ):
                return Decision(True, "plan", "whole", plan, session.session)
        if plan.record_until_us is not None and now_us < plan.record_until_us:
            return Decision(True, "people beyond the plan", "people", plan)
        if minimum is not None and minimum.record:
            return minimum
        if plan.unscheduled_until_us is not None and now_us < plan.unscheduled_until_us:
            return Decision(True, "people and no lesson", "unscheduled", plan)
        return minimum or Decision(False, "plan", "rest", plan)

    def _minimum(self, plan: Plan, now_us: int, progress: Progress | None) -> Decision | None:
        running = _hours_of(plan, now_us)
        self._attempts = {
            (session.session, hour): self._attempts.get((session.session, hour), _Attempt())
            for session, hour in running
        }
        decision: Decision | None = None
        for session, hour in running:
            attempt = self._attempts[session.session, hour]
            attempt.see(hour, progress)
            if attempt.longest_us < session.minimum_us + MINIMUM_MARGIN_US:
                decision = Decision(True, "minimum of this class hour", "minimum", plan, session.session)
            elif attempt.is_looking(hour, now_us, self._chance):
                decision = Decision(True, "unannounced look", "minimum", plan, session.session)
            elif decision is None:
                because = "minimum of this class hour reached"
                decision = Decision(False, because, "rest", plan, session.session)
        return decision


def _hours_of(plan: Plan, now_us: int) -> list[tuple[PlannedSession, PlannedHour]]:
    return [
        (session, hour)
        for session in plan.sessions
        if session.mode == "minimum"
        for hour in session.hours
        if hour.start_us <= now_us < hour.end_us
    ]

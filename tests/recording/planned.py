"""Lessons, plans, schedules and a failing camera for the tests of what is recorded when."""

from __future__ import annotations

import json
import random
from bisect import bisect_right
from dataclasses import dataclass, field
from pathlib import Path

from agent.classes.recording_plan import (
    VALID_US,
    PlannedRecording,
    plan_content,
)
from agent.classes.session import Pace
from agent.recording.plan import Plan
from agent.recording.schedule import Progress, Schedule
from agent.store.classes import Session, SessionKind
from tests.clocks import ManualClock

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
FIFTEEN_US = 15 * MINUTE_US
ROLL_S = 300
MIDNIGHT_US = ManualClock().wall_us - 8 * HOUR_US
STEP_US = 2 * MINUTE_US
PACE = Pace()


def lesson(
    number: int, start_us: int, minutes: int, kind: SessionKind = "practical", hours: int = 2
) -> Session:
    end_us = start_us + minutes * MINUTE_US
    return Session(f"s-{number:04d}", "c", "room", kind, start_us, end_us, hours, "planned", None, None, None)


def plan_of(
    now_us: int, *recordings: PlannedRecording, people_us: int | None = None, nobody_s: int | None = None
) -> Plan:
    content = plan_content(recordings, people_us, nobody_s)
    whole = {"written_us": now_us, "valid_until_us": now_us + VALID_US, **content}
    return Plan.from_json(json.loads(json.dumps(whole)), pre_roll_s=ROLL_S, post_roll_s=ROLL_S)


def clock_at(now_us: int, *, set_by_us: int = 0) -> ManualClock:
    """One boot's clock, set by `set_by_us` since its beginning."""
    return ManualClock(wall_us=now_us, monotonic_ns=(now_us - set_by_us - MIDNIGHT_US + DAY_US) * 1000)


def mode_at(schedule: Schedule, plan: Plan, now_us: int, progress: Progress | None = None) -> str:
    decision = schedule.judge(plan, clock_at(now_us).now(), progress)
    assert decision.record == (decision.mode != "rest")
    return decision.mode


class Latest(random.Random):
    """Draws each look as late as there is room for it."""

    def randint(self, a: int, b: int) -> int:
        return b


def schedule_at(path: Path, chance: random.Random | None = None) -> Schedule:
    return Schedule(path, pre_roll_s=ROLL_S, post_roll_s=ROLL_S, chance=chance or Latest())


def within(spans: list[tuple[int, int]], at_us: int) -> bool:
    """Whether one of the sorted `spans` holds the instant; at most four begin before the last one's end."""
    place = bisect_right(spans, (at_us, 2**62))
    return any(at_us < end for _, end in spans[max(0, place - 6) : place])


@dataclass
class Camera:
    """Works but for its faults: [from, until) in UTC microseconds."""

    faults: list[tuple[int, int]] = field(default_factory=list)

    def works(self, at_us: int) -> bool:
        return not within(self.faults, at_us)


@dataclass
class Film:
    """What would stand on the disk: stretches without a missing frame, in steps of the simulation."""

    stretches: list[list[int]] = field(default_factory=list)
    running: bool = False

    def step(self, at_us: int, step_us: int, *, records: bool) -> None:
        if records and self.running:
            self.stretches[-1][1] = at_us + step_us
        elif records:
            self.stretches.append([at_us, at_us + step_us])
        self.running = records

    @property
    def progress(self) -> Progress | None:
        return Progress(*self.stretches[-1]) if self.running else None

    def longest_in(self, start_us: int, end_us: int) -> int:
        return max((min(b, end_us) - max(a, start_us) for a, b in self.stretches), default=0)


def working_stretches(camera: Camera, start_us: int, end_us: int) -> list[int]:
    """Lengths of the camera's unbroken work, at the simulation's seconds."""
    found, length = [], 0
    for at_us in range(start_us, end_us, SECOND_US):
        length = length + SECOND_US if camera.works(at_us) else 0
        found.append(length)
    return found

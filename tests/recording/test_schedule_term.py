"""A whole term in about a second, against the world itself.

The oracle is the world (who sits in the room, what the timetable says, when the camera works), never the plan
that the keeper made of it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from agent.classes.class_hours import class_hours
from agent.classes.recording_plan import (
    VALID_US,
    PlannedRecording,
    wanted_until_us,
)
from agent.classes.session import Moment, decide
from agent.recording.plan import MINIMUM_MARGIN_US, Plan
from agent.recording.schedule import Decision
from agent.store.classes import Session, SessionKind
from tests.clocks import ManualClock
from tests.recording.planned import (
    DAY_US,
    FIFTEEN_US,
    HOUR_US,
    MIDNIGHT_US,
    MINUTE_US,
    PACE,
    ROLL_S,
    SECOND_US,
    STEP_US,
    Camera,
    Film,
    lesson,
    plan_of,
    schedule_at,
    within,
)


@dataclass
class World:
    """A room over a term. `attended`: [from, until) in which people are in the room."""

    lessons: list[Session]
    attended: list[tuple[int, int]]
    cancelled_at: dict[str, int]
    camera: Camera
    keeper_dead: list[tuple[int, int]]
    boots: list[tuple[int, int]]
    """(instant, clock unsynchronised until)."""
    minimum_us: int | None

    def people(self, at_us: int) -> bool:
        return within(self.attended, at_us)


def term(seed: int, days: int, minimum_us: int | None) -> World:
    """Four lessons a day, with everything that happens to lessons."""
    chance = random.Random(seed)
    kinds: tuple[SessionKind, ...] = ("theory", "practical", "practical", "make_up", "examination")
    lessons: list[Session] = []
    attended: list[tuple[int, int]] = []
    cancelled: dict[str, int] = {}
    world = World(lessons, attended, cancelled, Camera(), [], [], minimum_us)
    for day in range(days):
        midnight = MIDNIGHT_US + day * DAY_US
        for start_minute, minutes, hours in (
            (8 * 60, 90, 2),
            (10 * 60, 120, 3),
            (14 * 60, 160, 4),
            (19 * 60, 90, 2),
        ):
            made = lesson(
                len(lessons), midnight + start_minute * MINUTE_US, minutes, chance.choice(kinds), hours
            )
            lessons.append(made)
            if chance.random() < 0.08:
                cancelled[made.id] = made.planned_start_us - chance.randrange(1, 5) * HOUR_US
                continue
            early, late = chance.choice((0, 0, 6, 24)), chance.choice((0, 0, 4, 10))
            attended.append(
                (made.planned_start_us - early * MINUTE_US, made.planned_end_us + late * MINUTE_US)
            )
        if chance.random() < 0.3:
            begin = midnight + chance.randrange(8 * 60, 20 * 60) * MINUTE_US
            world.camera.faults.append((begin, begin + chance.randrange(1, 4) * MINUTE_US))
        if chance.random() < 0.1:
            begin = midnight + chance.randrange(0, 23) * HOUR_US
            world.keeper_dead.append((begin, begin + HOUR_US))
        if chance.random() < 0.2:
            boot = midnight + chance.randrange(6 * 60, 22 * 60) * MINUTE_US
            world.boots.append((boot, boot + chance.randrange(1, 20) * MINUTE_US))
    world.camera.faults.sort()
    return world


@dataclass
class Story:
    """What a simulated term came to."""

    film: Film = field(default_factory=Film)
    modes: dict[str, int] = field(default_factory=dict)
    """Minutes in each mode."""
    decisions: list[tuple[int, Decision]] = field(default_factory=list)


def simulate(world: World, days: int) -> Story:
    """Keeper and recorder, both with their real state machines; the wall clock of an unsynchronised machine
    stands two hours behind."""
    story, clock = Story(), ManualClock(wall_us=MIDNIGHT_US)
    keeper = Keeper(world)
    chance = random.Random(20)
    schedule = schedule_at(Path("nowhere"), chance)
    boots = iter([*world.boots, (2**62, 0)])
    boot_us, settled_us = next(boots)
    true_us = MIDNIGHT_US
    plan: Plan | None = None
    while true_us < MIDNIGHT_US + days * DAY_US:
        awake = 5 * HOUR_US <= (true_us - MIDNIGHT_US) % DAY_US < 23 * HOUR_US
        step_us = STEP_US if awake else 10 * MINUTE_US
        if true_us >= boot_us:
            schedule = schedule_at(Path("nowhere"), chance)
            story.film.running = False
            unsynchronised_until = settled_us
            boot_us, settled_us = next(boots)
            clock.clock_state = "unsynchronised"
            clock.step_wall(-2 * 3600)
        if clock.clock_state == "unsynchronised" and true_us >= unsynchronised_until:
            clock.clock_state = "synchronised"
            clock.step_wall(2 * 3600)
        now = clock.now()
        if not within(world.keeper_dead, true_us):
            plan = keeper.step(now.wall_us, true_us, synchronised=clock.clock_state == "synchronised")
        decision = (
            schedule.judge(plan, now, story.film.progress) if plan is not None else Decision(True, "no plan")
        )
        story.decisions.append((true_us, decision))
        story.modes[decision.mode] = story.modes.get(decision.mode, 0) + step_us // MINUTE_US
        story.film.step(true_us, step_us, records=decision.record and world.camera.works(true_us))
        clock.advance(step_us / SECOND_US)
        true_us += step_us
    return story


class Keeper:
    """The keeper's pure parts over sessions in memory."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._sessions = {each.id: each for each in world.lessons}
        self._seen_us: int | None = None
        self._plans: dict[tuple[str, ...], Plan] = {}

    def step(self, now_us: int, true_us: int, *, synchronised: bool) -> Plan:
        world = self._world
        if world.people(true_us):
            self._seen_us = true_us
        ago_us = None if self._seen_us is None else true_us - self._seen_us
        ago_us = ago_us if ago_us is not None and ago_us < HOUR_US else None
        near = self._near(now_us)
        for session in near:
            if session.state == "planned" and now_us >= world.cancelled_at.get(session.id, 2**62):
                self._put(replace(session, state="cancelled"))
        undecided = [
            each
            for each in near
            if each.state == "open"
            or (each.state == "planned" and each.planned_start_us < now_us + PACE.early_us)
        ]
        moment = Moment(now_us, "synchronised" if synchronised else "settling", ago_us)
        if undecided:
            for transition in decide(undecided, moment, PACE):
                self._put(replace(transition.session, state=transition.to))
            near = self._near(now_us)
        recordings = [
            PlannedRecording(each, world.minimum_us if each.kind == "practical" else None)
            for each in near
            if each.state in ("planned", "open")
        ]
        about = any(
            each.planned_end_us > now_us - PACE.limit_us
            and each.planned_start_us < now_us + PACE.early_us
            and each.state != "cancelled"
            for each in near
        )
        until_us = wanted_until_us(
            now_us, recordings, ago_us, post_roll_us=ROLL_S * SECOND_US, is_about_lesson_time=about
        )
        return self._written(now_us, recordings, until_us)

    def _put(self, session: Session) -> None:
        self._sessions[session.id] = session

    def _written(self, now_us: int, recordings: list[PlannedRecording], until_us: int | None) -> Plan:
        """Through the file's own form, once for each set of lessons."""
        lessons = tuple(each.session.id for each in recordings)
        if lessons not in self._plans:
            self._plans[lessons] = plan_of(now_us, *recordings)
        made = self._plans[lessons]
        return replace(made, written_us=now_us, valid_until_us=now_us + VALID_US, record_until_us=until_us)

    def _near(self, now_us: int) -> list[Session]:
        """Of yesterday to tomorrow; the real horizon of 14 days would only cost time."""
        lessons = self._world.lessons
        day = (now_us - MIDNIGHT_US) // DAY_US
        ids = lessons[max(0, (day - 1) * 4) : max(0, (day + 2) * 4)]
        return [self._sessions[each.id] for each in ids]


DAYS = 60


@pytest.mark.rule("R2")
@pytest.mark.rule("R3")
@pytest.mark.rule("R4")
@pytest.mark.rule("R5")
@pytest.mark.parametrize("minimum_us", [None, FIFTEEN_US], ids=["whole", "minimum"])
def test_a_whole_term(minimum_us: int | None) -> None:
    world = term(7, DAYS, minimum_us)
    story = simulate(world, DAYS)
    assert world.cancelled_at and world.keeper_dead and world.boots and world.camera.faults
    held = [each for each in world.lessons if each.id not in world.cancelled_at]
    whole = [each for each in held if minimum_us is None or each.kind != "practical"]
    assert {each.kind for each in held} == {"theory", "practical", "make_up", "examination"}

    resting = {at_us for at_us, decision in story.decisions if not decision.record}
    for each in whole:
        rested = [at for at in range(each.planned_start_us, each.planned_end_us, STEP_US) if at in resting]
        assert not rested, f"{each.kind}: rested through a lesson"
    for begin, end in world.attended:  # early starts and overruns, as far as the keeper lives to see them
        outside = [
            at
            for at in range(begin + STEP_US, end, STEP_US)
            if at in resting and not any(s.planned_start_us <= at < s.planned_end_us for s in held)
        ]
        assert not outside, "people in the room before or after their lesson were not recorded"

    if minimum_us is not None:
        judged = 0
        for each in held:
            for hour in class_hours(each) if each.kind == "practical" else ():
                if worked_long_enough(world, hour.start_us, hour.end_us, minimum_us):
                    judged += 1
                    assert story.film.longest_in(hour.start_us, hour.end_us) >= minimum_us
        assert judged > 200
        inside = sum(
            at in resting
            for each in held
            if each.kind == "practical"
            for at in range(each.planned_start_us, each.planned_end_us, STEP_US)
        )
        assert inside * STEP_US > 3000 * MINUTE_US, "minutes of practical lessons that HR's minimum saved"
    assert story.modes["rest"] > DAYS * 10 * 60, "nights and pauses"
    assert story.modes["unplanned"] > 60, "an unsynchronised clock and a dead keeper record everything"


def worked_long_enough(world: World, start_us: int, end_us: int, minimum_us: int) -> bool:
    """Whether camera and machine worked at one stretch for the minimum, the margin and two steps more."""
    length = 0
    broken = {boot - boot % STEP_US + offset for boot, _ in world.boots for offset in (0, STEP_US)}
    for at_us in range(start_us - start_us % STEP_US + STEP_US, end_us, STEP_US):
        length = 0 if at_us in broken or not world.camera.works(at_us) else length + STEP_US
        if length >= minimum_us + MINIMUM_MARGIN_US + 2 * STEP_US:
            return True
    return False

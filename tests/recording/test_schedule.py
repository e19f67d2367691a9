"""What is recorded when: single cases, class hours with a failing camera, and a whole term in about a second.

The oracle is the world itself (who sits in the room, what the timetable says, when the camera works), never
the plan that the keeper made of it.
"""

from __future__ import annotations

import json
import random
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.classes.class_hours import class_hours
from agent.classes.recording_plan import (
    VALID_US,
    PlannedRecording,
    plan_content,
    wanted_until_us,
)
from agent.classes.session import Moment, Pace, decide
from agent.recording.plan import MINIMUM_MARGIN_US, Plan
from agent.recording.schedule import LOOK_US, Decision, Progress, Schedule
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


@pytest.fixture
def schedule(tmp_path: Path) -> Schedule:
    return schedule_at(tmp_path / "plan.json")


class Latest(random.Random):
    """Draws each look as late as there is room for it."""

    def randint(self, a: int, b: int) -> int:
        return b


def schedule_at(path: Path, chance: random.Random | None = None) -> Schedule:
    return Schedule(path, pre_roll_s=ROLL_S, post_roll_s=ROLL_S, chance=chance or Latest())


@pytest.mark.rule("R2")
@pytest.mark.rule("R4")
@pytest.mark.rule("R5")
@pytest.mark.parametrize("kind", ["theory", "examination", "make_up"])
def test_these_are_recorded_whole_from_pre_roll_to_post_roll(schedule: Schedule, kind: SessionKind) -> None:
    start = MIDNIGHT_US + 9 * HOUR_US
    made = lesson(1, start, 90, kind)
    plan = replace(plan_of(MIDNIGHT_US, PlannedRecording(made, None)), valid_until_us=2**62)
    before, after = start - ROLL_S * SECOND_US, made.planned_end_us + ROLL_S * SECOND_US
    assert [mode_at(schedule, plan, at) for at in (before - 1, before)] == [
        "rest",
        "whole",
    ]
    assert [mode_at(schedule, plan, at) for at in (after - 1, after)] == [
        "whole",
        "rest",
    ]


def test_people_are_recorded_beyond_the_plan_and_without_one(schedule: Schedule) -> None:
    now = MIDNIGHT_US
    assert mode_at(schedule, plan_of(now), now) == "rest"
    assert mode_at(schedule, plan_of(now, people_us=now + MINUTE_US), now) == "people"
    assert mode_at(schedule, plan_of(now, nobody_s=now + MINUTE_US), now) == "unscheduled"
    assert mode_at(schedule, plan_of(now, nobody_s=now), now) == "rest"


@pytest.mark.rule("R3")
def test_a_clock_that_was_set_back_takes_a_reached_minimum_with_it(schedule: Schedule) -> None:
    """By a clock ten minutes fast 17 minutes of the class hour were filmed: in truth, seven."""
    start = MIDNIGHT_US + 9 * HOUR_US
    plan = plan_of(start, PlannedRecording(lesson(1, start, 90), FIFTEEN_US))
    plan = replace(plan, valid_until_us=2**62)
    by_fast = Progress(start, start + 17 * MINUTE_US)
    assert mode_at(schedule, plan, start + 17 * MINUTE_US, by_fast) == "rest"
    now = clock_at(start + 7 * MINUTE_US, set_by_us=-10 * MINUTE_US).now()
    assert schedule.judge(plan, now, None).mode == "minimum"


@pytest.mark.rule("R3")
def test_two_lessons_that_share_the_room_get_each_its_minimum(schedule: Schedule) -> None:
    start = MIDNIGHT_US + 9 * HOUR_US
    first, second = lesson(1, start, 90), lesson(2, start + 10 * MINUTE_US, 90)
    plan = plan_of(start, PlannedRecording(first, FIFTEEN_US), PlannedRecording(second, FIFTEEN_US))
    plan = replace(plan, valid_until_us=2**62)
    for minutes, mode in ((17, "minimum"), (25, "minimum"), (27, "rest")):
        now = start + minutes * MINUTE_US
        assert mode_at(schedule, plan, now, Progress(start, now)) == mode, minutes


@pytest.mark.rule("R3")
def test_a_plan_without_its_class_hours_is_no_plan(schedule: Schedule, tmp_path: Path) -> None:
    made = lesson(1, MIDNIGHT_US, 90)
    good = {
        "written_us": MIDNIGHT_US,
        "valid_until_us": MIDNIGHT_US + VALID_US,
        **plan_content([PlannedRecording(made, FIFTEEN_US)], None, None),
    }
    now = ManualClock(wall_us=MIDNIGHT_US).now()
    changes: tuple[dict[str, object], ...] = (
        {"hours": []},
        {"minimum_us": None},
        {"mode": "less"},
        {"hours": [[0, 1]]},
        {"hours": [[MIDNIGHT_US, made.planned_end_us], [MIDNIGHT_US, made.planned_end_us]]},
    )
    for change in changes:
        bad = {**good, "sessions": [{**good["sessions"][0], **change}]}
        (tmp_path / "plan.json").write_text(json.dumps(bad), encoding="utf-8")
        decision = schedule.decide(now, None)
        assert decision.record and decision.because == "plan unreadable: ValueError", change


@pytest.mark.rule("R2")
@pytest.mark.rule("R3")
def test_a_break_asks_for_video_where_the_whole_is_recorded_and_for_none_beside_a_minimum(
    schedule: Schedule,
) -> None:
    pause = (MIDNIGHT_US + 45 * MINUTE_US, MIDNIGHT_US + 55 * MINUTE_US)
    made = replace(lesson(1, MIDNIGHT_US, 100), breaks=(pause,))
    for minimum_us, records in ((None, True), (FIFTEEN_US, False)):
        for at_us in (pause[0], pause[0] + 5 * MINUTE_US, pause[1] - 1):
            plan = plan_of(at_us, PlannedRecording(made, minimum_us))
            assert schedule.judge(plan, clock_at(at_us).now(), None).record is records
        again = plan_of(pause[1], PlannedRecording(made, minimum_us))
        assert schedule.judge(again, clock_at(pause[1]).now(), None).record, "the next class hour begins"


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


@pytest.mark.rule("R3")
@settings(max_examples=80, deadline=None)
@given(
    limit_s=st.integers(60, 1200),
    hour_s=st.integers(600, 2700),
    faults=st.lists(st.tuples(st.integers(0, 5400), st.integers(1, 400)), max_size=6),
)
def test_a_class_hour_with_room_for_the_minimum_gets_it_whatever_breaks(
    limit_s: int, hour_s: int, faults: list[tuple[int, int]]
) -> None:
    """Second by second over a lesson of two class hours. Whoever rests has the minimum behind him; wherever
    the camera worked long enough at a stretch, the minimum is reached."""
    made = replace(lesson(1, MIDNIGHT_US, 1), planned_end_us=MIDNIGHT_US + 2 * hour_s * SECOND_US)
    plan = replace(plan_of(MIDNIGHT_US, PlannedRecording(made, limit_s * SECOND_US)), valid_until_us=2**62)
    camera = Camera(
        sorted((MIDNIGHT_US + a * SECOND_US, MIDNIGHT_US + (a + length) * SECOND_US) for a, length in faults)
    )
    schedule, film = schedule_at(Path("nowhere")), Film()
    rested: dict[int, int] = {}
    for hour in class_hours(made):
        for at_us in range(hour.start_us, hour.end_us, SECOND_US):
            decision = schedule.judge(plan, clock_at(at_us).now(), film.progress)
            if not decision.record:
                assert film.longest_in(hour.start_us, at_us) >= limit_s * SECOND_US
                rested[hour.number] = rested.get(hour.number, 0) + 1
            film.step(at_us, SECOND_US, records=decision.record and camera.works(at_us))
        worked = working_stretches(camera, hour.start_us, hour.end_us)
        wanted_us = limit_s * SECOND_US + MINIMUM_MARGIN_US
        if max(worked, default=0) >= wanted_us:
            assert film.longest_in(hour.start_us, hour.end_us) >= limit_s * SECOND_US
        if not faults and hour_s > limit_s + (MINIMUM_MARGIN_US + LOOK_US) // SECOND_US + 5:
            assert rested.get(hour.number, 0) > 0, "recorded on although the minimum was reached"


def filmed(chance: random.Random | None, minutes: int = 45) -> list[int]:
    """The seconds recorded of an undisturbed class hour, counted from its beginning."""
    made = lesson(1, MIDNIGHT_US, minutes, hours=1)
    plan = replace(plan_of(MIDNIGHT_US, PlannedRecording(made, FIFTEEN_US)), valid_until_us=2**62)
    schedule = Schedule(Path("nowhere"), pre_roll_s=ROLL_S, post_roll_s=ROLL_S, chance=chance)
    film, seconds = Film(), []
    for second in range(minutes * 60):
        at_us = MIDNIGHT_US + second * SECOND_US
        decision = schedule.judge(plan, clock_at(at_us).now(), film.progress)
        film.step(at_us, SECOND_US, records=decision.record)
        if decision.record:
            seconds.append(second)
    return seconds


@pytest.mark.rule("R3")
def test_whoever_goes_home_behind_the_minimum_is_looked_at_and_cannot_know_when() -> None:
    """Teach 20 minutes and leave. Whenever that is, until a minute before the end a look is still to come;
    the first may come at any time. It saves HR nothing if they come so often that all is recorded."""
    chance = random.Random(3)
    reached_s, look_s, hour_s = 16 * 60, LOOK_US // SECOND_US, 45 * 60
    first_looks, recorded = [], []
    for _ in range(120):
        seconds = filmed(chance)
        after = [each for each in seconds if each > reached_s + 1]
        assert seconds[:reached_s] == list(range(reached_s)), "the minimum first: it cannot be lost"
        assert after[-1] >= hour_s - look_s - 1, "a last minute that nobody looks at, and no more"
        first_looks.append(after[0])
        recorded.append(len(seconds))
    slack_s = hour_s - look_s - reached_s
    for third in range(3):
        begin = reached_s + third * slack_s / 3
        share = sum(begin <= each < begin + slack_s / 3 for each in first_looks) / len(first_looks)
        assert 0.2 < share < 0.47, f"looks favour a time: {share:.2f} in third {third + 1}"
    assert sum(recorded) / len(recorded) < 22 * 60


@pytest.mark.rule("R3")
def test_no_two_recorders_look_at_the_same_time() -> None:
    """The machine's own chance; five equal hours by accident are one in 10^12."""
    assert len({tuple(filmed(None)) for _ in range(5)}) > 1


def working_stretches(camera: Camera, start_us: int, end_us: int) -> list[int]:
    """Lengths of the camera's unbroken work, at the simulation's seconds."""
    found, length = [], 0
    for at_us in range(start_us, end_us, SECOND_US):
        length = length + SECOND_US if camera.works(at_us) else 0
        found.append(length)
    return found


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

"""How a class stands with each rule of its notices (R1 to R23), with the numbers, from what this node holds.

Nothing here decides over money, and nothing is `met` by a number that somebody typed, by a list, or because
nobody looked: what the course became says it, when it is over. `not_here` says that people decide, or that
the device does not know what it would need to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from agent.classes.assessment import ClassPlan, plan_of_class
from agent.classes.attendance import attendance_of
from agent.classes.attendance_counts import day_of
from agent.classes.attendance_table import Between, ClassAttendance
from agent.classes.class_hours import MINUTE_US
from agent.classes.taught_hours import COURSE, TaughtHours, planned_hours, taught_hours
from agent.policy import SUBJECTS, EffectiveLimit, PolicySet
from agent.settings import Settings
from agent.store import classes as table
from agent.store import rule_facts as facts
from agent.store.classes import Person, Session, TrainingClass
from agent.store.database import Store

Standing = Literal["met", "not_met", "not_yet", "not_here"]
"""`not_yet`: not broken so far, and not over."""


@dataclass(frozen=True, slots=True)
class Found:
    """How a class stands in one subject, in words with their numbers."""

    standing: Standing
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class RuleState:
    """One subject of a rule, and how the class stands."""

    limit: EffectiveLimit
    found: Found

    def as_json(self) -> dict[str, Any]:
        limit = self.limit
        return {
            "rule": limit.rule,
            "subject": limit.subject,
            "limit": limit.limit,
            "unit": limit.unit,
            "direction": limit.direction,
            "notices": [
                {"id": source.notice, "number": source.number, "limit": source.limit, "clause": source.clause}
                for source in limit.sources
            ],
            "milder": [
                {"id": source.notice, "number": source.number, "limit": source.limit, "clause": source.clause}
                for source in limit.milder
            ],
            "state": self.found.standing,
            "zh": self.found.zh,
            "en": self.found.en,
        }


@dataclass(frozen=True, slots=True)
class Place:
    """Where a second copy of the footage is kept (R8)."""

    name: str
    custodian: str
    """`institution` or `hr_department`."""


@dataclass
class Subject:
    """A class and what is asked of it often. Read in one thread, shortly."""

    store: Store
    training_class: TrainingClass
    policy: PolicySet
    now_us: int
    simulated: bool
    copies: tuple[Place, ...] = ()
    destinations: tuple[str, ...] = ()
    films: bool = False
    """A rear camera is set up on this node."""

    @cached_property
    def sessions(self) -> list[Session]:
        """Those that are held or will be."""
        found = table.sessions(
            self.store, class_id=self.training_class.id, states=("planned", "open", "closed")
        )
        return [session for session in found if not session.was_planned_again]

    @cached_property
    def people(self) -> list[Person]:
        return table.people_of(self.store, self.training_class.id)

    @cached_property
    def plan(self) -> ClassPlan:
        return plan_of_class(self.training_class, self.people, self.sessions)

    @cached_property
    def attendance(self) -> ClassAttendance:
        return attendance_of(
            self.store, self.policy, self.training_class.id, now_us=self.now_us, simulated=self.simulated
        )

    @cached_property
    def held(self) -> list[Session]:
        """Lessons that were held here."""
        return [session for session in self.sessions if session.state == "closed"]

    @cached_property
    def attended(self) -> frozenset[str]:
        """Ids of the lessons to which somebody checked in."""
        return facts.lessons_with_check_in(self.store, self.training_class.id, simulated=self.simulated)

    @cached_property
    def filmed(self) -> frozenset[str]:
        """Ids of the lessons of which the index knows footage."""
        return facts.lessons_with_footage(self.store, self.training_class.id, simulated=self.simulated)

    @cached_property
    def judged(self) -> Mapping[str, facts.ContinuitySum]:
        """Lesson → what is stated of its video."""
        return facts.continuity(self.store, self.training_class.id, simulated=self.simulated)

    @cached_property
    def taught(self) -> TaughtHours:
        least = self.policy.number("class_hour_length")
        least_us = 0 if least is None else round(least * MINUTE_US)
        return taught_hours(self.store, self.held, self.attended, least_us, self.now_us)

    @cached_property
    def is_over(self) -> bool:
        """Nothing of the course is still to come.

        HR said so; or every lesson was held, and the examination was the last of them or no class hour of the
        plan is missing. A timetable that comes week by week is not over each Friday.
        """
        if not self.held or any(session.state == "open" for session in self.sessions):
            return False
        stated = facts.stated_end(self.store, self.training_class.id)
        if stated is not None and stated <= day_of(self.now_us):
            return all(session.planned_end_us <= self.now_us for session in self.sessions)
        if len(self.held) < len(self.sessions):
            return False
        course = [session for session in self.held if session.kind in COURSE]
        total = planned_hours(course, *COURSE) + (self.plan.online_hours or 0)
        return bool(course) and (course[-1].kind == "examination" or total >= self.plan.planned_hours)

    @property
    def elsewhere(self) -> list[Session]:
        """Lessons of a course that is over of which this node does not know whether they were held: another
        one films their room."""
        return [session for session in self.sessions if session.state == "planned"] if self.is_over else []

    @property
    def at_the_end(self) -> Standing:
        """`met`, where nothing else speaks against it and the course is over."""
        if not self.is_over:
            return "not_yet"
        return "not_here" if self.elsewhere else "met"


def subject_of(
    store: Store, training_class: TrainingClass, policy: PolicySet, now_us: int, settings: Settings
) -> Subject:
    """A class on a node with these settings."""
    return Subject(
        store,
        training_class,
        policy,
        now_us,
        settings.simulated,
        tuple(Place(copy.name, copy.custodian) for copy in settings.copies),
        tuple(destination.name for destination in settings.sync.destinations),
        "rear" in settings.cameras,
    )


Judge = Callable[[Subject, EffectiveLimit], Found]


def rule_states(subject: Subject) -> list[RuleState]:
    """Every subject of the class's set, in the order of the rules."""
    from agent.classes.rule_evidence import EVIDENCE  # they judge by what stands here
    from agent.classes.rule_hours import HOURS
    from agent.classes.rule_people import PEOPLE
    from agent.classes.rule_video import VIDEO

    judges = {**PEOPLE, **HOURS, **VIDEO, **EVIDENCE}
    limits = sorted(subject.policy.limits.values(), key=lambda limit: int(limit.rule[1:]))
    return [RuleState(limit, judges[limit.subject](subject, limit)) for limit in limits]


def unspoken(policy: PolicySet) -> list[str]:
    """Rules of which none of the class's notices speaks."""
    spoken = {limit.rule for limit in policy.limits.values()}
    every = dict.fromkeys(rule for rule, _, _ in SUBJECTS.values())
    return [rule for rule in every if rule not in spoken]


def number(limit: EffectiveLimit) -> float:
    """Of a limit that is one. TypeError for "whole" and yes or no."""
    if isinstance(limit.limit, str | bool):
        raise TypeError(f"{limit.subject} has no number")
    return float(limit.limit)


def ranged(value: Between) -> str:
    """`3`, or `2–3` while decisions can still move it."""
    return f"{value.at_least}" if value.is_certain else f"{value.at_least}–{value.at_most}"

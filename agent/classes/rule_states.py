"""How a class stands with each rule of its notices (R1 to R23), with the numbers, from what this node holds.

Nothing here decides over money: `not_here` says that people decide, or that nobody told the device what it
would need to know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

from agent.classes.assessment import ClassPlan, plan_of_class
from agent.classes.attendance import attendance_of
from agent.classes.attendance_table import ClassAttendance
from agent.classes.class_hours import class_hours, shortest_us
from agent.policy import SUBJECTS, EffectiveLimit, PolicySet
from agent.store import classes as table
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

    @property
    def is_over(self) -> bool:
        """Every lesson was held."""
        return bool(self.sessions) and all(session.state == "closed" for session in self.sessions)


Judge = Callable[[Subject, EffectiveLimit], Found]


def rule_states(subject: Subject) -> list[RuleState]:
    """Every subject of the class's set, in the order of the rules."""
    from agent.classes.rule_evidence import EVIDENCE  # it judges by what stands here

    judges = {**PLAN, **EVIDENCE}
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


def _class_hour_length(subject: Subject, limit: EffectiveLimit) -> Found:
    lengths = [(shortest_us(class_hours(session)) / 60_000_000, session) for session in subject.sessions]
    if not lengths:
        return Found("not_yet", "尚未排课", "no lesson is planned yet")
    below = [length for length, _ in lengths if length < number(limit)]
    shortest = min(length for length, _ in lengths)
    return Found(
        "not_met" if below else "met",
        f"最短的课时{shortest:.1f}分钟，不足{number(limit):g}分钟的课{len(below)}次",
        f"the shortest class hour has {shortest:.1f} minutes, {len(below)} lessons are below "
        f"{number(limit):g}",
    )


def _class_size(subject: Subject, limit: EffectiveLimit) -> Found:
    count = subject.plan.trainees
    return Found(
        "not_met" if count > number(limit) else "met",
        f"学员{count}人，至多{number(limit):g}人",
        f"{count} of at most {number(limit):g} trainees",
    )


def _share(subject: Subject, limit: EffectiveLimit) -> Found:
    hours = subject.plan.practical_hours if limit.direction == "at_least" else subject.plan.online_hours
    zh, en = ("实操", "practical") if limit.direction == "at_least" else ("线上", "online")
    if hours is None:
        return Found("not_here", f"未填{zh}课时", f"nobody said how many {en} hours there are")
    total = subject.plan.planned_hours
    limit_hours = number(limit) * total
    broken = hours * 100 < limit_hours if limit.direction == "at_least" else hours * 100 > limit_hours
    bound = "不少于" if limit.direction == "at_least" else "不超过"
    return Found(
        "not_met" if broken else "met",
        f"{zh}{hours}/{total}课时，占{100 * hours / total:.1f}%，应{bound}{number(limit):g}%",
        f"{hours} of {total} class hours are {en}: {100 * hours / total:.1f} %, "
        f"{limit.direction.replace('_', ' ')} {number(limit):g} %",
    )


def _trainees_per_teacher(subject: Subject, limit: EffectiveLimit) -> Found:
    trainees, teachers = subject.plan.trainees, subject.plan.teachers
    return Found(
        "not_met" if trainees > number(limit) * teachers else "met",
        f"教师{teachers}人对学员{trainees}人，每名教师至多{number(limit):g}人",
        f"{teachers} teachers for {trainees} trainees, at most {number(limit):g} for each",
    )


def _teachers_per_class(subject: Subject, limit: EffectiveLimit) -> Found:
    teachers = subject.plan.teachers
    return Found(
        "not_met" if teachers < number(limit) else "met",
        f"教师{teachers}人，至少{number(limit):g}人",
        f"{teachers} of at least {number(limit):g} teachers",
    )


def _trainees_per_workplace(subject: Subject, limit: EffectiveLimit) -> Found:
    trainees, places = subject.plan.trainees, subject.plan.workplaces
    if places is None:
        return Found("not_here", "未填工位数", "nobody said how many workplaces there are")
    return Found(
        "not_met" if trainees > number(limit) * places else "met",
        f"工位{places}个对学员{trainees}人，每个工位至多{number(limit):g}人",
        f"{places} workplaces for {trainees} trainees, at most {number(limit):g} for each",
    )


def _course_length(subject: Subject, limit: EffectiveLimit) -> Found:
    hours, free = subject.plan.planned_hours, subject.plan.is_course_length_free
    if free is None:
        return Found(
            "not_here", "未填是否颁发合格证书", "nobody said whether it ends in a training certificate"
        )
    if free:
        return Found("met", f"{hours}课时；本班不受此限", f"{hours} class hours; the class is exempt")
    return Found(
        "not_met" if hours < number(limit) else "met",
        f"总课时{hours}，至少{number(limit):g}",
        f"{hours} of at least {number(limit):g} class hours",
    )


def _approval(subject: Subject, limit: EffectiveLimit) -> Found:
    approval, term = subject.training_class.approval, subject.training_class.term_number
    if not approval:
        return Found("not_met", "没有批准文号：课时不计入", "no approval: its hours do NOT count")
    if not term:
        return Found("not_met", "缺少班期数", "the HR department's term number is missing")
    return Found("met", f"批准文号{approval}，班期{term}", f"approval {approval}, term {term}")


PLAN: Final[Mapping[str, Judge]] = {
    "class_hour_length": _class_hour_length,
    "class_size": _class_size,
    "practical_share": _share,
    "online_share": _share,
    "trainees_per_teacher": _trainees_per_teacher,
    "teachers_per_class": _teachers_per_class,
    "trainees_per_workplace": _trainees_per_workplace,
    "course_length": _course_length,
    "approval": _approval,
}
"""What the plan alone decides."""

"""What the notices say of a class plan: findings for people, at import and on the page.

Findings never refuse an import: whether a class is paid for is HR's decision, not the device's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from agent.classes.class_hours import MINUTE_US, class_hours, shortest_us
from agent.classes.document import SHANGHAI, ClassDocument
from agent.classes.taught_hours import COURSE
from agent.policy import EffectiveLimit, PolicySet
from agent.store.classes import Person, Session, SessionKind, TrainingClass


@dataclass(frozen=True, slots=True)
class Finding:
    """One way in which a class plan falls short of a rule."""

    rule: str
    """R1..R23."""
    zh: str
    en: str

    def as_json(self) -> dict[str, str]:
        return {"rule": self.rule, "zh": self.zh, "en": self.en}


@dataclass(frozen=True, slots=True)
class PlannedLesson:
    """What of a lesson a notice speaks of. Microseconds."""

    kind: SessionKind
    start_us: int
    class_hours: int
    shortest_us: int
    """Length of its shortest class hour, without breaks."""


@dataclass(frozen=True, slots=True)
class ClassPlan:
    """A class as it is planned, from its document or from the database. None: nobody said."""

    approval: str
    term_number: str
    trainees: int
    teachers: int
    planned_hours: int
    practical_hours: int | None
    online_hours: int | None
    workplaces: int | None
    is_course_length_free: bool | None
    """R21 does not hold: no training certificate, or hours fixed elsewhere."""
    lessons: tuple[PlannedLesson, ...]


def plan_of_document(document: ClassDocument) -> ClassPlan:
    """The plan that a document hands in."""
    head = document.training_class
    return ClassPlan(
        approval=head.approval,
        term_number=head.term_number,
        trainees=len(document.trainees),
        teachers=len(document.teachers),
        planned_hours=head.planned_hours,
        practical_hours=head.practical_hours,
        online_hours=head.online_hours,
        workplaces=head.workplaces,
        is_course_length_free=head.hours_fixed_elsewhere or not head.ends_in_training_certificate,
        lessons=tuple(
            PlannedLesson(each.kind, each.start_us, each.class_hours, each.shortest_hour_us)
            for each in document.sessions
        ),
    )


def plan_of_class(
    training_class: TrainingClass, people: Sequence[Person], sessions: Sequence[Session]
) -> ClassPlan:
    """The plan as it stands in the database; lessons that were called off are none."""
    certificate, fixed = training_class.training_certificate, training_class.hours_fixed_elsewhere
    is_known = certificate is not None and fixed is not None
    return ClassPlan(
        approval=training_class.approval,
        term_number=training_class.term_number,
        trainees=sum(person.role == "trainee" for person in people),
        teachers=sum(person.role == "teacher" for person in people),
        planned_hours=training_class.planned_hours,
        practical_hours=training_class.practical_hours,
        online_hours=training_class.online_hours,
        workplaces=training_class.workplaces,
        is_course_length_free=bool(fixed or not certificate) if is_known else None,
        lessons=tuple(
            PlannedLesson(each.kind, each.planned_start_us, each.class_hours, shortest_us(class_hours(each)))
            for each in sessions
            if each.state != "cancelled" and not each.was_planned_again
        ),
    )


def assess(plan: ClassPlan, policy: PolicySet) -> list[Finding]:
    """Every finding, the approval first: without it no hour counts (R22)."""
    return [
        *_approval(plan, policy),
        *_people(plan, policy),
        *_hours(plan, policy),
        *_timetable(plan, policy),
    ]


def _cited(limit: EffectiveLimit) -> tuple[str, str]:
    numbers = "、".join(source.number for source in limit.sources)
    return f"（{numbers}：{limit.sources[0].clause}）", f" ({limit.rule}, {numbers})"


def _finding(policy: PolicySet, subject: str, zh: str, en: str) -> Finding:
    limit = policy.limits[subject]
    clause, citation = _cited(limit)
    return Finding(limit.rule, zh + clause, en + citation)


def _approval(plan: ClassPlan, policy: PolicySet) -> Iterator[Finding]:
    if policy.demands("approval") and not plan.approval:
        yield _finding(
            policy,
            "approval",
            "本班尚无批准文号：课时不计入",
            "the class has no approval yet: its hours do NOT count",
        )
    if policy.demands("approval") and not plan.term_number:
        yield _finding(
            policy, "approval", "缺少班期数，由人社部门填写", "the HR department's term number is missing"
        )


def _people(plan: ClassPlan, policy: PolicySet) -> Iterator[Finding]:
    trainees, teachers = plan.trainees, plan.teachers
    most = policy.number("class_size")
    if most is not None and trainees > most:
        yield _finding(
            policy,
            "class_size",
            f"学员{trainees}人，超过{most:g}人",
            f"{trainees} trainees, at most {most:g} allowed",
        )
    each = policy.number("trainees_per_teacher")
    if each is not None and trainees > each * teachers:
        yield _finding(
            policy,
            "trainees_per_teacher",
            f"教师{teachers}人对学员{trainees}人，低于1∶{each:g}",
            f"{teachers} teachers for {trainees} trainees, at least 1 for {each:g} demanded",
        )
    least = policy.number("teachers_per_class")
    if least is not None and teachers < least:
        yield _finding(
            policy,
            "teachers_per_class",
            f"教师{teachers}人，少于{least:g}人",
            f"{teachers} teachers, at least {least:g} demanded",
        )
    places, each = plan.workplaces, policy.number("trainees_per_workplace")
    if places is not None and each is not None and trainees > each * places:
        yield _finding(
            policy,
            "trainees_per_workplace",
            f"工位{places}个对学员{trainees}人，低于1∶{each:g}",
            f"{places} workplaces for {trainees} trainees, at least 1 for {each:g} demanded",
        )


def _hours(plan: ClassPlan, policy: PolicySet) -> Iterator[Finding]:
    least = policy.number("practical_share")
    practical, online = plan.practical_hours, plan.online_hours
    if least is not None and practical is not None and practical * 100 < least * plan.planned_hours:
        share = 100 * practical / plan.planned_hours
        yield _finding(
            policy,
            "practical_share",
            f"实操占总课时{share:.1f}%，少于{least:g}%",
            f"practical hours are {share:.1f} % of all, at least {least:g} % demanded",
        )
    most = policy.number("online_share")
    if most is not None and online is not None and online * 100 > most * plan.planned_hours:
        share = 100 * online / plan.planned_hours
        yield _finding(
            policy,
            "online_share",
            f"线上占总课时{share:.1f}%，超过{most:g}%",
            f"online hours are {share:.1f} % of all, at most {most:g} % allowed",
        )
    least = policy.number("course_length")
    if least is not None and plan.is_course_length_free is False and plan.planned_hours < least:
        yield _finding(
            policy,
            "course_length",
            f"总课时{plan.planned_hours}，少于{least:g}",
            f"{plan.planned_hours} class hours, at least {least:g} demanded",
        )


def _timetable(plan: ClassPlan, policy: PolicySet) -> Iterator[Finding]:
    least = policy.number("class_hour_length")
    for lesson in plan.lessons:
        minutes = lesson.shortest_us / MINUTE_US
        if least is not None and lesson.shortest_us < least * MINUTE_US:
            day = f"{_local(lesson.start_us):%Y-%m-%d %H:%M}"
            yield _finding(
                policy,
                "class_hour_length",
                f"{day} 的课每课时仅{minutes:.1f}分钟，少于{least:g}分钟",
                f"lesson of {day}: {minutes:.1f} minutes a class hour, at least {least:g} demanded",
            )
    theory: int | None = None
    if plan.practical_hours is not None and plan.online_hours is not None:
        theory = plan.planned_hours - plan.practical_hours - plan.online_hours
    for kind, planned, zh, en in (
        ("practical", plan.practical_hours, "实操", "practical"),
        ("theory", theory, "线下理论", "theory"),
    ):
        timetabled = sum(lesson.class_hours for lesson in plan.lessons if lesson.kind == kind)
        if plan.lessons and planned is not None and timetabled < planned:
            yield Finding(
                "R1",
                f"课程表中{zh}{timetabled}课时，少于计划的{planned}课时：其余课时没有排课，不会被记录",
                f"the timetable holds {timetabled} of {planned} {en} hours: the rest is not scheduled",
            )
    if plan.lessons:
        yield from _timetabled(plan, policy)


def _timetabled(plan: ClassPlan, policy: PolicySet) -> Iterator[Finding]:
    """Where the timetable does not hold what the notices demand, whatever was typed."""
    online = plan.online_hours or 0
    course = sum(lesson.class_hours for lesson in plan.lessons if lesson.kind in COURSE)
    practical = sum(lesson.class_hours for lesson in plan.lessons if lesson.kind == "practical")
    total = max(plan.planned_hours, course + online)
    least = policy.number("practical_share")
    if least is not None and practical * 100 < least * total:
        share = f"{100 * practical / total:.1f}"
        yield _finding(
            policy,
            "practical_share",
            f"课程表中实操{practical}课时，占总课时{total}的{share}%，少于{least:g}%",
            f"practical hours in the timetable are {practical} of {total} class hours, {share} %, at least "
            f"{least:g} % demanded",
        )
    least = policy.number("course_length")
    if least is not None and plan.is_course_length_free is False and course + online < least:
        yield _finding(
            policy,
            "course_length",
            f"课程表中{course}课时（另有线上{online}），少于{least:g}",
            f"{course} class hours in the timetable (and {online} online), at least {least:g} demanded",
        )


def _local(wall_us: int) -> datetime:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=wall_us)).astimezone(SHANGHAI)

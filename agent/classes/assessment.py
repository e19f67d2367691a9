"""What the notices say of a class plan: findings for people, at import and on the page.

Findings never refuse an import: whether a class is paid for is HR's decision, not the device's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agent.classes.document import ClassDocument
from agent.policy import EffectiveLimit, PolicySet


@dataclass(frozen=True, slots=True)
class Finding:
    """One way in which a class plan falls short of a rule."""

    rule: str
    """R1..R23."""
    zh: str
    en: str

    def as_json(self) -> dict[str, str]:
        return {"rule": self.rule, "zh": self.zh, "en": self.en}


def assess(document: ClassDocument, policy: PolicySet) -> list[Finding]:
    """Every finding, the approval first: without it no hour counts (R22)."""
    return [
        *_approval(document, policy),
        *_people(document, policy),
        *_hours(document, policy),
        *_timetable(document, policy),
    ]


def _cited(limit: EffectiveLimit) -> tuple[str, str]:
    numbers = "、".join(source.number for source in limit.sources)
    return f"（{numbers}：{limit.sources[0].clause}）", f" ({limit.rule}, {numbers})"


def _finding(policy: PolicySet, subject: str, zh: str, en: str) -> Finding:
    limit = policy.limits[subject]
    clause, citation = _cited(limit)
    return Finding(limit.rule, zh + clause, en + citation)


def _approval(document: ClassDocument, policy: PolicySet) -> Iterator[Finding]:
    head = document.training_class
    if policy.demands("approval") and not head.approval:
        yield _finding(
            policy,
            "approval",
            "本班尚无批准文号：课时不计入",
            "the class has no approval yet: its hours do NOT count",
        )
    if policy.demands("approval") and not head.term_number:
        yield _finding(
            policy, "approval", "缺少班期数，由人社部门填写", "the HR department's term number is missing"
        )


def _people(document: ClassDocument, policy: PolicySet) -> Iterator[Finding]:
    trainees, teachers = len(document.trainees), len(document.teachers)
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
    places, each = document.training_class.workplaces, policy.number("trainees_per_workplace")
    if places is not None and each is not None and trainees > each * places:
        yield _finding(
            policy,
            "trainees_per_workplace",
            f"工位{places}个对学员{trainees}人，低于1∶{each:g}",
            f"{places} workplaces for {trainees} trainees, at least 1 for {each:g} demanded",
        )


def _hours(document: ClassDocument, policy: PolicySet) -> Iterator[Finding]:
    head = document.training_class
    least = policy.number("practical_share")
    if least is not None and head.practical_hours * 100 < least * head.planned_hours:
        share = 100 * head.practical_hours / head.planned_hours
        yield _finding(
            policy,
            "practical_share",
            f"实操占总课时{share:.1f}%，少于{least:g}%",
            f"practical hours are {share:.1f} % of all, at least {least:g} % demanded",
        )
    most = policy.number("online_share")
    if most is not None and head.online_hours * 100 > most * head.planned_hours:
        share = 100 * head.online_hours / head.planned_hours
        yield _finding(
            policy,
            "online_share",
            f"线上占总课时{share:.1f}%，超过{most:g}%",
            f"online hours are {share:.1f} % of all, at most {most:g} % allowed",
        )
    least = policy.number("course_length")
    exempt = head.hours_fixed_elsewhere or not head.ends_in_training_certificate
    if least is not None and not exempt and head.planned_hours < least:
        yield _finding(
            policy,
            "course_length",
            f"总课时{head.planned_hours}，少于{least:g}",
            f"{head.planned_hours} class hours, at least {least:g} demanded",
        )


def _timetable(document: ClassDocument, policy: PolicySet) -> Iterator[Finding]:
    least = policy.number("class_hour_length")
    for session in document.sessions:
        minutes = (session.end - session.start).total_seconds() / 60
        if least is not None and minutes < least * session.class_hours:
            day = f"{session.start:%Y-%m-%d %H:%M}"
            yield _finding(
                policy,
                "class_hour_length",
                f"{day} 的课每课时仅{minutes / session.class_hours:.1f}分钟，少于{least:g}分钟",
                f"lesson of {day}: {minutes / session.class_hours:.1f} minutes a class hour, "
                f"at least {least:g} demanded",
            )
    head = document.training_class
    for kind, planned, zh, en in (
        ("practical", head.practical_hours, "实操", "practical"),
        ("theory", head.planned_hours - head.practical_hours - head.online_hours, "线下理论", "theory"),
    ):
        timetabled = sum(session.class_hours for session in document.sessions if session.kind == kind)
        if document.sessions and timetabled < planned:
            yield Finding(
                "R1",
                f"课程表中{zh}{timetabled}课时，少于计划的{planned}课时：其余课时没有排课，不会被记录",
                f"the timetable holds {timetabled} of {planned} {en} hours: the rest is not scheduled",
            )

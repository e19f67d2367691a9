"""How a class stands with the rules about people: how many, who teaches, who came, on whose approval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from agent.classes.attendance_counts import day_of
from agent.classes.attendance_table import Between
from agent.classes.inspections import ON_SITE, average_in_place
from agent.classes.rule_states import Found, Judge, Standing, Subject, number, ranged
from agent.policy import EffectiveLimit
from agent.store import inspections, suspicions
from agent.store import rule_facts as facts


def _class_size(subject: Subject, limit: EffectiveLimit) -> Found:
    count = subject.plan.trainees
    return Found(
        "not_met" if count > number(limit) else "met",
        f"名册上学员{count}人，至多{number(limit):g}人",
        f"{count} of at most {number(limit):g} trainees on the list",
    )


def _trainees_per_teacher(subject: Subject, limit: EffectiveLimit) -> Found:
    trainees, teachers, most = subject.plan.trainees, subject.plan.teachers, number(limit)
    seen = _teachers_seen(subject)
    return Found(
        _by_list_and_door(subject, trainees <= most * teachers, trainees <= most * seen),
        f"名册上教师{teachers}人（到课{seen}人）对学员{trainees}人，每名教师至多{most:g}人",
        f"{teachers} teachers on the list ({seen} of them checked in) for {trainees} trainees, at most "
        f"{most:g} for each",
    )


def _teachers_per_class(subject: Subject, limit: EffectiveLimit) -> Found:
    teachers, seen, least = subject.plan.teachers, _teachers_seen(subject), number(limit)
    return Found(
        _by_list_and_door(subject, teachers >= least, seen >= least),
        f"名册上教师{teachers}人（到课{seen}人），至少{least:g}人",
        f"{teachers} of at least {least:g} teachers on the list ({seen} of them checked in)",
    )


def _by_list_and_door(subject: Subject, list_suffices: bool, door_suffices: bool) -> Standing:
    """A list alone says who was to teach. Who teaches in another room, or online, comes to no door here."""
    if not list_suffices:
        return "not_met"
    if door_suffices:
        return "met"
    return "not_here" if subject.is_over else "not_yet"


def _teachers_seen(subject: Subject) -> int:
    teachers = [person.id for person in subject.people if person.role == "teacher"]
    seen = facts.people_seen(subject.store, subject.training_class.id, simulated=subject.simulated)
    return len(seen.intersection(teachers))


def _trainees_per_workplace(subject: Subject, limit: EffectiveLimit) -> Found:
    trainees, places = subject.plan.trainees, subject.plan.workplaces
    if places is None:
        return Found("not_here", "未填工位数", "nobody said how many workplaces there are")
    return Found(
        "not_met" if trainees > number(limit) * places else "not_here",
        f"填报工位{places}个对学员{trainees}人，每个工位至多{number(limit):g}人；工位本机看不到，由人核对",
        f"{places} workplaces were typed for {trainees} trainees, at most {number(limit):g} for each; the "
        "device sees none of them: people check",
    )


def _approval(subject: Subject, limit: EffectiveLimit) -> Found:
    approval, term = subject.training_class.approval, subject.training_class.term_number
    if not approval:
        return Found("not_met", "没有批准文号：课时不计入", "no approval: its hours do NOT count")
    if not term:
        return Found("not_met", "缺少班期数", "the HR department's term number is missing")
    return Found(
        "met",
        f"人社部门导入的批准文号{approval}，班期{term}",
        f"approval {approval}, term {term}, as HR imported them",
    )


def _registered(subject: Subject, limit: EffectiveLimit) -> Found:
    teachers = [person for person in subject.people if person.role == "teacher"]
    found = sum(facts.is_registered(subject.store, person.id) for person in teachers)
    return Found(
        "met" if teachers and found == len(teachers) else "not_met",
        f"教师{len(teachers)}人，人社部门已核对在师资库{found}人",
        f"{found} of {len(teachers)} teachers found in the provincial register by HR staff",
    )


def _make_up_counts(subject: Subject, limit: EffectiveLimit) -> Found:
    """A permission: that not all is made up breaks nothing, and whether it suffices is HR's."""
    if limit.limit is not True:
        return Found("not_here", "补课不计入", "make-up lessons do not count")
    attendance = subject.attendance
    made = sum(each.made_up for each in attendance.current)
    attended, required = attendance.attended, attendance.required
    missed = Between(required - attended.at_most, required - attended.at_least)
    bound = facts.bound_hours(subject.store, subject.training_class.id)
    standing = subject.at_the_end
    if standing == "met" and missed.at_most:
        standing = "not_here"
    return Found(
        standing,
        f"允许补课：已补{made}人次课时，已安排{bound}，仍缺{ranged(missed)}",
        f"permitted: {made} trainee class hours made up, {bound} bound, {ranged(missed)} still missed",
    )


def _impostors(subject: Subject, limit: EffectiveLimit) -> Found:
    count = suspicions.confirmed_impostors(subject.store, subject.training_class.id)
    waiting = facts.open_suspicions(subject.store, subject.training_class.id)
    unattended = sum(session.id not in subject.attended for session in subject.held)
    standing: Standing = "not_yet" if waiting else subject.at_the_end
    if count >= number(limit):
        standing = "not_met"
    elif standing == "met" and unattended:
        standing = "not_here"
    return Found(
        standing,
        f"已确认冒名顶替{count}人次，待判定{waiting}；{number(limit):g}人次取消补贴"
        + (f"；{unattended}次课无人签到，无从核对" if unattended else ""),
        f"{count} confirmed impostor attendances, {waiting} suspicions wait; {number(limit):g} cost the "
        "subsidy"
        + (f"; nobody checked in to {unattended} lessons: nothing to compare" if unattended else ""),
    )


def _opening(subject: Subject, limit: EffectiveLimit) -> Found:
    opening = subject.attendance.opening
    if opening is None:
        return Found("not_yet", "开班日本机没有上过课", "no lesson was held here on the opening day")
    trainees = opening.trainees
    is_settled = trainees.is_certain and day_of(subject.now_us) > opening.day
    standing: Standing = "not_yet"
    if is_settled:
        standing = "met" if trainees.at_least else "not_here"
    return Found(
        standing,
        f"开班日{opening.day}实到{ranged(trainees)}人，在册{subject.plan.trainees}人"
        + ("" if trainees.is_certain else "；待人工判定"),
        f"{ranged(trainees)} were there on {opening.day}, {subject.plan.trainees} are on the list"
        + ("" if trainees.is_certain else "; people have to decide"),
    )


def _average(subject: Subject, limit: EffectiveLimit) -> Found:
    average = subject.attendance.average
    if average is None:
        return Found("not_yet", "尚未上课", "no class hour was held yet")
    least, most = average.mean()
    words = f"{least:.2f}" if least == most else f"{least:.2f}–{most:.2f}"
    found = inspections.inspections(subject.store, subject.training_class.id)
    seen = average_in_place(found)
    on_site = sum(each.kind in ON_SITE for each in found)
    zh = "未录入" if seen is None else f"{on_site}次，在位平均{seen:.2f}人"
    en = "none is entered" if seen is None else f"{on_site} with {seen:.2f} in place on average"
    return Found(
        "not_here" if seen is None else "met",
        f"以实地检查为准：{zh}；本机{average.hours}课时平均在位{words}人",
        f"on-site inspections decide: {en}; here {words} were in place on average over {average.hours} "
        "class hours",
    )


PEOPLE: Final[Mapping[str, Judge]] = {
    "class_size": _class_size,
    "trainees_per_teacher": _trainees_per_teacher,
    "teachers_per_class": _teachers_per_class,
    "trainees_per_workplace": _trainees_per_workplace,
    "approval": _approval,
    "registered_teachers": _registered,
    "make_up_counts": _make_up_counts,
    "impostor_attendances": _impostors,
    "opening_head_count": _opening,
    "head_count_by_inspection": _average,
}

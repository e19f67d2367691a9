"""How a class stands with the rules that count class hours: their length, the shares, the whole course.

The plan is what somebody typed, the timetable what is to be held, and what was held decides once the course
is over: the three stand beside each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from agent.classes.attendance_table import Between
from agent.classes.class_hours import MINUTE_US, class_hours, shortest_us
from agent.classes.lesson_plan import local
from agent.classes.rule_states import Found, Judge, Standing, Subject, number, ranged
from agent.classes.taught_hours import COURSE, ShortHour, planned_hours
from agent.policy import EffectiveLimit
from agent.store.classes import SessionKind

_MOST_NAMED: Final = 5


def _class_hour_length(subject: Subject, limit: EffectiveLimit) -> Found:
    """R10: as planned, and as held."""
    least, taught = number(limit), subject.taught
    lengths = [shortest_us(class_hours(session)) / MINUTE_US for session in subject.sessions]
    if not lengths:
        return Found("not_yet", "尚未排课", "no lesson is planned yet")
    below = sum(length < least for length in lengths)
    unproven = sum(taught.unproven.values())
    standing: Standing = subject.at_the_end
    if below or taught.short:
        standing = "not_met"
    elif unproven and standing == "met":
        standing = "not_here"
    named = "、".join(_named(each, "第{}课时（{:.1f}分钟）") for each in taught.short[:_MOST_NAMED])
    named_en = ", ".join(_named(each, " hour {} ({:.1f} min)") for each in taught.short[:_MOST_NAMED])
    more = len(taught.short) - _MOST_NAMED
    return Found(
        standing,
        f"已上{taught.count}课时，不足{least:g}分钟的{len(taught.short)}课时"
        + (f"：{named}" if named else "")
        + (f"等，另{more}课时" if more > 0 else "")
        + (f"；其中{unproven}课时所在的课无人签到、未点到人，只知开课与下课时间" if unproven else "")
        + (f"；另有{taught.not_held}课时未上" if taught.not_held else "")
        + f"；课程表中最短{min(lengths):.1f}分钟，不足的课{below}次",
        f"{len(taught.short)} of {taught.count} class hours held were shorter than {least:g} minutes"
        + (f": {named_en}" if named_en else "")
        + (f" and {more} more" if more > 0 else "")
        + (f"; {unproven} of them in lessons without a check-in or a counted picture" if unproven else "")
        + (f"; {taught.not_held} more were not held" if taught.not_held else "")
        + f"; the shortest of the timetable has {min(lengths):.1f} minutes, {below} lessons are below",
    )


def _named(each: ShortHour, form: str) -> str:
    return f"{local(each.session.planned_start_us):%Y-%m-%d %H:%M}" + form.format(
        each.number, each.held_us / MINUTE_US
    )


def _practical_share(subject: Subject, limit: EffectiveLimit) -> Found:
    """R12. Of the whole course: hours of it that were not held make no share greater."""
    plan, least = subject.plan, number(limit)
    if plan.practical_hours is None and not subject.sessions:
        return Found("not_here", "未填实操课时，尚未排课", "neither practical hours nor lessons are planned")
    online = plan.online_hours or 0
    timetabled = planned_hours(subject.sessions, "practical")
    of_timetable = max(plan.planned_hours, planned_hours(subject.sessions, *COURSE) + online)
    held = _held(subject, "practical")
    of_held = max(plan.planned_hours, subject.taught.of(*COURSE).at_most + online)
    typed = plan.practical_hours
    if subject.is_over:
        standing = _by(held, least * of_held / 100)
    elif typed is not None and typed * 100 < least * plan.planned_hours:
        standing = "not_met"
    else:
        standing = "not_yet"
    shares = (
        None if typed is None else _share(Between(typed, typed), plan.planned_hours),
        _share(Between(timetabled, timetabled), of_timetable),
        _share(held, of_held),
    )
    return Found(
        standing,
        "实操："
        + ("计划未填" if shares[0] is None else "计划{}/{}（{}%）".format(*shares[0]))
        + "，课程表{}/{}（{}%），已上{}/{}（{}%）".format(*shares[1], *shares[2])
        + f"；应不少于{least:g}%"
        + _unfinished(subject)[0],
        "practical: "
        + ("no plan was typed" if shares[0] is None else "plan {} of {} ({} %)".format(*shares[0]))
        + ", timetable {} of {} ({} %), held {} of {} ({} %)".format(*shares[1], *shares[2])
        + f"; at least {least:g} %"
        + _unfinished(subject)[1],
    )


def _course_length(subject: Subject, limit: EffectiveLimit) -> Found:
    """R21. Online hours are the plan's word alone."""
    plan, least = subject.plan, number(limit)
    hours, online = plan.planned_hours, plan.online_hours or 0
    if plan.is_course_length_free is None:
        return Found(
            "not_here", "未填是否颁发合格证书", "nobody said whether it ends in a training certificate"
        )
    if plan.is_course_length_free:
        return Found("met", f"{hours}课时；本班不受此限", f"{hours} class hours; the class is exempt")
    held = _held(subject, *COURSE)
    if subject.is_over:
        standing = _by(Between(held.at_least, held.at_most + online), least)
    else:
        standing = "not_met" if hours < least else "not_yet"
    timetabled = planned_hours(subject.sessions, *COURSE)
    return Found(
        standing,
        f"计划{hours}课时，课程表{timetabled}，已上{ranged(held)}"
        + (f"；另有线上{online}课时为填报数" if online else "")
        + f"；至少{least:g}"
        + _unfinished(subject)[0],
        f"plan {hours}, timetable {timetabled}, held {ranged(held)} class hours"
        + (f"; {online} online ones are typed alone" if online else "")
        + f"; at least {least:g}"
        + _unfinished(subject)[1],
    )


def _online_share(subject: Subject, limit: EffectiveLimit) -> Found:
    """R19. What is taught online never comes to this device."""
    hours, total, most = subject.plan.online_hours, subject.plan.planned_hours, number(limit)
    if hours is None:
        return Found("not_here", "未填线上课时", "nobody said how many online hours there are")
    return Found(
        "not_met" if hours * 100 > most * total else "not_here",
        f"计划线上{hours}/{total}课时，占{100 * hours / total:.1f}%，应不超过{most:g}%；"
        "实际线上课时由线上平台记录，本机不知",
        f"{hours} of {total} class hours are planned online: {100 * hours / total:.1f} %, at most {most:g} "
        "%; how many were held the online platform knows, not this device",
    )


def _held(subject: Subject, *kinds: SessionKind) -> Between:
    """Class hours taught here; at most with those that may have been taught in a room of another node."""
    here = subject.taught.of(*kinds)
    return Between(here.at_least, here.at_most + planned_hours(subject.elsewhere, *kinds))


def _by(held: Between, least: float) -> Standing:
    """Of a course that is over."""
    if held.at_most < least:
        return "not_met"
    return "met" if held.at_least >= least else "not_here"


def _share(part: Between, whole: int) -> tuple[str, int, str]:
    least, most = (f"{100 * each / whole:.1f}" for each in (part.at_least, part.at_most))
    return ranged(part), whole, least if part.is_certain else f"{least}–{most}"


def _unfinished(subject: Subject) -> tuple[str, str]:
    """What to do where every lesson of the timetable is past and class hours of the plan are missing."""
    is_past = bool(subject.held) and all(each.planned_end_us <= subject.now_us for each in subject.sessions)
    if subject.is_over or not is_past:
        return "", ""
    name = subject.training_class.id
    return (
        f"；课程表已上完、计划未满：如培训已结束，请确认：classroom-agent retention ended {name}",
        "; the timetable is done and the plan is not: if the course is over, say so: "
        f"classroom-agent retention ended {name}",
    )


HOURS: Final[Mapping[str, Judge]] = {
    "class_hour_length": _class_hour_length,
    "practical_share": _practical_share,
    "course_length": _course_length,
    "online_share": _online_share,
}

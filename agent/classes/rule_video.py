"""How a class stands with the rules that its recordings decide: recorded at all, how much of it, who is seen.

A lesson of which nothing is stated yet is not a lesson without fault: it is said how many wait, and for what.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from agent.classes.class_hours import class_hours
from agent.classes.rule_states import Found, Judge, Standing, Subject, number
from agent.policy import EffectiveLimit
from agent.store import inspections, visibility
from agent.store import rule_facts as facts
from agent.store.classes import SessionKind

_KIND_OF: Final[Mapping[str, tuple[SessionKind, str, str]]] = {
    "theory_video": ("theory", "理论课", "theory"),
    "practical_video": ("practical", "实操课", "practical"),
    "examination_video": ("examination", "考试", "examination"),
    "make_up_video": ("make_up", "补课", "make-up"),
}


def _recorded(subject: Subject, limit: EffectiveLimit) -> Found:
    """R1: every lesson that was held has video and check-ins, and its records have their receipts. Of a kind
    of which no notice of the class speaks it wants the whole (class_hours.video_demand)."""
    held = [session.id for session in subject.held]
    missed = facts.lessons_not_opened(subject.store, subject.training_class.id)
    never = (
        f"；计划的{missed}次课本机未开课，如已上课则没有记录" if missed else "",
        f"; {missed} planned lessons were never opened here: if they were held, nothing is recorded"
        if missed
        else "",
    )
    if not held:
        return Found("not_yet", f"尚未上课{never[0]}", f"no lesson was held yet{never[1]}")
    judged = subject.judged
    unlooked = sum(each not in judged for each in held)
    no_video = sum(each in judged and not judged[each].has_video for each in held)
    no_check_in = sum(each not in subject.attended for each in held)
    other = _unspoken_kinds_not_met(subject)
    waiting = facts.unreceipted(subject.store, subject.training_class.id, subject.destinations)
    standing = subject.at_the_end
    if no_video or no_check_in or other:
        standing = "not_met"
    elif unlooked or waiting:
        standing = "not_yet"
    elif standing == "met" and (missed or not subject.destinations):
        standing = "not_here"
    upload = (
        (f"；待上报记录{waiting}条", f"; {waiting} records wait for their receipt")
        if subject.destinations
        else ("；未设上报目的地，不上报", "; no destination is set up: nothing is uploaded")
    )
    return Found(
        standing,
        f"已上{len(held)}次课：无录像{no_video}次，无签到{no_check_in}次，录像尚未判定{unlooked}次"
        + (f"，考试等录像不全{other}课时" if other else "")
        + upload[0]
        + never[0],
        f"{len(held)} lessons held: {no_video} without video, {no_check_in} without a check-in, "
        f"{unlooked} not looked at"
        + (f", {other} class hours of examinations and the like not whole" if other else "")
        + upload[1]
        + never[1],
    )


def _unspoken_kinds_not_met(subject: Subject) -> int:
    """Class hours and breaks that are not whole on video, of kinds of which no notice of the class speaks."""
    kinds = {kind for name, (kind, _, _) in _KIND_OF.items() if name not in subject.policy.limits}
    found = [subject.judged.get(session.id) for session in subject.held if session.kind in kinds]
    return sum(each.hours_not_met + each.breaks_not_met for each in found if each is not None)


def _video(subject: Subject, limit: EffectiveLimit) -> Found:
    """R2 to R5, by the statements that hold (session.continuity-judged)."""
    kind, zh, en = _KIND_OF[limit.subject]
    sessions = [session for session in subject.sessions if session.kind == kind]
    held = [session for session in sessions if session.state == "closed"]
    found = [subject.judged[session.id] for session in held if session.id in subject.judged]
    if not sessions:
        # Where and how it was held otherwise, nobody told the device.
        standing: Standing = "not_here" if subject.is_over else "not_yet"
        return Found(
            standing, f"课程表中没有{zh}，无可判定", f"no {en} lesson in the timetable: nothing to judge"
        )
    below = sum(each.hours_not_met for each in found)
    breaks = sum(each.breaks_not_met for each in found)
    unjudged = len(held) - len(found)
    if below or breaks:
        standing = "not_met"
    elif unjudged or not subject.is_over or any(each.hours_not_yet for each in found):
        standing = "not_yet"
    else:
        standing = "met" if len(held) == len(sessions) else "not_here"
    unit = "" if limit.limit == "whole" else f"（每课时连续{number(limit):g}分钟）"
    unit_en = "whole" if limit.limit == "whole" else f"{number(limit):g} continuous minutes each"
    hours = sum(each.hours for each in found)
    return Found(
        standing,
        f"已判定{zh}{hours}课时{unit}，其中{below}课时、{breaks}次课间未达到；"
        f"未判定{unjudged}次课，未上{len(sessions) - len(held)}次",
        f"{hours} {en} class hours judged ({unit_en}): {below} not met, {breaks} breaks not met; "
        f"{unjudged} lessons not judged, {len(sessions) - len(held)} still to come",
    )


def _not_shown(subject: Subject, limit: EffectiveLimit) -> Found:
    """R6. 2023 counts lessons (次), 2025 class hours. What was not judged shows nobody."""
    strikes = visibility.strikes(subject.store, subject.training_class.id)
    if limit.unit == "times":
        count, possible, zh, en = strikes.times, strikes.uncertain_times, "次", "lessons"
    else:
        count, possible, zh, en = strikes.count, len(strikes.uncertain), "课时", "class hours"
    most = number(limit)
    held = [(session, hour.number) for session in subject.held for hour in class_hours(session)]
    judged = {
        (each.session_id, each.hour)
        for each in visibility.verdicts(subject.store, subject.training_class.id)
        if subject.simulated or not each.in_force.simulated
    }
    waiting = [session for session, hour in held if (session.id, hour) not in judged]
    standing = subject.at_the_end
    if count >= most:
        standing = "not_met"
    elif waiting or count + possible >= most:
        standing = "not_yet"
    filmed = sum(session.id in subject.filmed for session in waiting)
    why_zh, why_en = _why_waiting(filmed, len(waiting))
    return Found(
        standing,
        f"未显示全体学员{count}{zh}，另有{possible}{zh}待人工判定；达到{most:g}{zh}取消补贴；"
        f"已上{len(held)}课时，已判定{len(held) - len(waiting)}课时{why_zh}",
        f"{count} {en} did not show every trainee, {possible} more wait for a person; {most:g} cost the "
        f"subsidy; {len(held) - len(waiting)} of {len(held)} class hours held are judged{why_en}",
    )


def _why_waiting(filmed: int, waiting: int) -> tuple[str, str]:
    zh, en = [], []
    if filmed:
        zh.append(f"{filmed}课时的录像尚未判定")
        en.append(f"{filmed} wait: their footage is not judged yet")
    if waiting > filmed:
        zh.append(f"{waiting - filmed}课时本机没有录像可判定")
        en.append(f"{waiting - filmed} wait: no footage of them is known here")
    return "".join(f"；{each}" for each in zh), "".join(f"; {each}" for each in en)


def _own_video(subject: Subject, limit: EffectiveLimit) -> Found:
    """R9: by what lies here, not by what could."""
    waiting = facts.unreceipted(subject.store, subject.training_class.id, subject.destinations)
    without, surely = _without_footage(subject)
    standing: Standing = subject.at_the_end
    if surely:
        standing = "not_met"
    elif without or not subject.held:
        standing = "not_yet"
    camera_zh, camera_en = _no_camera(subject)
    return Found(
        standing,
        f"已上{len(subject.held)}次课，本机没有录像的{without}次{camera_zh}；有录像的存于本机，不依赖网络；"
        f"待上报记录{waiting}条",
        f"no footage of {without} of {len(subject.held)} lessons held is here{camera_en}; what there is "
        f"needs no network to be kept; {waiting} records wait for their receipt",
    )


def _remote_patrol(subject: Subject, limit: EffectiveLimit) -> Found:
    """R18: that there is something to look at is no patrol. HR's entry is."""
    views = facts.views(subject.store, subject.training_class.id)
    entered = inspections.inspections(subject.store, subject.training_class.id)
    remote = sum(each.kind == "remote" for each in entered)
    without, surely = _without_footage(subject)
    held = len(subject.held)
    standing: Standing = "met" if remote else "not_here"
    if held == 0 or without == held:
        standing = "not_met" if held and surely == held else "not_yet"
    camera_zh, camera_en = _no_camera(subject)
    return Found(
        standing,
        f"{held}次课中{held - without}次有录像，可在本机网页查看录像和签到{camera_zh}；尚不能从外部实时巡查；"
        f"录像已查看{views}次，已录入远程巡查{remote}次",
        f"footage of {held - without} of {held} lessons held, and the check-ins, can be looked at on this "
        f"node's page{camera_en}; there is no live patrol from outside yet; footage was opened {views} "
        f"times, {remote} remote inspections are entered",
    )


def _without_footage(subject: Subject) -> tuple[int, int]:
    """Lessons held of which the index knows no footage; of those, where it is stated that there is none."""
    without = [session.id for session in subject.held if session.id not in subject.filmed]
    stated = [subject.judged[each] for each in without if each in subject.judged]
    return len(without), sum(not each.has_video for each in stated)


def _no_camera(subject: Subject) -> tuple[str, str]:
    return ("", "") if subject.films else ("；本机没有后方摄像机", "; no rear camera is set up")


VIDEO: Final[Mapping[str, Judge]] = {
    "recorded_evidence": _recorded,
    "theory_video": _video,
    "practical_video": _video,
    "examination_video": _video,
    "make_up_video": _video,
    "not_shown_times": _not_shown,
    "not_shown_class_hours": _not_shown,
    "own_video_during_maintenance": _own_video,
    "remote_patrol": _remote_patrol,
}

"""How a class stands with the rules that what happened decides: video, check-ins, visibility, copies."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final

from agent.classes.attendance_table import Between, total
from agent.classes.document import SHANGHAI
from agent.classes.inspections import ON_SITE, average_in_place
from agent.classes.rule_states import Found, Judge, Standing, Subject, number
from agent.policy import EffectiveLimit
from agent.store import configuration, copies, inspections, suspicions, visibility
from agent.store import rule_facts as facts
from agent.store.classes import SessionKind

_KIND_OF: Final[Mapping[str, tuple[SessionKind, str, str]]] = {
    "theory_video": ("theory", "理论课", "theory"),
    "practical_video": ("practical", "实操课", "practical"),
    "examination_video": ("examination", "考试", "examination"),
    "make_up_video": ("make_up", "补课", "make-up"),
}


def _recorded(subject: Subject, limit: EffectiveLimit) -> Found:
    """R1: every lesson that was held has video and check-ins; its records have their receipts."""
    closed = [session.id for session in subject.sessions if session.state == "closed"]
    if not closed:
        return Found("not_yet", "尚未上课", "no lesson was held yet")
    judged = facts.continuity(subject.store, subject.training_class.id, simulated=subject.simulated)
    no_video = [each for each in closed if each in judged and not judged[each].has_video]
    no_check_in = [each for each in closed if not facts.has_check_in(subject.store, each)]
    waiting = facts.unreceipted(subject.store, subject.training_class.id, subject.destinations)
    standing: Standing = (
        "not_met" if no_video or no_check_in else "not_yet" if waiting or not subject.is_over else "met"
    )
    return Found(
        standing,
        f"已上{len(closed)}次课：无录像{len(no_video)}次，无签到{len(no_check_in)}次；待上报记录{waiting}条",
        f"{len(closed)} lessons held: {len(no_video)} without video, {len(no_check_in)} without a check-in; "
        f"{waiting} records wait for their receipt",
    )


def _video(subject: Subject, limit: EffectiveLimit) -> Found:
    """R2 to R5, by the statements that hold (session.continuity-judged)."""
    kind, zh, en = _KIND_OF[limit.subject]
    sessions = [session for session in subject.sessions if session.kind == kind]
    judged = facts.continuity(subject.store, subject.training_class.id, simulated=subject.simulated)
    closed = [session for session in sessions if session.state == "closed"]
    found = [judged[session.id] for session in closed if session.id in judged]
    below = sum(each.hours_not_met for each in found)
    hours = sum(each.hours for each in found)
    breaks = sum(each.breaks_not_met for each in found)
    unjudged = len(closed) - len(found)
    if not sessions:
        return Found("not_yet" if not subject.is_over else "met", f"没有{zh}", f"no {en} lesson")
    broken = below or breaks
    standing: Standing = (
        "not_met" if broken else "not_yet" if unjudged or len(closed) < len(sessions) else "met"
    )
    unit = "" if limit.limit == "whole" else f"（每课时连续{number(limit):g}分钟）"
    unit_en = "whole" if limit.limit == "whole" else f"{number(limit):g} continuous minutes each"
    return Found(
        standing,
        f"已判定{zh}{hours}课时{unit}，其中{below}课时、{breaks}次课间未达到；"
        f"未判定{unjudged}次课，未上{len(sessions) - len(closed)}次",
        f"{hours} {en} class hours judged ({unit_en}): {below} not met, {breaks} breaks not met; "
        f"{unjudged} lessons not judged, {len(sessions) - len(closed)} still to come",
    )


def _make_up_counts(subject: Subject, limit: EffectiveLimit) -> Found:
    if limit.limit is not True:
        return Found("met", "补课不计入", "make-up lessons do not count")
    attendance = subject.attendance
    made = sum(each.made_up for each in attendance.current)
    missed = attendance.required - attendance.attended.at_least
    bound = facts.bound_hours(subject.store, subject.training_class.id)
    return Found(
        "met",
        f"允许补课：已补{made}人次课时，已安排{bound}，仍缺{missed}",
        f"permitted: {made} trainee class hours made up, {bound} bound, {missed} still missed",
    )


def _not_shown(subject: Subject, limit: EffectiveLimit) -> Found:
    """R6. 2023 counts lessons (次), 2025 class hours."""
    strikes = visibility.strikes(subject.store, subject.training_class.id)
    if limit.unit == "times":
        count, possible, zh, en = strikes.times, strikes.uncertain_times, "次", "lessons"
    else:
        count, possible, zh, en = strikes.count, len(strikes.uncertain), "课时", "class hours"
    judged = len(visibility.verdicts(subject.store, subject.training_class.id))
    most = number(limit)
    standing: Standing = (
        "not_met"
        if count >= most
        else "not_yet"
        if count + possible >= most or not subject.is_over
        else "met"
    )
    return Found(
        standing,
        f"未显示全体学员{count}{zh}，另有{possible}{zh}待人工判定；达到{most:g}{zh}取消补贴；已判定{judged}课时",
        f"{count} {en} did not show every trainee, {possible} more wait for a person; {most:g} cost the "
        f"subsidy; {judged} class hours judged",
    )


def _impostors(subject: Subject, limit: EffectiveLimit) -> Found:
    count = suspicions.confirmed_impostors(subject.store, subject.training_class.id)
    waiting = facts.open_suspicions(subject.store, subject.training_class.id)
    standing: Standing = (
        "not_met" if count >= number(limit) else "met" if subject.is_over and not waiting else "not_yet"
    )
    return Found(
        standing,
        f"已确认冒名顶替{count}人次，待判定{waiting}；{number(limit):g}人次取消补贴",
        f"{count} confirmed impostor attendances, {waiting} suspicions wait; "
        f"{number(limit):g} cost the subsidy",
    )


def _retention(subject: Subject, limit: EffectiveLimit) -> Found:
    key = "retention.video_years" if limit.subject == "video_retention" else "retention.checkin_years"
    chosen = configuration.value(subject.store, key)
    years = max(number(limit), float(chosen) if isinstance(chosen, int) else 0.0)
    gone = facts.expired_segments(subject.store, subject.training_class.id)
    end_us = max((session.planned_end_us for session in subject.sessions), default=None)
    if not subject.is_over or end_us is None:
        return Found(
            "not_yet",
            f"培训结束后保管{years:g}年；培训尚未结束",
            f"kept {years:g} years from the training's end, which is still to come",
        )
    end = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=end_us)).astimezone(SHANGHAI).date()
    until = _years_after(end, years)
    today = (
        (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=subject.now_us))
        .astimezone(SHANGHAI)
        .date()
    )
    early = gone if limit.subject == "video_retention" and today < until else 0
    standing: Standing = "not_met" if early else "met" if today >= until else "not_yet"
    return Found(
        standing,
        f"{end}结束，保管{years:g}年，至{until}；提前删除的录像文件{early}个",
        f"ended {end}, kept {years:g} years until {until}; {early} video files went before",
    )


def _copies(subject: Subject, limit: EffectiveLimit) -> Found:
    """One with the institution, which this node is, and one with the HR department."""
    segments = [
        (row["run_id"], row["sequence"])
        for row in copies.segments_of_class(subject.store, subject.training_class.id)
    ]
    if not segments:
        return Found("not_yet", "尚无录像", "no footage yet")
    held = {place: facts.copied(subject.store, place.name, segments) for place in subject.copies}
    by_hr = max((count for place, count in held.items() if place.custodian == "hr_department"), default=None)
    names = "，".join(f"{place.name}（{place.custodian}）{count}" for place, count in held.items()) or "无"
    names_en = (
        ", ".join(f"{place.name} ({place.custodian}) {count}" for place, count in held.items()) or "none"
    )
    standing: Standing = "not_yet"
    if by_hr is None:
        standing = "not_met"
    elif by_hr == len(segments):
        standing = "met"
    return Found(
        standing,
        f"录像文件{len(segments)}个，本机保管；副本已核对：{names}；须有一份由人社部门保管",
        f"{len(segments)} files here; copies verified: {names_en}; one must be in HR's custody",
    )


def _own_video(subject: Subject, limit: EffectiveLimit) -> Found:
    waiting = facts.unreceipted(subject.store, subject.training_class.id, subject.destinations)
    return Found(
        "met",
        f"录像存于本机，不依赖网络；待上报记录{waiting}条",
        f"the video is kept here, with or without a network; {waiting} records wait for their receipt",
    )


def _registered(subject: Subject, limit: EffectiveLimit) -> Found:
    teachers = [person for person in subject.people if person.role == "teacher"]
    found = sum(facts.is_registered(subject.store, person.id) for person in teachers)
    return Found(
        "met" if teachers and found == len(teachers) else "not_met",
        f"教师{len(teachers)}人，人社部门已核对在师资库{found}人",
        f"{found} of {len(teachers)} teachers found in the provincial register by HR staff",
    )


def _opening(subject: Subject, limit: EffectiveLimit) -> Found:
    opening = subject.attendance.opening
    if opening is None:
        return Found("not_yet", "开班日本机没有上过课", "no lesson was held here on the opening day")
    return Found(
        "met",
        f"开班日{opening.day}实到{_range(opening.trainees)}人，在册{subject.plan.trainees}人",
        f"{_range(opening.trainees)} were there on {opening.day}, {subject.plan.trainees} are on the list",
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


def _inspections(subject: Subject, limit: EffectiveLimit) -> Found:
    checks, passed = facts.spot_checks(subject.store, subject.training_class.id)
    views = facts.views(subject.store, subject.training_class.id)
    entered = inspections.inspections(subject.store, subject.training_class.id)
    on_site = sum(each.kind in ON_SITE for each in entered)
    least = 1.0 if limit.limit is True else number(limit)
    return Found(
        # What is not entered here may stand in the provincial system: it is not said to be missing.
        "met" if on_site >= least else "not_here",
        f"已录入实地检查或随机抽查{on_site}次、远程{len(entered) - on_site}次；"
        f"本机抽查{checks}次（通过{passed}次），查看录像{views}次",
        f"{on_site} inspections on the spot and {len(entered) - on_site} remote ones are entered; here "
        f"{checks} spot checks ({passed} passed), footage opened {views} times",
    )


def _online_supervision(subject: Subject, limit: EffectiveLimit) -> Found:
    views = facts.views(subject.store, subject.training_class.id)
    return Found(
        "met",
        f"网页可实时巡查、回放、查看签到；本班录像已查看{views}次",
        f"live view, playback and check-ins are on the page; footage of this class was opened {views} times",
    )


def _permitted(subject: Subject, limit: EffectiveLimit) -> Found:
    return Found(
        "not_here", "允许；由人社部门决定是否采用", "permitted; HR decides whether it is made use of"
    )


def _local_platforms(subject: Subject, limit: EffectiveLimit) -> Found:
    count = len(subject.destinations)
    names = "、".join(subject.destinations) or "—"
    return Found("met", f"允许；上报{count}处：{names}", f"permitted; {count} destinations: {names}")


def _range(value: Between) -> str:
    summed = total([value])
    return f"{summed.at_least}" if summed.is_certain else f"{summed.at_least}–{summed.at_most}"


def _years_after(day: date, years: float) -> date:
    whole = -int(-years // 1)
    try:
        return day.replace(year=day.year + whole)
    except ValueError:  # 29 February
        return date(day.year + whole, 3, 1)


EVIDENCE: Final[Mapping[str, Judge]] = {
    "recorded_evidence": _recorded,
    "theory_video": _video,
    "practical_video": _video,
    "examination_video": _video,
    "make_up_video": _video,
    "make_up_counts": _make_up_counts,
    "not_shown_times": _not_shown,
    "not_shown_class_hours": _not_shown,
    "impostor_attendances": _impostors,
    "video_retention": _retention,
    "check_in_record_retention": _retention,
    "copies": _copies,
    "own_video_during_maintenance": _own_video,
    "registered_teachers": _registered,
    "opening_head_count": _opening,
    "head_count_by_inspection": _average,
    "video_replaces_visits": _permitted,
    "checked_on_the_spot": _inspections,
    "inspections": _inspections,
    "remote_patrol": _online_supervision,
    "closed_places_by_recording": _permitted,
    "local_platforms": _local_platforms,
}

"""How a class stands with the rules of keeping, supervision and permissions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final

from agent.classes.inspections import ON_SITE
from agent.classes.lesson_plan import local
from agent.classes.rule_states import Found, Judge, Standing, Subject, number
from agent.policy import EffectiveLimit
from agent.store import configuration, copies, inspections
from agent.store import rule_facts as facts


def _retention(subject: Subject, limit: EffectiveLimit) -> Found:
    """R8, from the last lesson that this node knows of, or HR's word. What never was here is not kept."""
    is_video = limit.subject == "video_retention"
    chosen = configuration.value(
        subject.store, "retention.video_years" if is_video else "retention.checkin_years"
    )
    years = max(number(limit), float(chosen) if isinstance(chosen, int) else 0.0)
    end_us = max((session.planned_end_us for session in subject.sessions), default=None)
    if end_us is None or not (subject.is_over or len(subject.held) == len(subject.sessions)):
        return Found(
            "not_yet",
            f"培训结束后保管{years:g}年；培训尚未结束",
            f"kept {years:g} years from the training's end, which is still to come",
        )
    stated = facts.stated_end(subject.store, subject.training_class.id)
    end = max(local(end_us).date(), date.min if stated is None else date.fromisoformat(stated))
    until = _years_after(end, years)
    is_done = local(subject.now_us).date() >= until
    early = 0 if is_done or not is_video else facts.expired_segments(subject.store, subject.training_class.id)
    known = subject.filmed if is_video else subject.attended
    standing: Standing = "not_met" if early else "met" if is_done else "not_yet"
    if not early and not known:
        standing = "not_here"
    zh, en = ("录像", "footage") if is_video else ("签到记录", "check-ins")
    return Found(
        standing,
        f"{end}结束，保管{years:g}年，至{until}；{len(subject.held)}次课中{len(known)}次有{zh}"
        + (f"；提前删除的录像文件{early}个" if is_video else ""),
        f"ended {end}, kept {years:g} years until {until}; "
        f"{len(known)} of {len(subject.held)} lessons have {en}"
        + (f"; {early} video files went before" if is_video else ""),
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
        standing = subject.at_the_end
    return Found(
        standing,
        f"录像文件{len(segments)}个，本机保管；副本已核对：{names}；须有一份由人社部门保管；"
        "签到等记录的副本见 copies status",
        f"{len(segments)} video files here; copies verified: {names_en}; one must be in HR's custody; "
        "where the copies of the records with the check-ins stand says `copies status`",
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


def _permitted(subject: Subject, limit: EffectiveLimit) -> Found:
    return Found(
        "not_here", "允许；由人社部门决定是否采用", "permitted; HR decides whether it is made use of"
    )


def _local_platforms(subject: Subject, limit: EffectiveLimit) -> Found:
    count = len(subject.destinations)
    names = "、".join(subject.destinations) or "—"
    return Found(
        "not_here", f"允许；本机上报{count}处：{names}", f"permitted; {count} destinations here: {names}"
    )


def _years_after(day: date, years: float) -> date:
    whole = -int(-years // 1)
    try:
        return day.replace(year=day.year + whole)
    except ValueError:  # 29 February
        return date(day.year + whole, 3, 1)


EVIDENCE: Final[Mapping[str, Judge]] = {
    "video_retention": _retention,
    "check_in_record_retention": _retention,
    "copies": _copies,
    "video_replaces_visits": _permitted,
    "checked_on_the_spot": _inspections,
    "inspections": _inspections,
    "closed_places_by_recording": _permitted,
    "local_platforms": _local_platforms,
}

"""The verdict of each class hour as its lesson's page says it, and what follows for the class (R6)."""

from __future__ import annotations

from dataclasses import dataclass

from agent.store import visibility
from agent.store.classes import Session
from agent.store.database import Store
from agent.store.visibility import HourVerdict, VerdictFrame, VerdictKind
from agent.visibility.blindness import is_blind
from agent.visibility.count_checks import pictures_to_count
from agent.visibility.orders import trusts
from agent.visibility.strikes import Standing, standing_of
from agent.web.alerts import Alert
from agent.web.locale import N_, Words

VERDICTS: dict[VerdictKind, tuple[str, str]] = {
    "shown": ("good", N_("全员可见")),
    "not_shown": ("bad", N_("未显示全员")),
    "uncertain": ("warn", N_("无法确定")),
}
REASONS: dict[str, str] = {
    "sustained_lower_bound": N_("看不见的至多一人（把握为百分之九十九），人数与应到相符"),
    "sustained_upper_bound": N_("可见人数的上限始终低于应到人数"),
    "neither_bound": N_("上下限都不足以断定"),
    "more_than_expected": N_("画面人数多于签到人数：来访者不能顶替看不见的学员"),
    "no_expectation": N_("没有签到，不知应到几人"),
    "nobody_expected": N_("这一课时无人应到"),
    "no_pictures": N_("没有可用的画面计数"),
    "too_few_pictures": N_("可用的画面太短"),
    "detector_not_for_verdicts": N_("设备的计数在本教室还未获信任，由人决定"),
    "upper_bound_unproven": N_("设备的上限在本教室不准过，未显示全员须由人决定"),
    "more_than_proven": N_("应到人数多于数人时核实过的人数，须由人决定"),
    "class_too_small": N_("应到不足十人，人少时计数证明不了全员可见，须由人决定"),
    "fewer_than_proven": N_("应到人数远少于数人时核实过的人数，须由人决定"),
}
SUPERSEDED: dict[str, str] = {
    "clock_corrected": N_("时钟已更正"),
    "footage_indexed": N_("有录像补入索引"),
    "pictures_counted": N_("计数、遮罩或摄像头状态有变"),
    "pictures_caught_up": N_("漏数的画面已由录像补数"),
    "expectation_changed": N_("签到有变"),
    "lesson_changed": N_("课表有改动"),
    "trust_changed": N_("本教室的信任有变"),
    "judged_anew": N_("重新判定"),
}
"""Why a verdict took another's place."""
MEASURES = {"seats": N_("按座位累计"), "crowd": N_("按走动人群，区间更宽")}


@dataclass(frozen=True, slots=True)
class ShownHour:
    """A class hour as the page shows it."""

    verdict: HourVerdict
    frames: tuple[VerdictFrame, ...]
    is_blind: bool
    """Whether people are still to count pictures of this lesson: until then nothing that the device found is
    shown."""
    to_count: bool
    """Whether they are pictures of this class hour."""


@dataclass(frozen=True, slots=True)
class VisibilityView:
    """What a lesson's page says of R6."""

    hours: tuple[ShownHour, ...]
    standing: Standing | None


def read_visibility(store: Store, session: Session) -> VisibilityView:
    """Of one lesson, and where its class stands."""
    blind = is_blind(store, session.id)
    hours = tuple(
        ShownHour(
            each,
            tuple(visibility.frames_of(store, each.device.id)),
            blind,
            bool(pictures_to_count(store, session.id, each.hour)),
        )
        for each in visibility.verdicts_of(store, session.id)
        if each.hour <= session.class_hours
    )
    return VisibilityView(hours, standing_of(store, session.class_id))


END_REASONS: dict[str, str] = {
    "withdrawn": N_("人社部门撤回"),
    "violated": N_("数人时发现设备的范围不对，依这次信任作出的判定都已失效，须由人决定"),
    "calibrated_anew": N_("教室重新标定了"),
    "detector_changed": N_("检测器或其权重换了"),
    "camera_moved": N_("摄像头被移动了"),
    "camera_changed": N_("摄像头换了"),
}
"""Why the device judges a room no more."""


def trust_alerts(store: Store, words: Words) -> list[Alert]:
    """Of each room that the device judges no more though nobody took the order back, until the next order;
    and of an earlier order that a count proved wrong since."""
    _ = words.gettext
    found, orders = [], trusts(store)
    newest = {each.room: each for each in orders}
    for each in orders:
        is_newest, proved_us = newest[each.room] is each, each.violated_at_us
        if each.end_reason in (None, "withdrawn") or not (
            is_newest or (proved_us is not None and proved_us >= newest[each.room].since_us)
        ):
            continue
        text = (
            _("%(room)s：设备不再判定本教室的课时：%(reason)s。见课次页“设备判定的依据”。")
            if is_newest
            else _("%(room)s：以前的一次信任：%(reason)s。见课次页“设备判定的依据”。")
        )
        values = {"room": each.room, "reason": _(END_REASONS[str(each.end_reason)])}
        found.append(Alert("bad" if each.end_reason == "violated" else "warn", text % values))
    return found


def strike_alerts(store: Store, words: Words) -> list[Alert]:
    """Of every class with verdicts that count or wait: after the first strike a warning, at the limit an
    alarm."""
    found = []
    for class_id, title in visibility.classes_with_strikes(store):
        found += _alerts_of(standing_of(store, class_id), title, words)
    return found


def _alerts_of(standing: Standing | None, title: str, words: Words) -> list[Alert]:
    if standing is None or (standing.count == 0 and standing.uncertain == 0):
        return []
    _ = words.gettext
    values = {"title": title, "count": standing.count, "limit": standing.limit, "left": standing.left}
    values["unit"] = _("次") if standing.unit == "times" else _("个课时")
    if standing.is_lost:
        text = _("%(title)s：录像未显示全员已达 %(count)d %(unit)s，达到取消本班补贴的标准（R6）。")
        return [Alert("bad", text % values)]
    if standing.count:
        text = _("%(title)s：录像未显示全员 %(count)d %(unit)s，再有 %(left)d %(unit)s将取消本班补贴（R6）。")
        return [Alert("warn", text % values)]
    text = _("%(title)s：%(count)d %(unit)s是否显示全员无法确定，请人社部门在课次页决定（R6）。")
    return [Alert("info", text % (values | {"count": standing.uncertain}))]

"""What would go, when and why: the dry run of retention, for people and as JSON."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from agent.archive import expiry
from agent.archive.entitlement import Due, Entitlement, Judgement, Kept
from agent.store import retention as table
from agent.store.clock import Corrections
from agent.store.database import Store

WHY: dict[str, tuple[str, str]] = {
    "training_ended": ("培训结束后的年限已满", "years after the class's end"),
    "no_session": ("不属于任何课次", "belongs to no lesson"),
    "unplaced": ("本机数据库说不清属于哪次课，按最长期限", "nobody can say of which lesson: longest time"),
    "open": ("班次正在上课", "a lesson of the class is on"),
    "planned": ("班次还有未上的课", "lessons of the class are still planned"),
    "hold": ("人社部门冻结", "on legal hold"),
    "no_end": ("班次没有课表", "the class has no timetable"),
    "policy": ("找不到适用的文件", "no notice says for how long"),
    "time_unknown": ("录制时间未经证实", "when it was recorded is not proven yet"),
    "unreported": ("记录尚未签名或接收方未回执", "not yet signed, or not yet confirmed by every receiver"),
}
"""Reasons in Chinese and English, by the judgement's own words."""


@dataclass
class Group:
    """Segments with one judgement. `due_us` None: kept without an end for now."""

    why: str
    classes: tuple[str, ...]
    due_us: int | None
    segments: int = 0
    bytes: int = 0
    seconds: float = 0.0
    copies: dict[str, int] = field(default_factory=dict)
    """Name → segments of the group that the copy holds."""

    def as_json(self) -> dict[str, Any]:
        return {
            "why": self.why,
            "classes": list(self.classes),
            "due_us": self.due_us,
            "segments": self.segments,
            "bytes": self.bytes,
            "hours": round(self.seconds / 3600, 3),
            "copies": self.copies,
        }


_Key = tuple[str, tuple[str, ...], int | None]


def _key(judged: Judgement) -> _Key:
    match judged:
        case Due():
            return judged.basis, judged.classes, judged.due_us
        case Kept():
            return judged.why, judged.classes, None


def plan(store: Store, rules: Entitlement) -> list[Group]:
    """Everything that is held, what goes first at the head; what is kept without an end last."""
    groups: dict[_Key, Group] = {}
    copies = {
        name: table.copy_keys(store, name, table.START, ("\x7f", 2**31)) for name in table.copy_names(store)
    }
    boots: dict[str, Corrections] = {}
    counted: defaultdict[_Key, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    for held in table.all_segments(store):
        there = [name for name, keys in copies.items() if held.key in keys]
        if held.expired_us is not None and not there:
            continue
        if held.boot_id not in boots:
            boots[held.boot_id] = Corrections.of(store, {held.boot_id})
        judged = expiry.judge(store, rules, held, boots[held.boot_id])
        key = _key(judged)
        group = groups.setdefault(key, Group(*key))
        if held.expired_us is None:
            group.segments += 1
            group.bytes += held.size
            group.seconds += (held.end_us - held.start_us) / 1e6
        for name in there:
            counted[key][name] += 1
    for key, group in groups.items():
        group.copies = dict(counted[key])
    return sorted(groups.values(), key=lambda each: (each.due_us is None, each.due_us or 0, each.classes))

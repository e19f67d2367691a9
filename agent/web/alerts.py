"""What somebody should know now: derived from the roles' status files, the disks, the clock and the log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import psutil

from agent import board
from agent.clock import Stamp
from agent.paths import Paths
from agent.role import roles_of
from agent.settings import Settings
from agent.store.overview import Gap, Receiver
from agent.web.camera_alerts import camera_alerts
from agent.web.locale import N_, Words
from agent.web.timeline import REASONS

STALE_AFTER_S = 10
"""A role reports every 2 s; five times that without a word means dead or hanging."""
LOW_SPACE_FACTOR = 4
"""Warn while there is still four times as much free as the recorder stops at."""
RECEIPT_PATIENCE_S = 600
LEDGER_PATIENCE = 100

Level = Literal["bad", "warn", "info"]
LEVELS: tuple[Level, ...] = ("bad", "warn", "info")
"""The worst first."""

ROLE_NAMES = {
    "ledger": N_("记录签名"),
    "keeper": N_("课次与保管"),
    "recorder": N_("录像"),
    "watch": N_("人数清点"),
    "checkin": N_("人脸签到"),
    "sync": N_("上报"),
    "archive": N_("副本与存储"),
    "web": N_("本页面"),
}
STATE_NAMES = {
    "running": N_("正常"),
    "starting": N_("启动中"),
    "waiting": N_("等待"),
    "fault": N_("故障"),
    "silent": N_("没有响应"),
}
LEVEL_NAMES = {"bad": N_("故障"), "warn": N_("警告"), "info": N_("提示")}


@dataclass(frozen=True, slots=True)
class Alert:
    """One line for people; `level` is shown as a word and a colour."""

    level: Level
    text: str


@dataclass(frozen=True, slots=True)
class RoleStatus:
    """How a role is, judged by its last word. `state` is "silent" when that is too old or missing."""

    role: str
    state: str
    message: str
    age_s: float | None
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system that the agent writes to, in bytes."""

    purpose: Literal["state", "video"]
    total: int
    free: int


def role_statuses(settings: Settings, paths: Paths, now: Stamp, words: Words) -> list[RoleStatus]:
    """Every role that this node should run."""
    return [_role_status(role, paths, now, words) for role in roles_of(settings)]


def _role_status(role: str, paths: Paths, now: Stamp, words: Words) -> RoleStatus:
    try:
        content = board.read_json(paths.status / f"{role}.json")
        if content is None:
            return RoleStatus(role, "silent", "", None, {})
        is_this_boot = content["boot_id"] == now.boot_id
        age_s = (now.monotonic_ns - int(content["monotonic_ns"])) / 1e9 if is_this_boot else None
        state = str(content["state"]) if age_s is not None and age_s <= STALE_AFTER_S else "silent"
        message = str(content["message"][words.language])
        return RoleStatus(role, state, message, age_s, dict(content["detail"]))
    except (OSError, ValueError, KeyError, TypeError):
        return RoleStatus(role, "silent", words.gettext("状态文件读不懂"), None, {})


def disks(paths: Paths) -> list[Disk]:
    """Free space of both folders; a folder that is not there counts as a disk of nothing."""
    found = []
    purposes: tuple[tuple[Literal["state", "video"], Any], ...] = (
        ("state", paths.state),
        ("video", paths.video),
    )
    for purpose, folder in purposes:
        try:
            usage = psutil.disk_usage(str(folder))
        except OSError:
            found.append(Disk(purpose, 0, 0))
        else:
            found.append(Disk(purpose, usage.total, usage.free))
    return found


def alerts(
    settings: Settings,
    statuses: list[RoleStatus],
    storage: list[Disk],
    now: Stamp,
    words: Words,
    *,
    open_gap: Gap | None,
    receivers: list[Receiver],
    head: int,
    unsigned_facts: int,
) -> list[Alert]:
    """Everything that is not as it should be, the worst first."""
    found = [
        *_of_roles(statuses, words),
        *_of_gap(open_gap, now, words),
        *_of_cameras(statuses, words),
        *_of_disks(settings, storage, words),
        *_of_clock(now, words),
        *_of_receivers(receivers, head, now, words),
    ]
    if unsigned_facts > LEDGER_PATIENCE:
        text = words.gettext("有 %(count)d 条事实等待签名，记录签名程序跟不上。")
        found.append(Alert("warn", text % {"count": unsigned_facts}))
    return sorted(found, key=lambda alert: LEVELS.index(alert.level))


def _of_roles(statuses: list[RoleStatus], words: Words) -> list[Alert]:
    _ = words.gettext
    found = []
    for status in statuses:
        role = _(ROLE_NAMES[status.role])
        if status.state == "silent":
            found.append(Alert("bad", _("“%(role)s”程序没有响应。") % {"role": role}))
        elif status.state == "fault":
            found.append(Alert("bad", _("%(role)s：%(message)s") % {"role": role, "message": status.message}))
        # The picture and the door disagree (R6); a client certificate runs out within the month; the disk
        # will be full on a day that can be foreseen.
        elif any(status.detail.get(key) for key in ("doubt", "certificate_expires", "storage")):
            found.append(
                Alert("warn", _("%(role)s：%(message)s") % {"role": role, "message": status.message})
            )
        elif status.state == "waiting" and status.message and not _waits_by_plan(status):
            found.append(
                Alert("info", _("%(role)s：%(message)s") % {"role": role, "message": status.message})
            )
    return found


def _waits_by_plan(status: RoleStatus) -> bool:
    """No lesson is on, so there is nothing to do: no news."""
    return status.role in ("keeper", "watch") or status.detail.get("recorder") == "paused"


def _of_cameras(statuses: list[RoleStatus], words: Words) -> list[Alert]:
    # A camera that was moved while no lesson is on is news too.
    states = {"recorder": ("running",), "watch": ("running", "waiting")}
    details = {
        status.role: status.detail for status in statuses if status.state in states.get(status.role, ())
    }
    found = camera_alerts(details.get("recorder", {}), details.get("watch", {}), words)
    return [Alert(level, text) for level, text in found]


def _of_gap(open_gap: Gap | None, now: Stamp, words: Words) -> list[Alert]:
    if open_gap is None:
        return []
    _ = words.gettext
    values = {
        "length": words.duration((now.wall_us - open_gap.start_us) / 1_000_000),
        "reason": _(REASONS.get(open_gap.reason, open_gap.reason)),
    }
    return [Alert("bad", _("录像已中断 %(length)s：%(reason)s。") % values)]


def _of_disks(settings: Settings, storage: list[Disk], words: Words) -> list[Alert]:
    _ = words.gettext
    found = []
    for disk in storage:
        name = _("录像盘") if disk.purpose == "video" else _("系统盘")
        free_mib = disk.free // 2**20
        if disk.total == 0:
            found.append(Alert("bad", _("%(disk)s不见了。") % {"disk": name}))
        elif free_mib < settings.storage.minimum_free_mib:
            text = _("%(disk)s已满，只剩 %(free)d MiB，录像已停止或即将停止。")
            found.append(Alert("bad", text % {"disk": name, "free": free_mib}))
        elif free_mib < LOW_SPACE_FACTOR * settings.storage.minimum_free_mib:
            text = _("%(disk)s快满了，只剩 %(free)d MiB。")
            found.append(Alert("warn", text % {"disk": name, "free": free_mib}))
    return found


def _of_clock(now: Stamp, words: Words) -> list[Alert]:
    if now.clock_state == "synchronised":
        return []
    text = words.gettext("时钟未同步：照常录像和签到，记录注明时间未经校准。")
    return [Alert("warn", text)]


def _of_receivers(receivers: list[Receiver], head: int, now: Stamp, words: Words) -> list[Alert]:
    _ = words.gettext
    found = []
    for receiver in receivers:
        lag = head - receiver.receipted_through - len(receiver.ahead)
        silent_s = None
        if receiver.last_receipt_us is not None:
            silent_s = (now.wall_us - receiver.last_receipt_us) / 1_000_000
        if lag > 0 and (silent_s is None or silent_s > RECEIPT_PATIENCE_S):
            text = _("%(name)s 已 %(length)s 没有回执，%(lag)d 条记录待回执（不会丢失）。")
            if silent_s is None:
                text = _("%(name)s 还没有任何回执，%(lag)d 条记录待回执（不会丢失）。")
            values = {"name": receiver.name, "lag": lag, "length": words.duration(silent_s or 0)}
            found.append(Alert("warn", text % values))
        if receiver.verdicts:
            text = _("%(name)s 判定 %(count)d 条记录有问题，见“记录”。")
            found.append(Alert("bad", text % {"name": receiver.name, "count": receiver.verdicts}))
    return found

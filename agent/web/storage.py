"""The page of the disk: what is on it, how long it lasts, what goes next, what is held, the copies."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from http import HTTPStatus
from typing import Any, Final, cast

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from agent.archive import usage
from agent.archive.clock_sight import DOUBTS, look
from agent.archive.clock_trust import Sight
from agent.archive.retention_plan import WHY
from agent.classes.binding import BindingError, bind, held_lesson
from agent.classes.unbinding import UnbindRefusedError, unbind
from agent.clock import Stamp
from agent.settings import Settings
from agent.store import bindings, classes, holds
from agent.store.classes import Session, SessionKind
from agent.store.database import Store
from agent.store.holds import Hold
from agent.web import alerts as alert_rules
from agent.web.clock import password_refusal
from agent.web.locale import N_, Words
from agent.web.login import client_address
from agent.web.names import KINDS
from agent.web.site import site_of, visit_of

WIDTH, HEIGHT = 1000, 160
"""User units of the drawing of days; it is stretched to the page's width."""
GIB = 2**30

BOUND: Final = {
    "bound": ("good", N_("已补录，这段录像随班次保存，并写入签名记录。")),
    "password": ("bad", N_("密码不对，没有改动。")),
    "wait": ("bad", N_("密码不对或尝试太多，请稍后再试。没有改动。")),
    "form": ("bad", N_("请核对日期、时间、类型和课时。没有补录。")),
    "refused": ("bad", N_("没有补录：班次不在本机、课还没结束、当时没有录像，或已有别的课次。")),
    "unbound": ("good", N_("补录已撤销并写入签名记录，录像又成为未排课的录像，删除前重新告知。")),
    "none": ("bad", N_("没有撤销：没有这次补录，或已经撤销。")),
    "reason": ("bad", N_("没有撤销：请写明原因，至多 500 字，不写身份证号。")),
    "check_ins": ("bad", N_("没有撤销：这次课已有签到、点名或疑似冒名的记录。")),
    "corrected": ("bad", N_("没有撤销：到课已经更正，请先撤回更正。")),
    "make_up": ("bad", N_("没有撤销：这次课对应着补课，请先取消补课安排。")),
    "decided": ("bad", N_("没有撤销：人社部门已判定这次课的画面，请先撤回判定。")),
    "hold": ("bad", N_("没有撤销：班次已冻结，请先解除冻结。")),
    "expired": ("bad", N_("没有撤销：录像已作为本班录像到期删除，签名记录以此为据。")),
}
"""What the form answered, by the word that the page's address carries."""

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Bar:
    """A day's footage in the drawing; `x`, `y`, `width`, `height` in user units."""

    day: date
    gib: float
    hours: float
    x: float
    y: float
    width: float
    height: float


def day_bars(days: list[dict[str, Any]]) -> list[Bar]:
    """One bar a day, the largest as high as the drawing; [] when nothing was recorded in them."""
    most = max((day["bytes"] for day in days), default=0)
    if not most:
        return []
    step = WIDTH / len(days)
    found = []
    for number, day in enumerate(days):
        height = round(HEIGHT * day["bytes"] / most, 1)
        shown = max(height, 2.0) if day["bytes"] else 0.0
        found.append(
            Bar(
                date.fromisoformat(day["day"]),
                day["bytes"] / GIB,
                day["hours"],
                round(number * step + step * 0.1, 2),
                round(HEIGHT - shown, 1),
                round(step * 0.8, 2),
                shown,
            )
        )
    return found


@router.get("/storage")
async def storage_page(request: Request) -> Response:
    site, words = site_of(request), visit_of(request).words
    now = site.clock.now()

    def work(store: Store) -> tuple[list[Hold], dict[str, str], list[Session], Sight]:
        titles = {each.id: each.title for each in classes.training_classes(store)}
        return holds.holds(store), titles, bindings.entered_afterwards(store), look(store, now)

    held, titles, entered, sight = await site.store.run(work)
    found = usage.read(site.paths.runtime)
    (disk,) = (each for each in alert_rules.disks(site.paths) if each.purpose == "video")
    return site.render(
        request,
        "storage.html",
        found=found,
        disk=disk,
        footage_share=_share(found["total"]["bytes"], disk.total) if found else 0.0,
        used_share=_share(disk.total - disk.free, disk.total),
        bars=day_bars(found["days"]) if found else [],
        titles=titles,
        holds=held,
        held_classes={each.class_id for each in held},
        doubt=_of_pair(DOUBTS[sight.doubt], words) if sight.doubt else None,
        hours_missing=sight.missing_ns / 3.6e12,
        why={key: _of_pair(pair, words) for key, pair in WHY.items()},
        gib=GIB,
        kinds=KINDS,
        entered=entered,
        bound=BOUND.get(request.query_params.get("bound", "")),
    )


@router.post("/storage/bind")
async def bind_footage(request: Request) -> Response:
    """HR staff enter a lesson that was held and whose footage belongs to nobody, with their password."""
    site, form = site_of(request), visit_of(request).form or {}
    stamp, address = site.clock.now(), client_address(request)

    def work(store: Store) -> str:
        refused = password_refusal(store, site.clock, form.get("password", ""), address)
        return refused or _bind(store, stamp, form, site.settings)

    answer = await site.logins.run(work)
    return RedirectResponse(f"/storage?bound={answer}#no-lesson", HTTPStatus.SEE_OTHER)


@router.post("/storage/unbind")
async def unbind_footage(request: Request) -> Response:
    """HR staff take back a lesson that was entered by mistake, with their password."""
    site, form = site_of(request), visit_of(request).form or {}
    stamp, address = site.clock.now(), client_address(request)

    def work(store: Store) -> str:
        refused = password_refusal(store, site.clock, form.get("password", ""), address)
        if refused is not None:
            return refused
        session, reason = form.get("session", "")[:64], form.get("reason", "")
        try:
            unbind(store, stamp, session, reason, simulated=site.settings.simulated)
        except UnbindRefusedError as error:
            return "none" if error.code in ("timetable", "taken_back") else error.code
        return "unbound"

    answer = await site.logins.run(work)
    return RedirectResponse(f"/storage?bound={answer}#no-lesson", HTTPStatus.SEE_OTHER)


def _bind(store: Store, stamp: Stamp, form: dict[str, str], settings: Settings) -> str:
    kind, hours = form.get("kind", ""), form.get("hours", "")
    if kind not in KINDS or not hours.isdecimal():
        return "form"
    day, start, end = (form.get(key, "")[:20] for key in ("day", "from", "to"))
    try:
        held = held_lesson(settings.node.room, cast("SessionKind", kind), day, start, end, int(hours[:4]))
    except BindingError:
        return "form"
    try:
        bind(store, stamp, form.get("class", ""), held, simulated=settings.simulated)
    except BindingError:
        return "refused"
    return "bound"


def _share(part: float, whole: float) -> float:
    """Of the drawing's width."""
    return round(WIDTH * min(1.0, part / whole), 1) if whole else 0.0


def _of_pair(pair: tuple[str, str], words: Words) -> str:
    return pair[0] if words.language == "zh" else pair[1]

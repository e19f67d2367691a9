"""Counting people by hand in pictures drawn by lot, and HR's order that the device judges this room (R6).

Whoever counts sees the picture and nothing that the device found in it; what it found is shown once the
number cannot be changed any more. HR staff alone; that a picture was opened is a record.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import RedirectResponse, Response

from agent.configuration.document import ConfigurationError, Visibility, current_configuration
from agent.store import check_ins, classes, trust
from agent.store.classes import TrainingClass
from agent.store.database import Store
from agent.store.trust import AskedHour, CountCheck, DrawnPicture, RoomTrust
from agent.visibility.count_checks import CountCheckError, is_settled, record_count
from agent.visibility.evidence import Evidence, evidence_of
from agent.visibility.looks import error_model
from agent.visibility.trust import Missing, TrustError, give, missing_of, standing_trust, withdraw
from agent.web.clock import password_refusal
from agent.web.gate import HR_ACCOUNT
from agent.web.locale import N_
from agent.web.login import client_address
from agent.web.sessions import parse_uuid
from agent.web.site import site_of, visit_of
from agent.web.verdicts import END_REASONS

ROOM_PAGE: Final = "/visibility/checks"
ANSWERS: Final = {
    "counted": ("good", N_("已记下，十分钟内可以改正。")),
    "uncountable": ("good", N_("已记下：这张数不清。")),
    "trusted": ("good", N_("已下令：此后开始的课时由设备判定，并写入签名记录。")),
    "withdrawn": ("good", N_("已撤回信任，并写入签名记录。")),
    "unseen": ("bad", N_("请先打开画面再填人数。")),
    "password": ("bad", N_("密码不对，没有记录。")),
    "wait": ("bad", N_("密码不对或尝试太多，请稍后再试。没有记录。")),
    "configuration": ("bad", N_("人社部门的配置读不了，没有记录。")),
    "count.no_picture": ("bad", N_("没有这张画面，或已到期销毁。")),
    "count.number": ("bad", N_("请填 0 到 1000 的人数。")),
    "count.settled": ("bad", N_("已过十分钟，结果已公开，不能再改。")),
    "count.so_already": ("bad", N_("已经是这样了。")),
    "trust.missing": ("bad", N_("证据不够，见下面缺什么。")),
    "trust.trusted": ("bad", N_("本教室已获信任。")),
    "trust.not_trusted": ("bad", N_("本教室现在没有信任可撤回。")),
    "trust.no_reason": ("bad", N_("须写明理由，最多 500 字，不写身份证号。")),
}
"""What a form answered, by the word that the page's address carries."""
LACKS: Final = {
    "calibration": N_("教室还没有有效的标定，先标定"),
    "hours": N_("已数 %(have)d 个课时，须 %(need)d 个"),
    "days": N_("已数 %(have)d 天，须 %(need)d 天"),
    "violated": N_("%(have)d 个课时设备的下限高于人数，须一个也没有：查明原因，重新标定后再数"),
    "answered": N_("抽到的课时只数了 %(have)d%%，须 %(need)d%%：不能挑着数"),
    "edited": N_("%(have)d 条人数与当时写入的记录不符，数据库被改过"),
}

router = APIRouter()


@dataclass(frozen=True, slots=True)
class RoomView:
    """Where the room stands."""

    evidence: Evidence
    missing: tuple[Missing, ...]
    needed: Visibility
    standing: RoomTrust | None
    ended: RoomTrust | None
    """The last order, when it is over."""
    bears_anyway: bool


@dataclass(frozen=True, slots=True)
class CountView:
    """One picture to be counted."""

    picture: DrawnPicture
    hour: AskedHour
    training_class: TrainingClass | None
    number: int
    """Among its class hour's pictures, from 1."""
    of: int
    checks: tuple[CountCheck, ...]
    is_settled: bool
    is_kept: bool


@router.get(ROOM_PAGE)
async def room_page(request: Request) -> Response:
    site = site_of(request)
    _require_hr(request)
    room, now_us = site.settings.node.room, site.clock.now().wall_us

    def work(store: Store) -> RoomView:
        try:
            needed = current_configuration(store).visibility
        except ConfigurationError:
            needed = Visibility()
        evidence, newest = evidence_of(store, room, now_us), trust.newest_trust(store, room)
        made = evidence.calibration
        return RoomView(
            evidence,
            missing_of(evidence, needed),
            needed,
            standing_trust(store, room),
            newest if newest is not None and newest.ended_us is not None else None,
            made is not None and error_model(made.detector) is not None,
        )

    view = await site.store.run(work)
    answer = ANSWERS.get(request.query_params.get("said", ""))
    return site.render(
        request, "count_checks.html", view=view, answer=answer, end_reasons=END_REASONS, lacks=LACKS
    )


@router.get(ROOM_PAGE + "/{photo_id}")
async def count_page(request: Request, photo_id: str) -> Response:
    site, identifier = site_of(request), parse_uuid(photo_id)
    _require_hr(request)
    now_us = site.clock.now().wall_us

    def work(store: Store) -> CountView | None:
        picture = trust.drawn(store, identifier)
        hour = None if picture is None else trust.asked_hour(store, picture.verdict_id)
        if picture is None or hour is None:
            return None
        beside = [each.photo_id for each in trust.drawn_of(store, picture.verdict_id)]
        checks = trust.checks_of(store, identifier)
        return CountView(
            picture,
            hour,
            classes.training_class(store, hour.class_id),
            beside.index(identifier) + 1,
            len(beside),
            tuple(checks),
            bool(checks) and is_settled(checks, now_us),
            trust.is_kept(store, identifier),
        )

    view = await site.store.run(work)
    if view is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    before = request.query_params.get("before", "")
    return site.render(
        request,
        "count_check.html",
        view=view,
        before=parse_uuid(before) if before else "",
        answer=ANSWERS.get(request.query_params.get("said", "")),
    )


@router.post(ROOM_PAGE + "/{photo_id}")
async def count(request: Request, photo_id: str) -> Response:
    """Enter a number, or that nobody can count them in this picture; the next picture follows."""
    site, form = site_of(request), visit_of(request).form or {}
    digest, identifier = visit_of(request).token_sha256, parse_uuid(photo_id)
    _require_hr(request)
    typed, cannot = form.get("people", "").strip(), form.get("cannot") == "1"
    room = site.settings.node.room

    def work(store: Store) -> tuple[str, str | None]:
        if not cannot and not (typed.isascii() and typed.isdecimal() and len(typed) <= 4):
            return "count.number", identifier
        if not check_ins.has_seen_photo(store, digest, identifier):
            return "unseen", identifier
        stamp = site.clock.now()
        try:
            record_count(store, stamp, identifier, None if cannot else int(typed), HR_ACCOUNT)
        except CountCheckError as error:
            return f"count.{error.code}", identifier
        return "uncountable" if cannot else "counted", _next(store, room, stamp.wall_us)

    word, next_photo = await site.logins.run(work)
    place = ROOM_PAGE if next_photo is None else f"{ROOM_PAGE}/{next_photo}"
    before = "" if next_photo in (None, identifier) else f"&before={identifier}"
    return RedirectResponse(f"{place}?said={quote(word)}{before}", HTTPStatus.SEE_OTHER)


def _next(store: Store, room: str, now_us: int) -> str | None:
    """The oldest picture that waits."""
    for hour in evidence_of(store, room, now_us).waiting:
        for look in hour.looks:
            if look.is_kept and not look.checks:
                return look.picture.photo_id
    return None


@router.post("/visibility/trust")
async def order(request: Request) -> Response:
    """HR's order, or its withdrawal; with the password."""
    site, form = site_of(request), visit_of(request).form or {}
    _require_hr(request)
    address, room = client_address(request), site.settings.node.room

    def work(store: Store) -> str:
        refused = password_refusal(store, site.clock, form.get("password", ""), address)
        if refused is not None:
            return refused
        try:
            if form.get("order") == "withdraw":
                withdraw(store, site.clock.now(), room, form.get("reason", ""), HR_ACCOUNT)
                return "withdrawn"
            give(store, site.clock.now(), room, HR_ACCOUNT)
        except TrustError as error:
            return f"trust.{error.code}"
        except ConfigurationError:
            return "configuration"
        return "trusted"

    word = await site.logins.run(work)
    return RedirectResponse(f"{ROOM_PAGE}?said={quote(word)}", HTTPStatus.SEE_OTHER)


def _require_hr(request: Request) -> None:
    visitor = visit_of(request).visitor
    if visitor is None or visitor.account != HR_ACCOUNT:
        raise HTTPException(HTTPStatus.NOT_FOUND)

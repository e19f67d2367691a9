"""The page of a room's calibration: count the people in some pictures, see what the device cannot count.

HR staff alone, with their password: the cut decides how many heads are found, and so whether a class keeps
its subsidy. What a technician fitted at the acceptance check is shown here as his.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import cv2
import numpy as np
from fastapi import APIRouter, HTTPException, Request
from starlette.responses import RedirectResponse, Response

from agent.store import calibration, classes, tamper
from agent.store.calibration import RoomCalibration
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.visibility.calibrating import share_of
from agent.visibility.room_calibration import (
    CalibrationError,
    Counter,
    calibrate,
    overlay,
    take_reference,
)
from agent.web.calibration_draft import KEPT_S, DraftError, DraftPicture
from agent.web.clock import password_refusal
from agent.web.gate import HR_ACCOUNT
from agent.web.locale import N_
from agent.web.login import client_address
from agent.web.site import Site, site_of, visit_of

ANSWERS: Final = {
    "taken": ("good", N_("已取一张画面，请数人。")),
    "counted": ("good", N_("已记下人数。")),
    "fitted": ("good", N_("已按本教室标定，并写入签名记录。")),
    "emptied": ("good", N_("已取参考画面和空教室误检位置，并写入签名记录。")),
    "cleared": ("good", N_("已清除所取的画面。")),
    "password": ("bad", N_("密码不对，没有标定。")),
    "wait": ("bad", N_("密码不对或尝试太多，请稍后再试。没有标定。")),
    "nothing": ("bad", N_("现在没有画面：录像和人数清点都须在运行。")),
    "same": ("bad", N_("还没有新的画面，请等几秒再取。")),
    "full": ("bad", N_("已取满，请先标定或清除。")),
    "large": ("bad", N_("画面文件太大，取不了。")),
    "changed": ("bad", N_("画面大小或检测器变了，请清除后重新取。")),
    "gone": ("bad", N_("这张画面已不在，请重新取。")),
    "number": ("bad", N_("请填 0 到 1000 的人数。")),
    "marks": ("bad", N_("标记读不懂，请重新标记。")),
    "uncounted": ("bad", N_("请先取画面并数人。")),
    "refused": ("bad", N_("没有标定：画面太暗、没有内容或大小不一。")),
}
"""What a form answered, by the word that the page's address carries."""

router = APIRouter()


@dataclass(frozen=True, slots=True)
class View:
    """What is in force, and whether the camera still has that view."""

    made: RoomCalibration | None
    in_force: bool
    has_reference: bool
    tampered: str | None
    blind_share: float


@router.get("/calibration")
async def calibration_page(request: Request) -> Response:
    site = site_of(request)
    _require_hr(request)
    room = site.settings.node.room

    def work(store: Store) -> View:
        made = calibration.newest_calibration(store, room)
        lasts = tamper.lasting(store, room)
        return View(
            made,
            calibration.calibration_of(store, room) is not None,
            calibration.reference_of(store, room) is not None,
            None if lasts is None else lasts.kind,
            0.0 if made is None else share_of(made.blind),
        )

    view = await site.store.run(work)
    return site.render(
        request,
        "calibration.html",
        view=view,
        pictures=list(enumerate(site.calibration.pictures)),
        counted=len(site.calibration.counted()),
        answer=ANSWERS.get(request.query_params.get("said", "")),
    )


@router.get("/calibration/picture/{number}")
async def picture(request: Request, number: str) -> Response:
    """A picture that was taken to be counted. That it was opened is a record, once a visitor."""
    site, digest = site_of(request), visit_of(request).token_sha256
    _require_hr(request)
    pictures = site.calibration.pictures
    if not (number.isascii() and number.isdecimal() and len(number) < 4 and int(number) < len(pictures)):
        raise HTTPException(HTTPStatus.NOT_FOUND)
    shown = pictures[int(number)]
    if site.calibration.is_first_view(digest, shown):
        await site.store.run(lambda store: _state_view(store, site, shown))
        site.calibration.note_view(digest, shown)
    return Response(shown.jpeg, media_type="image/jpeg")


def _state_view(store: Store, site: Site, shown: DraftPicture) -> None:
    session = classes.open_session(store, site.settings.node.room)
    fact = Fact(
        FactType.EVIDENCE_VIEWED,
        f"session/{session.id}" if session else "node",
        simulated=site.is_demonstration or shown.simulated,
        data={
            "account": HR_ACCOUNT,
            "what": "calibration-picture",
            "start_us": shown.at_us,
            "end_us": shown.at_us,
            "reason": "calibration",
            "note": "",
        },
        class_id=session.class_id if session else None,
        session_id=session.id if session else None,
    )
    with store.transaction():
        state_fact(store, site.clock.now(), fact)


@router.get("/calibration/coverage.jpg")
async def coverage(request: Request) -> Response:
    """The empty room with what the device does not see."""
    site = site_of(request)
    _require_hr(request)
    room = site.settings.node.room

    def work(store: Store) -> bytes | None:
        made, view = calibration.newest_calibration(store, room), calibration.reference_of(store, room)
        if made is None or view is None:
            return None
        grey = cv2.imdecode(np.frombuffer(view.grey_png, np.uint8), cv2.IMREAD_GRAYSCALE)
        if grey is None:
            return None
        # It was kept in one shape for all cameras; people see it in its own.
        size = (grey.shape[1], max(1, round(grey.shape[1] * view.height / view.width)))
        shown = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_LINEAR), np.uint8)
        encoded, jpeg = cv2.imencode(".jpg", overlay(shown, made))
        return jpeg.tobytes() if encoded else None

    jpeg = await site.store.run(work)
    if jpeg is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return Response(jpeg, media_type="image/jpeg")


@router.post("/calibration/take")
async def take(request: Request) -> Response:
    site = site_of(request)
    _require_hr(request)
    try:
        site.calibration.take(site.paths)
    except DraftError as error:
        return _answered(error.code)
    # They must go though nobody asks for the page again.
    asyncio.get_running_loop().call_later(KEPT_S + 1, site.calibration.expire)
    return _answered("taken", f"picture-{len(site.calibration.pictures) - 1}")


@router.post("/calibration/count")
async def count(request: Request) -> Response:
    site, form = site_of(request), visit_of(request).form or {}
    _require_hr(request)
    number = form.get("picture", "")
    try:
        chosen = int(number) if number.isascii() and number.isdecimal() and len(number) < 4 else -1
        site.calibration.count(chosen, form.get("people", ""), form.get("missed", ""), form.get("false", ""))
    except DraftError as error:
        return _answered(error.code)
    return _answered("counted", f"picture-{number}")


@router.post("/calibration/clear")
async def clear(request: Request) -> Response:
    _require_hr(request)
    site_of(request).calibration.clear()
    return _answered("cleared")


@router.post("/calibration/fit")
async def fit(request: Request) -> Response:
    """Calibrate: with the pictures that were counted, or with what was taken of the empty room."""
    site, form = site_of(request), visit_of(request).form or {}
    _require_hr(request)
    address, is_empty = client_address(request), form.get("kind") == "empty"
    taken = list(site.calibration.pictures)
    counted = site.calibration.counted()
    room = site.settings.node.room

    def work(store: Store) -> str:
        if not (taken if is_empty else counted):
            return "uncounted"
        refused = password_refusal(store, site.clock, form.get("password", ""), address)
        if refused is not None:
            return refused
        counter = Counter(taken[0].detector, taken[0].cut)
        simulated = site.settings.simulated or any(each.simulated for each in taken)
        try:
            with store.transaction():
                reference = None
                if is_empty:
                    greys = [_grey(each) for each in taken]
                    reference = take_reference(store, room, greys, taken[-1].at_us, simulated=simulated)
                calibrate(
                    store,
                    site.clock.now(),
                    room,
                    "hr",
                    counter,
                    () if is_empty else counted,
                    empty=[each.as_counted(0) for each in taken] if is_empty else (),
                    reference_id=reference,
                    simulated=simulated,
                )
        except CalibrationError:
            return "refused"
        return "emptied" if is_empty else "fitted"

    word = await site.logins.run(work)
    if word in ("fitted", "emptied"):
        site.calibration.clear()
    return _answered(word)


def _grey(picture: DraftPicture) -> np.ndarray:
    grey = cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    if grey is None:
        raise CalibrationError("画面读不了 / the picture cannot be read")
    return np.asarray(grey, np.uint8)


def _answered(word: str, place: str = "") -> Response:
    anchor = f"#{place}" if place else ""
    return RedirectResponse(f"/calibration?said={word}{anchor}", HTTPStatus.SEE_OTHER)


def _require_hr(request: Request) -> None:
    visitor = visit_of(request).visitor
    if visitor is None or visitor.account != HR_ACCOUNT:
        raise HTTPException(HTTPStatus.NOT_FOUND)

"""Counting people by hand in pictures drawn by lot (R6).

Whoever counts sees the pictures of a class hour and nothing that the device found in it, reads over what
they typed, and hands all of it in at once; what the device found is shown from then on, and no number is
changed any more. HR staff alone; that a picture was opened is a record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import RedirectResponse, Response

from agent.store import check_ins, classes, trust
from agent.store.classes import TrainingClass
from agent.store.database import Store
from agent.store.trust import AskedHour
from agent.visibility.asked_hours import Look, counted_hour
from agent.visibility.blindness import is_blind
from agent.visibility.count_checks import (
    MOST_PEOPLE,
    CountCheckError,
    hand_in,
    hand_in_second,
    pictures_to_count,
)
from agent.visibility.evidence import evidence_of
from agent.web.gate import HR_ACCOUNT
from agent.web.locale import N_
from agent.web.sessions import parse_uuid
from agent.web.site import site_of, visit_of

ROOM_PAGE: Final = "/visibility/checks"
ODD_PEOPLE: Final = 3
"""Two counts of one class hour that differ by more, and by more than a third, are asked about."""
ANSWERS: Final = {
    "handed_in": ("good", N_("已交出，并写入签名记录。")),
    "second": ("good", N_("重数的人数已写入签名记录，第一次填的仍然有效。")),
    "trusted": ("good", N_("已下令：此后开始的课时由设备判定，并写入签名记录。")),
    "withdrawn": ("good", N_("已撤回信任，并写入签名记录。")),
    "unseen": ("bad", N_("请先打开每一张画面再交。")),
    "password": ("bad", N_("密码不对，没有记录。")),
    "wait": ("bad", N_("密码不对或尝试太多，请稍后再试。没有记录。")),
    "configuration": ("bad", N_("人社部门的配置读不了，没有记录。")),
    "count.no_picture": ("bad", N_("没有这张画面，或已到期销毁。")),
    "count.number": ("bad", N_("每张请填 0 到 1000 的人数，或选“数不清”，二者之一。")),
    "count.handed_in": ("bad", N_("这个课时的人数已交出，不能再改。")),
    "count.pictures": ("bad", N_("须一次交出这个课时的每一张画面。")),
    "count.not_handed_in": ("bad", N_("这个课时的人数还没有交出。")),
    "count.again": ("bad", N_("这个课时已经重数过一次。")),
    "count.no_reason": ("bad", N_("须写明理由，最多 500 字，不写身份证号。")),
    "trust.missing": ("bad", N_("证据不够，见下面缺什么。")),
    "trust.trusted": ("bad", N_("本教室已获信任。")),
    "trust.stale": ("bad", N_("其间有别的令，没有记录：看过再下令。")),
    "trust.not_trusted": ("bad", N_("本教室现在没有信任可撤回。")),
    "trust.clock": ("bad", N_("没有人为本机时钟担保，先对时。没有记录。")),
    "trust.no_reason": ("bad", N_("须写明理由，最多 500 字，不写身份证号。")),
}
"""What a form answered, by the word that the page's address carries."""
router = APIRouter()


@dataclass(frozen=True, slots=True)
class CountView:
    """The drawn pictures of one class hour."""

    hour: AskedHour
    training_class: TrainingClass | None
    looks: tuple[Look, ...]
    waits: bool
    """Whether they are to be counted; else what was counted stands, or they are destroyed."""
    is_open: bool
    """Whether what the device found is shown: not while another class hour of the lesson waits."""
    may_be_second: bool
    """Whether a second count may be stated."""


@router.get(ROOM_PAGE + "/{session_id}/{hour}")
async def count_page(request: Request, session_id: str, hour: str) -> Response:
    """The pictures of a class hour and a field for each; with `review`, what was typed is read over, with
    `second`, too, that of a second count."""
    site, identifier, number = site_of(request), parse_uuid(session_id), parse_hour(hour)
    require_hr(request)
    view = await site.store.run(lambda store: _read_hour(store, identifier, number))
    if view is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    query = request.query_params
    typed, said = _typed(view, query), query.get("said", "")
    is_second = "second" in query and view.may_be_second
    is_review = "review" in query and (view.waits or is_second)
    if is_review and typed is None:
        said = "count.number"
    return site.render(
        request,
        "count_check.html",
        view=view,
        form=query,
        typed=typed if is_review else None,
        is_second=is_second,
        is_odd=_is_odd(typed),
        before=place_of(query.get("before", "")),
        answer=ANSWERS.get(said),
    )


@router.post(ROOM_PAGE + "/{session_id}/{hour}")
async def count(request: Request, session_id: str, hour: str) -> Response:
    """Hand in what was counted in the pictures of a class hour; the next class hour follows."""
    site, form = site_of(request), visit_of(request).form or {}
    identifier, number = parse_uuid(session_id), parse_hour(hour)
    digest, here = visit_of(request).token_sha256, f"{ROOM_PAGE}/{identifier}/{number}"
    require_hr(request)
    room = site.settings.node.room

    def work(store: Store) -> tuple[str, str]:
        view = _read_hour(store, identifier, number)
        if view is None:
            return ROOM_PAGE, "count.no_picture"
        if not view.waits:
            return here, "count.handed_in"
        counts = _counts(store, view, form, digest)
        if isinstance(counts, str):
            return here, counts
        try:
            hand_in(store, site.clock.now(), identifier, number, counts, HR_ACCOUNT)
        except CountCheckError as error:
            return here, f"count.{error.code}"
        return _next(store, room), "handed_in"

    place, word = await site.logins.run(work)
    before = f"&before={identifier}/{number}" if word == "handed_in" else ""
    return RedirectResponse(f"{place}?said={quote(word)}{before}", HTTPStatus.SEE_OTHER)


@router.post(ROOM_PAGE + "/{session_id}/{hour}/second")
async def count_second(request: Request, session_id: str, hour: str) -> Response:
    """State a second count of a class hour whose first was mistyped, with a reason."""
    site, form = site_of(request), visit_of(request).form or {}
    identifier, number, digest = parse_uuid(session_id), parse_hour(hour), visit_of(request).token_sha256
    require_hr(request)

    def work(store: Store) -> str:
        view = _read_hour(store, identifier, number)
        if view is None:
            return "count.no_picture"
        counts = _counts(store, view, form, digest)
        if isinstance(counts, str):
            return counts
        try:
            reason = form.get("reason", "")
            hand_in_second(store, site.clock.now(), identifier, number, counts, reason, HR_ACCOUNT)
        except CountCheckError as error:
            return f"count.{error.code}"
        return "second"

    word = await site.logins.run(work)
    anew = "" if word == "second" else "&second=1"
    place = f"{ROOM_PAGE}/{identifier}/{number}?said={quote(word)}{anew}"
    return RedirectResponse(place, HTTPStatus.SEE_OTHER)


def _read_hour(store: Store, session_id: str, hour: int) -> CountView | None:
    drawn = trust.drawn_of_hour(store, session_id, hour)
    asked = trust.asked_hour(store, drawn[0].verdict_id) if drawn else None
    if asked is None:
        return None
    waits, counted = bool(pictures_to_count(store, session_id, hour)), counted_hour(store, session_id, hour)
    seconds = {} if counted is None else {look.picture.photo_id: look.second for look in counted.looks}
    looks = tuple(
        Look(
            each,
            trust.check_of(store, each.photo_id),
            trust.is_kept(store, each.photo_id),
            second=seconds.get(each.photo_id),
        )
        for each in drawn
    )
    known = classes.training_class(store, asked.class_id)
    may_be_second = (
        counted is not None
        and counted.is_handed_in
        and not counted.is_counted_again
        and any(look.is_kept and look.check is not None for look in looks)
    )
    return CountView(asked, known, looks, waits, not is_blind(store, session_id), may_be_second)


def _typed(view: CountView, form: Mapping[str, str]) -> dict[str, int | None] | None:
    """Photo → what was typed for it, of each picture that is left; None when one is missing or no number."""
    found: dict[str, int | None] = {}
    for look in view.looks:
        photo = look.picture.photo_id
        if not look.is_kept:
            continue
        people, cannot = form.get(f"people.{photo}", "").strip(), form.get(f"cannot.{photo}") == "1"
        is_number = people.isascii() and people.isdecimal() and len(people) <= 4
        if cannot == bool(people) or not (cannot or (is_number and int(people) <= MOST_PEOPLE)):
            return None
        found[photo] = None if cannot else int(people)
    return found


def _counts(
    store: Store, view: CountView, form: Mapping[str, str], digest: bytes
) -> dict[str, int | None] | str:
    """What was typed, by somebody who opened each picture that is left; else what is in the way, for ANSWERS.
    The same of a first and a second count: the device's bounds stand on the page of the second."""
    counts = _typed(view, form)
    if counts is None:
        return "count.number"
    if not all(check_ins.has_seen_photo(store, digest, photo) for photo in counts):
        return "unseen"
    return counts


def _is_odd(typed: Mapping[str, int | None] | None) -> bool:
    """Whether the pictures of one class hour were counted so differently that a number may be mistyped. Of
    what was typed alone, so it tells nothing of the device."""
    numbers = [people for people in (typed or {}).values() if people is not None]
    return bool(numbers) and max(numbers) - min(numbers) > max(ODD_PEOPLE, max(numbers) // 3)


def _next(store: Store, room: str) -> str:
    """The page of the oldest class hour that waits, or of the room."""
    waiting = evidence_of(store, room).waiting
    if not waiting:
        return ROOM_PAGE
    return f"{ROOM_PAGE}/{waiting[0].asked.session_id}/{waiting[0].asked.hour}"


def parse_hour(text: str) -> int:
    """HTTPException 404 for what is no number of a class hour."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 3):
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return int(text)


def place_of(text: str) -> str:
    """`LESSON/HOUR` of the class hour counted before; '' for none."""
    session_id, _, hour = text.partition("/")
    return f"{parse_uuid(session_id)}/{parse_hour(hour)}" if text else ""


def require_hr(request: Request) -> None:
    """HTTPException 404 for everybody else."""
    visitor = visit_of(request).visitor
    if visitor is None or visitor.account != HR_ACCOUNT:
        raise HTTPException(HTTPStatus.NOT_FOUND)

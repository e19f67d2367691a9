"""What people's counts say of the device in this room, and HR's order that it judges the room (R6).

A room that counts has thousands of class hours after some years: a page shows some of them, and asks of each
once. HR staff alone.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Literal
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import RedirectResponse, Response

from agent.configuration.document import ConfigurationError, Visibility, current_configuration
from agent.store.database import Store
from agent.visibility.asked_hours import CountedHour
from agent.visibility.blindness import is_blind
from agent.visibility.evidence import Evidence, evidence_of
from agent.visibility.looks import error_model
from agent.visibility.orders import RoomTrust, newest_trust, state_of
from agent.visibility.trust import Missing, TrustError, give_within, hours_needed, missing_of, withdraw
from agent.web.clock import password_refusal
from agent.web.count_checks import ANSWERS, ROOM_PAGE, parse_hour, place_of, require_hr
from agent.web.gate import HR_ACCOUNT
from agent.web.locale import N_
from agent.web.login import client_address
from agent.web.site import site_of, visit_of
from agent.web.verdicts import END_REASONS

SHOWN: Final = 100
"""Class hours on one page."""
LACKS: Final = {
    "calibration": N_("教室还没有有效的标定，先标定"),
    "hours": N_("设备会判“全员可见”的课时已数 %(have)d 个，须 %(need)d 个"),
    "days": N_("已数 %(have)d 天，须 %(need)d 天"),
    "violated": N_("%(have)d 个课时设备的下限高于人数，须一个也没有：查明原因，重新标定后再数"),
    "partial": N_("%(have)d 节课只交出了一部分课时的人数：把其余的数完，没判定的等判定"),
    "disputed": N_("%(have)d 个课时的人数重数过，最多 %(need)d 个：重新标定后再数"),
    "away": N_(
        "%(have)d 个课时还没有判定，或画面还没有统计完，抽不到画面，按没数计：录像文件不在的，把录像盘接回；"
        "缺模型权重的，装上"
    ),
    "answered": N_("抽到的课时只数了 %(have)d%%，须 %(need)d%%：不能挑着数"),
    "edited": N_("%(have)d 张画面或其人数与当时写入的记录不符，数据库被改过：查明原因，重新标定后再数"),
}

State = Literal["waits", "blind", "no_evidence", "low", "high", "agrees"]

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Row:
    """A class hour of which pictures were drawn."""

    hour: CountedHour
    state: State
    is_blind: bool
    """Whether nothing that the device found in its lesson is shown yet."""


@dataclass(frozen=True, slots=True)
class RoomView:
    """Where the room stands."""

    evidence: Evidence
    missing: tuple[Missing, ...]
    needed: Visibility
    hours_needed: int
    """More than HR's value where a class hour is violated and disputed."""
    standing: RoomTrust | None
    ended: RoomTrust | None
    """The last order, when it is over."""
    after: str
    """What HR have seen of it who order anew from this page."""
    bears_anyway: bool
    rows: tuple[Row, ...]
    """Class hours of this page, the newest first."""
    page: int
    """From 0, the newest."""
    listed: int
    """Class hours on all pages."""
    waiting: tuple[CountedHour, ...]
    lower_violated: int
    upper_violated: int

    @property
    def first(self) -> int:
        """Number of the first row among all class hours, from 1."""
        return self.page * SHOWN + 1

    @property
    def has_older(self) -> bool:
        return self.page * SHOWN + len(self.rows) < self.listed


@router.get(ROOM_PAGE)
async def room_page(request: Request) -> Response:
    site = site_of(request)
    require_hr(request)
    room, page = site.settings.node.room, parse_hour(request.query_params.get("page", "0"))

    def work(store: Store) -> RoomView:
        try:
            needed = current_configuration(store).visibility
        except ConfigurationError:
            needed = Visibility()
        evidence, newest = evidence_of(store, room), newest_trust(store, room)
        made, is_over = evidence.calibration, newest is not None and newest.ended_us is not None
        listed, low = evidence.listed, evidence.lower_violated
        high = evidence.upper_violated
        shown = list(reversed(listed))[page * SHOWN : (page + 1) * SHOWN]
        return RoomView(
            evidence,
            missing_of(evidence, needed),
            needed,
            hours_needed(evidence, needed),
            None if is_over else newest,
            newest if is_over else None,
            state_of(newest),
            made is not None and error_model(made.detector) is not None,
            _rows(store, shown, low, high),
            page,
            len(listed),
            tuple(evidence.waiting),
            len(low),
            len(high),
        )

    view = await site.store.run(work)
    if page and not view.rows:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    answer = ANSWERS.get(request.query_params.get("said", ""))
    return site.render(
        request,
        "count_checks.html",
        view=view,
        answer=answer,
        before=place_of(request.query_params.get("before", "")),
        end_reasons=END_REASONS,
        lacks=LACKS,
    )


@router.post("/visibility/trust")
async def order(request: Request) -> Response:
    """HR's order, or its withdrawal; with the password."""
    site, form = site_of(request), visit_of(request).form or {}
    require_hr(request)
    address, room = client_address(request), site.settings.node.room

    def work(store: Store) -> str:
        refused = password_refusal(store, site.clock, form.get("password", ""), address)
        if refused is not None:
            return refused
        try:
            if form.get("order") == "withdraw":
                withdraw(store, site.clock.now(), room, form.get("reason", ""), HR_ACCOUNT)
                return "withdrawn"
            with store.transaction():
                if form.get("after") != state_of(newest_trust(store, room)):
                    return "trust.stale"
                give_within(store, site.clock.now(), room, HR_ACCOUNT)
        except TrustError as error:
            return f"trust.{error.code}"
        except ConfigurationError:
            return "configuration"
        return "trusted"

    word = await site.logins.run(work)
    return RedirectResponse(f"{ROOM_PAGE}?said={quote(word)}", HTTPStatus.SEE_OTHER)


def _rows(
    store: Store, shown: Collection[CountedHour], low: Collection[CountedHour], high: Collection[CountedHour]
) -> tuple[Row, ...]:
    """`low` and `high`: all class hours where people counted less, or more, than the device's bounds."""
    blind = {each for each in {hour.asked.session_id for hour in shown} if is_blind(store, each)}
    lower, upper = ({each.asked.verdict_id for each in group} for group in (low, high))

    def state(hour: CountedHour) -> State:
        if hour.waits:
            return "waits"
        if hour.asked.session_id in blind:
            return "blind"
        if not hour.is_counted:
            return "no_evidence"
        if hour.asked.verdict_id in lower:
            return "low"
        return "high" if hour.asked.verdict_id in upper else "agrees"

    return tuple(Row(hour, state(hour), hour.asked.session_id in blind) for hour in shown)

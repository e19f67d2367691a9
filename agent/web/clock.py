"""The clock on the health page: who keeps it, who vouches for it, and HR's comparison with a watch."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from itertools import pairwise

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from agent.clock import Clock, Stamp
from agent.configuration.credential import verify_password
from agent.store import access, clock_log
from agent.store.clock import Vouch, vouch
from agent.store.clock_log import Comparison, Correction, Stretch
from agent.store.database import Store
from agent.timekeeping.comparing import (
    NOTABLE_US,
    READING_S,
    WORST_READING_S,
    ComparisonError,
    compare,
    read_watch,
)
from agent.timekeeping.report import KEEPERS
from agent.web.locale import N_
from agent.web.login import ACCOUNT, client_address
from agent.web.site import Site, site_of, visit_of
from drivers import rtc, timekeeper, timesource
from drivers.timekeeper import Timekeeper

ANSWERS = {
    "recorded": ("good", N_("核对已记录，将写入签名记录。")),
    "password": ("bad", N_("密码不对，没有记录。")),
    "wait": ("bad", N_("密码不对或尝试太多，请稍后再试。没有记录。")),
    "time": ("bad", N_("时间或误差读不懂：时间写成 09:05:30，误差 1 到 3600 秒。没有记录。")),
    "differs": ("warn", N_("与设备时间相差超过 5 分钟。确认无误后请勾选“照此记录”再提交。没有记录。")),
}
"""What the form answered, by the word that the page's address carries."""

router = APIRouter()


@dataclass(frozen=True, slots=True)
class ClockView:
    """What the page shows of the clock."""

    kernel: timesource.Synchronisation | None
    keeper: Timekeeper
    keeper_name: str
    rtc_us: int | None
    vouch: Vouch | None
    comparison: Comparison | None
    steps: list[tuple[Stretch, int]]
    """Settings of the clock in this boot: what began then, and by how many microseconds it was set."""
    corrections: list[Correction]


async def read_clock(site: Site, now: Stamp) -> ClockView:
    """Database, kernel, time service and RTC; a time service that hangs is given up after two seconds."""
    keeper = await asyncio.to_thread(timekeeper.find)
    rtc_us = await asyncio.to_thread(rtc.read_us)

    def work(store: Store) -> ClockView:
        seen = clock_log.stretches(store, now.boot_id)
        return ClockView(
            kernel=_kernel(),
            keeper=keeper,
            keeper_name=KEEPERS[keeper.name],
            rtc_us=rtc_us,
            vouch=vouch(store, now),
            comparison=clock_log.newest_comparison(store),
            steps=[(b, b.offset_us - a.offset_us) for a, b in pairwise(seen)],
            corrections=clock_log.corrections(store, now.boot_id),
        )

    return await site.store.run(work)


def _kernel() -> timesource.Synchronisation | None:
    try:
        return timesource.read()
    except timesource.TimeSourceError:
        return None


@router.post("/health/clock-check")
async def clock_check(request: Request) -> Response:
    """HR staff give the time of their watch, with their password: who leaves a phone lying open lends nobody
    the word for the device's clock."""
    site, form = site_of(request), visit_of(request).form or {}
    stamp = site.clock.now()  # before the password is derived: that takes a second on a Pi
    address = client_address(request)

    def work(store: Store) -> str:
        refused = password_refusal(store, site.clock, form.get("password", ""), address)
        return refused or _record(store, stamp, form, simulated=site.settings.simulated)

    answer = await site.logins.run(work)
    return RedirectResponse(f"/health?clock={answer}#clock", HTTPStatus.SEE_OTHER)


def password_refusal(store: Store, clock: Clock, password: str, address: str) -> str | None:
    """None when the password is HR's. Wrong ones count as at the login, so that no other form is the easier
    one to guess at."""
    source, now_us = access.source_of(address), clock.now().wall_us
    with store.transaction():
        if access.remaining_wait_us(store, ACCOUNT, source, now_us):
            return "wait"
        access.count_failure(store, ACCOUNT, source, now_us)
    if not verify_password(store, password):
        return "password"
    with store.transaction():
        access.clear_failures(store, ACCOUNT, source)
    return None


def _record(store: Store, stamp: Stamp, form: dict[str, str], *, simulated: bool) -> str:
    uncertainty = form.get("uncertainty", str(READING_S))
    try:
        watch = read_watch(form.get("watch", ""))
        if not uncertainty.isdecimal() or not 1 <= int(uncertainty[:6]) <= WORST_READING_S:
            return "time"
        if abs(watch.us - stamp.wall_us) > NOTABLE_US and not form.get("sure"):
            return "differs"
        compare(
            store,
            stamp,
            watch,
            uncertainty_s=int(uncertainty),
            rtc_us=rtc.read_us(),
            simulated=simulated,
        )
    except ComparisonError:
        return "time"
    return "recorded"

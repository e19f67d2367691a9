"""A teacher's login: number and PIN, while the lesson is on that the door accepted this teacher in.

It opens nothing but the page on which the lesson's entries by PIN are confirmed (agent/web/gate.py).
"""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from agent.checkin.entry_decisions import teacher_in_charge
from agent.checkin.pins import TEACHER, try_pin
from agent.log import get_logger
from agent.store import access
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.store.vault import Vault, VaultError
from agent.web.gate import FORM_COOKIE, REVIEW_PAGE, SESSION_COOKIE, TEACHER_LOGIN_PAGE, cookie
from agent.web.login import client_address
from agent.web.site import Site, site_of, visit_of

TRIES = "teachers"
"""Under this name wrong tries are counted by address."""

log = get_logger(__name__)
router = APIRouter()


@router.get(TEACHER_LOGIN_PAGE)
async def teacher_login_page(request: Request) -> Response:
    return site_of(request).render(request, "teacher_login.html", failed="")


@router.post(TEACHER_LOGIN_PAGE)
async def teacher_login(request: Request) -> Response:
    site, form = site_of(request), visit_of(request).form or {}
    number, pin, address = form.get("number", "")[:8], form.get("pin", "")[:12], client_address(request)
    token, failed = await site.logins.run(lambda store: _attempt(store, site, number, pin, address))
    if token is None:
        status = HTTPStatus.TOO_MANY_REQUESTS if failed == "locked" else HTTPStatus.FORBIDDEN
        return site.render(request, "teacher_login.html", status, failed=failed)
    response = RedirectResponse(REVIEW_PAGE, HTTPStatus.SEE_OTHER)
    response.headers.append("set-cookie", cookie(SESSION_COOKIE, token))
    response.headers.append("set-cookie", cookie(FORM_COOKIE, "", max_age=0))
    return response


def _attempt(store: Store, site: Site, number: str, pin: str, address: str) -> tuple[str | None, str]:
    """A session's token; or None and why: `locked`, or `wrong`, which does not say what was.

    Each address has few tries of its own: nobody in the network uses up those of the people at the door.
    """
    source, now_us = access.source_of(address), site.clock.now().wall_us
    with store.transaction():
        if access.remaining_wait_us(store, TRIES, source, now_us) > 0:
            return None, "locked"
        access.count_failure(store, TRIES, source, now_us)
    try:
        tried = try_pin(store, Vault(site.paths.keys), site.clock.now(), number.strip(), pin.strip())
    except VaultError as error:
        log.warning("teacher.key-unusable", error=type(error).__name__)
        return None, "wrong"
    if tried.person_id is None:
        return None, "locked" if tried.is_locked else "wrong"
    now = site.clock.now()
    with store.transaction():
        if teacher_in_charge(store, site.settings.node.room, tried.person_id) is None:
            return None, "wrong"
        access.clear_failures(store, TRIES, source)
        access.tidy_sessions(store, now.wall_us)
        account = TEACHER + tried.person_id
        token = access.begin_session(store, account, now.wall_us)
        data = {"account": account, "address": source}
        state_fact(store, now, Fact(FactType.LOGIN, "node", site.settings.simulated, data))
    return token, ""

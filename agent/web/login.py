"""First start, login, logout. The only pages that a stranger sees."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from agent.clock import Clock
from agent.configuration import passwords
from agent.configuration.credential import PasswordError, set_first_password, verify_password
from agent.configuration.setup_code import setup_code_matches
from agent.log import get_logger
from agent.paths import Paths
from agent.store import access
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.web.gate import FORM_COOKIE, HR_ACCOUNT, LOGIN_PAGE, SESSION_COOKIE, SETUP_PAGE, cookie
from agent.web.locale import Language
from agent.web.site import site_of, visit_of

ACCOUNT = HR_ACCOUNT
SETUP_ACCOUNT = "setup"
START_PAGE = "/now"
LARGEST_SHARE_OF_REFUSALS = 0.2
"""Refused logins may not push everything else out of the record log."""

_NEXT = re.compile(r"^/(?!/)[A-Za-z0-9/_?=&:.,%-]{0,300}$")

log = get_logger(__name__)
router = APIRouter()


@dataclass(frozen=True, slots=True)
class Attempt:
    """How a login ended: with a token, or with a wait (0: may try again at once)."""

    token: str | None = None
    wait_us: int = 0


def attempt_login(store: Store, clock: Clock, *, password: str, address: str, simulated: bool) -> Attempt:
    """Try `password` from `address`; at most one guess for each wait, whatever is killed in between."""
    source = access.source_of(address)
    now = clock.now()
    with store.transaction():
        wait_us = access.remaining_wait_us(store, ACCOUNT, source, now.wall_us)
        if wait_us:
            return Attempt(wait_us=wait_us)
        failures, wait_us = access.count_failure(store, ACCOUNT, source, now.wall_us)
    is_right = verify_password(store, password)
    now = clock.now()
    with store.transaction():
        if is_right:
            access.clear_failures(store, ACCOUNT, source)
            access.tidy_sessions(store, now.wall_us)
            token = access.begin_session(store, ACCOUNT, now.wall_us)
            data = {"account": ACCOUNT, "address": source}
            state_fact(store, now, Fact(FactType.LOGIN, "node", simulated, data))
            return Attempt(token=token)
        share = access.share_of_recent_facts(store, FactType.LOGIN_REFUSED)
        if share < LARGEST_SHARE_OF_REFUSALS:
            refusal = {
                "account": ACCOUNT,
                "address": source,
                "failures": failures,
                "wait_seconds": wait_us // 1_000_000,
            }
            state_fact(store, now, Fact(FactType.LOGIN_REFUSED, "node", simulated, refusal))
    log.warning("login.refused", failures=failures, wait_seconds=wait_us // 1_000_000)
    return Attempt(wait_us=wait_us)


def attempt_setup(
    store: Store, clock: Clock, paths: Paths, *, code: str, password: str, address: str, simulated: bool
) -> int:
    """Set the first password; returns the wait in microseconds when tries from `address` must pause (then
    nothing was tried). PasswordError as `set_first_password`; only a wrong code counts as a failed try."""
    source = access.source_of(address)
    now_us = clock.now().wall_us
    with store.transaction():
        wait_us = access.remaining_wait_us(store, SETUP_ACCOUNT, source, now_us)
        if wait_us:
            return wait_us
        access.count_failure(store, SETUP_ACCOUNT, source, now_us)
    if setup_code_matches(paths.keys, code):
        with store.transaction():
            access.clear_failures(store, SETUP_ACCOUNT, source)
    set_first_password(store, clock.now(), paths.keys, code=code, password=password, simulated=simulated)
    return 0


@router.get(LOGIN_PAGE)
async def login_page(request: Request) -> Response:
    if visit_of(request).visitor is not None:
        return RedirectResponse(START_PAGE, HTTPStatus.SEE_OTHER)
    return site_of(request).render(
        request,
        "login.html",
        wait_us=0,
        failed=False,
        next=_next_of(request),
        first="first" in request.query_params,
    )


@router.post(LOGIN_PAGE)
async def login(request: Request) -> Response:
    site = site_of(request)
    form = visit_of(request).form or {}
    password = form.get("password", "")
    address = client_address(request)

    def work(store: Store) -> Attempt:
        return attempt_login(
            store, site.clock, password=password, address=address, simulated=site.is_demonstration
        )

    attempt = await site.logins.run(work)
    target = form.get("next", "")
    if attempt.token is None:
        status = HTTPStatus.TOO_MANY_REQUESTS if attempt.wait_us else HTTPStatus.FORBIDDEN
        response: Response = site.render(
            request,
            "login.html",
            status,
            wait_us=attempt.wait_us,
            failed=True,
            next=_safe_next(target),
            first=False,
        )
        if attempt.wait_us:
            response.headers["retry-after"] = str(attempt.wait_us // 1_000_000 + 1)
        return response
    response = RedirectResponse(_safe_next(target), HTTPStatus.SEE_OTHER)
    response.headers.append("set-cookie", cookie(SESSION_COOKIE, attempt.token))
    response.headers.append("set-cookie", cookie(FORM_COOKIE, "", max_age=0))
    return response


@router.post("/logout")
async def logout(request: Request) -> Response:
    digest = visit_of(request).token_sha256
    await site_of(request).store.run(lambda store: access.end_session(store, digest))
    response = RedirectResponse(LOGIN_PAGE, HTTPStatus.SEE_OTHER)
    response.headers.append("set-cookie", cookie(SESSION_COOKIE, "", max_age=0))
    return response


@router.get(SETUP_PAGE)
async def setup_page(request: Request) -> Response:
    site = site_of(request)
    if await site.store.run(access.password_is_set):
        return RedirectResponse(LOGIN_PAGE, HTTPStatus.SEE_OTHER)
    return _render_setup(request)


@router.post(SETUP_PAGE)
async def setup(request: Request) -> Response:
    site, visit = site_of(request), visit_of(request)
    _ = visit.words.gettext
    form = visit.form or {}
    password = form.get("password", "")
    if await site.store.run(access.password_is_set):
        return RedirectResponse(LOGIN_PAGE, HTTPStatus.SEE_OTHER)
    if password != form.get("again", ""):
        return _render_setup(request, [_("两次输入的密码不一样。")], HTTPStatus.BAD_REQUEST)
    address = client_address(request)

    def work(store: Store) -> int:
        return attempt_setup(
            store,
            site.clock,
            site.paths,
            code=form.get("code", ""),
            password=password,
            address=address,
            simulated=site.is_demonstration,
        )

    try:
        wait_us = await site.logins.run(work)
    except PasswordError as error:
        problems = [in_language(problem, visit.language) for problem in error.problems]
        return _render_setup(request, problems, HTTPStatus.BAD_REQUEST)
    if wait_us:
        text = _("设置码连续输错，请在 %(wait)s 后再试。") % {
            "wait": visit.words.duration(wait_us / 1_000_000)
        }
        return _render_setup(request, [text], HTTPStatus.TOO_MANY_REQUESTS)
    return RedirectResponse(f"{LOGIN_PAGE}?first", HTTPStatus.SEE_OTHER)


def _render_setup(
    request: Request, problems: list[str] | None = None, status: int = HTTPStatus.OK
) -> Response:
    return site_of(request).render(
        request, "setup.html", status, problems=problems or [], minimum=passwords.MINIMUM_LENGTH
    )


def in_language(line: str, language: Language) -> str:
    """The half of a bilingual `中文 / English` line that the visitor reads."""
    chinese, _, english = line.partition(" / ")
    return english or chinese if language == "en" else chinese


def client_address(request: Request) -> str:
    """The peer's address (never a forwarded one: there is no proxy, so that header would be a lie)."""
    if request.client is None:
        return "unknown"
    try:
        return str(ip_address(request.client.host.partition("%")[0]))
    except ValueError:
        return "unknown"


def _next_of(request: Request) -> str:
    return _safe_next(request.query_params.get("next", ""))


def _safe_next(target: str) -> str:
    """A page of our own to go to after the login; the start page for anything else."""
    return target if _NEXT.match(target) else START_PAGE

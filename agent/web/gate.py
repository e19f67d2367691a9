"""The one gate (I10): every request to the page passes here before any route sees it.

What is not named in `PUBLIC` needs a session of the page; what changes anything needs the form's token
besides. The gate stands outside the application, so that a route added later cannot slip past it, and it
answers unknown addresses like known ones: a stranger learns nothing about the routes.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
import sqlite3
import time
from hashlib import sha256
from http import HTTPStatus
from urllib.parse import parse_qsl, quote

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent.log import get_logger
from agent.store import access
from agent.store.access import Visitor
from agent.store.database import Store, StoreError
from agent.web.certificate import hostname
from agent.web.locale import pick_language
from agent.web.site import FORM_FIELD_TOKEN, Site, Visit
from agent.web.static_files import STATIC_FILES

HR_ACCOUNT = "hr"
SESSION_COOKIE = "__Host-session"
FORM_COOKIE = "__Host-form"
LANGUAGE_COOKIE = "__Host-language"

PUBLIC_PAGES = frozenset({"/login", "/login/teacher", "/setup"})
SETUP_PAGE = "/setup"
LOGIN_PAGE = "/login"
TEACHER_LOGIN_PAGE = "/login/teacher"
REVIEW_PAGE = "/review"
TEACHERS_MAY = re.compile(r"/review(/check-in/[^/]+(/photo)?)?|/logout")
"""All that a teacher in charge of the lesson may ask for; everything else is HR staff's."""

KIOSK_PAGE, KIOSK_EVENTS, KIOSK_PICTURE = "/kiosk", "/kiosk/events", "/kiosk/door.jpg"
KIOSK_PIN = "/kiosk/pin"
KIOSK = frozenset({KIOSK_PAGE, KIOSK_EVENTS, KIOSK_PICTURE, KIOSK_PIN})
"""Open without login to a browser on this very machine, the screen at the door, where the technician has one
(`web.kiosk`). They show who stands before the screen and no roster. Behind the login for everybody else."""

DOOR_ENROLMENT_STATE = "/people/door/state"

PASSIVE = KIOSK | {"/now/board", "/frames/rear.jpg", "/frames/door.jpg", DOOR_ENROLMENT_STATE}
"""Fetched by the page itself every second: no sign that somebody is there, so the idle time runs on."""
PASSIVE_OF_PLAYER = re.compile(r"/player/[^/]+/(timeline|index\.m3u8|media\.m3u8)")
"""A live player asks for these even while it is paused. While it plays it fetches footage: that counts."""

LOOK_AGAIN_S = 1.0
"""An answer that takes longer, a download, is sent on only while its visitor is still logged in. What takes
so long counts as somebody being there."""

LARGEST_FORM = 16 * 1024
UPLOADS = (
    (re.compile(r"/people/import/file/(class|roster)"), 5 << 20),
    (re.compile(r"/people/[^/]+/photos"), 20_000_000),
)
"""What takes a file as it is, its token in a header, and at most so many bytes: nothing of it is read as a
form."""
FORM_TOKEN_HEADER = "x-form-token"  # noqa: S105 (a header's name)
UNAVAILABLE = "数据库打不开，请稍后再试。录像不受影响。 / The database cannot be used now. Recording goes on."
_YEAR_S = 365 * 24 * 3600


PUBLIC = PUBLIC_PAGES | STATIC_FILES.keys()
"""The whole allow-list, besides `KIOSK` for the screen at the door."""

log = get_logger(__name__)


class SessionOverError(Exception):
    """The visitor logged out, or the session expired, while an answer was under way."""


class Gate:
    """ASGI: host, first start, session, forged forms; then the application. An answer that is still under
    way when its visitor's session ends is broken off."""

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self.app = app
        self._site = site
        self._password_is_set = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        request = Request(scope, receive)
        try:
            visit, cookies = await self._recognise(request)
            scope.setdefault("state", {})["visit"] = visit
            answer = await self._refuse(request, visit)
        except (sqlite3.OperationalError, StoreError) as error:  # nobody is let in on a guess
            log.warning("gate.database-unusable", error=str(error))
            await PlainTextResponse(UNAVAILABLE, HTTPStatus.SERVICE_UNAVAILABLE)(scope, receive, send)
            return
        if answer is None and request.method not in ("GET", "HEAD"):
            answer, receive = await _checked_form(request, visit)
        sender = _with_cookies(send, cookies)
        if answer is not None:
            await answer(scope, receive, sender)
            return
        try:
            await self.app(scope, receive, self._while_logged_in(request, visit, sender))
        except SessionOverError:  # not ended as announced, so the server closes the connection
            log.info("gate.answer-broken-off", path=request.url.path)

    def _while_logged_in(self, request: Request, visit: Visit, send: Send) -> Send:
        """`send` that raises SessionOverError once the visitor's session is over."""
        if visit.visitor is None:
            return send
        token, looked = request.cookies.get(SESSION_COOKIE, ""), time.monotonic()

        async def sender(message: Message) -> None:
            nonlocal looked
            if message["type"] == "http.response.body" and time.monotonic() - looked >= LOOK_AGAIN_S:
                looked = time.monotonic()
                if await self._visitor(request, token) is None:
                    raise SessionOverError
            await send(message)

        return sender

    async def _recognise(self, request: Request) -> tuple[Visit, list[str]]:
        """Who asks, in which language, and the cookies to give with the answer."""
        wanted = request.query_params.get("lang")
        language = pick_language(wanted, request.cookies.get(LANGUAGE_COOKIE))
        cookies = [cookie(LANGUAGE_COOKIE, language, max_age=_YEAR_S)] if wanted == language else []
        token = request.cookies.get(SESSION_COOKIE, "")
        visitor = await self._visitor(request, token) if token else None
        seed = token if visitor else request.cookies.get(FORM_COOKIE, "")
        if not seed:
            seed = secrets.token_urlsafe(32)
            cookies.append(cookie(FORM_COOKIE, seed))
        return Visit(language, sha256(b"form\0" + seed.encode()).hexdigest(), visitor), cookies

    async def _visitor(self, request: Request, token: str) -> Visitor | None:
        now_us = self._site.clock.now().wall_us
        idle_us = self._site.settings.web.idle_minutes * 60_000_000
        path = request.url.path
        is_active = path not in PASSIVE and not PASSIVE_OF_PLAYER.fullmatch(path)

        def look_up(store: Store) -> Visitor | None:
            visitor = access.find_visitor(store, token, now_us, idle_us)
            if visitor is not None and is_active:
                try:
                    access.touch_session(store, visitor, now_us)
                except (
                    sqlite3.OperationalError
                ) as error:  # reading goes on while the database cannot be written
                    log.warning("gate.session-not-touched", error=str(error))
            return visitor

        return await self._site.store.run(look_up)

    async def _refuse(self, request: Request, visit: Visit) -> Response | None:
        """The answer to a request that may not reach the application; None when it may."""
        _ = visit.words.gettext
        path = request.scope["path"]
        if not is_own_host(request.headers.get("host", "")):
            text = _("请用设备的 IP 地址或主机名打开本页。")
            return PlainTextResponse(text, HTTPStatus.MISDIRECTED_REQUEST)
        if path.startswith("/static/") and path in PUBLIC:
            return None
        if path in KIOSK and self._site.settings.web.kiosk and is_this_machine(request):
            return None  # nor does it ask the database: the screen goes on without
        if not await self._first_start_is_over():
            return None if path == SETUP_PAGE else _lead_to(SETUP_PAGE, request, visit)
        if path in PUBLIC:
            return None
        if visit.visitor is None:
            return _lead_to(LOGIN_PAGE, request, visit)
        if visit.visitor.account == HR_ACCOUNT or TEACHERS_MAY.fullmatch(path):
            return None
        if path in ("/", "/now") and request.method in ("GET", "HEAD"):
            return RedirectResponse(REVIEW_PAGE, HTTPStatus.SEE_OTHER)
        return PlainTextResponse(_("这一页只供人社部门查看。"), HTTPStatus.FORBIDDEN)

    async def _first_start_is_over(self) -> bool:
        if not self._password_is_set:  # it never becomes unset again, so one true answer is kept
            self._password_is_set = await self._site.store.run(access.password_is_set)
        return self._password_is_set


def _lead_to(page: str, request: Request, visit: Visit) -> Response:
    """People are led to the page; scripts, pictures and forms get a plain 401."""
    if request.method not in ("GET", "HEAD") or "text/html" not in request.headers.get("accept", ""):
        text = visit.words.gettext("请先登录。")
        return PlainTextResponse(text, HTTPStatus.UNAUTHORIZED)
    query = f"?{request.url.query}" if request.url.query else ""
    asked = request.scope["path"] + query
    suffix = "" if page == SETUP_PAGE or asked == "/" else f"?next={quote(asked, safe='')}"
    return RedirectResponse(page + suffix, HTTPStatus.SEE_OTHER)


def _announced(request: Request) -> int:
    """Bytes that the sender says it sends; 0 when it does not say."""
    said = request.headers.get("content-length", "")
    return int(said[:15]) if said.isascii() and said.isdecimal() else 0


async def _checked_form(request: Request, visit: Visit) -> tuple[Response | None, Receive]:
    """Read a POST whole, check its token, and give the body on to whoever reads it next."""
    _ = visit.words.gettext
    largest = next((size for path, size in UPLOADS if path.fullmatch(request.scope["path"])), None)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > (largest or LARGEST_FORM):
            text = _("提交的内容太大（上限 16 KiB）。")
            if largest is not None:
                sent = max(len(body), _announced(request))
                text = _("文件太大：%(sent).1f MB，上限 %(size)d MB。请换小一些的文件。") % {
                    "sent": sent / 1e6,
                    "size": largest // 1_000_000,
                }
            return PlainTextResponse(text, HTTPStatus.REQUEST_ENTITY_TOO_LARGE), request.receive

    given = False

    async def replay() -> Message:
        nonlocal given
        if given:  # an answer in pieces listens here for the visitor's going away, and must wait for it
            return await request.receive()
        given = True
        return {"type": "http.request", "body": bytes(body), "more_body": False}

    try:
        form = {FORM_FIELD_TOKEN: request.headers.get(FORM_TOKEN_HEADER, "")}
        if largest is None:
            form = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=20))
    except ValueError:
        return PlainTextResponse(_("提交的内容读不懂。"), HTTPStatus.BAD_REQUEST), replay
    is_foreign = request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
    token = form.pop(FORM_FIELD_TOKEN, "")
    if is_foreign or not secrets.compare_digest(token.encode(), visit.form_token.encode()):
        text = _("页面已过期，请重新打开后再提交。")
        return PlainTextResponse(text, HTTPStatus.FORBIDDEN), replay
    visit.form = form
    return None, replay


def is_own_host(host: str) -> bool:
    """Whether `host` (the Host header) can mean this device: any IP address, this machine's name with or
    without a domain, or localhost. Refuses names that an attacker's DNS points here."""
    name = host.strip().lower()
    if name.startswith("["):
        name = name[1:].partition("]")[0]
    elif name.count(":") == 1:
        name = name.partition(":")[0]
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name == "localhost" or name.partition(".")[0] == hostname()
    return True


def is_this_machine(request: Request) -> bool:
    """Whether the connection comes from this machine itself; no proxy stands between."""
    try:
        address = ipaddress.ip_address(request.client.host if request.client else "")
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def cookie(name: str, value: str, *, max_age: int | None = None) -> str:
    """A Set-Cookie value that only this host, only over TLS and only our own pages ever send back."""
    age = "" if max_age is None else f"; Max-Age={max_age}"
    return f"{name}={value}; Path=/; Secure; HttpOnly; SameSite=Strict{age}"


def _with_cookies(send: Send, cookies: list[str]) -> Send:
    async def sender(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for value in cookies:
                headers.append("set-cookie", value)
        await send(message)

    return sender if cookies else send

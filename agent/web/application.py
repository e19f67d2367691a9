"""The page as an ASGI application: headers around the gate, the gate around the routes."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.types import ASGIApp

from agent.log import get_logger
from agent.store.database import StoreError
from agent.web import (
    calibration,
    class_attendance,
    class_form,
    class_rules,
    class_upload,
    clips,
    clock,
    count_checks,
    door_enrolment,
    health,
    inspections,
    kiosk,
    kiosk_pin,
    login,
    media,
    now,
    people,
    pins,
    player,
    review,
    room_checks,
    sessions,
    storage,
    teacher_login,
    timetable,
    visibility,
)
from agent.web.gate import Gate
from agent.web.headers import Headers
from agent.web.locale import N_
from agent.web.site import Site, site_of, visit_of
from agent.web.static_files import STATIC_FILES

ERRORS = {
    HTTPStatus.NOT_FOUND: N_("没有这个页面，或者它已不在。"),
    HTTPStatus.METHOD_NOT_ALLOWED: N_("这个地址不接受这种请求。"),
    HTTPStatus.FORBIDDEN: N_("这段录像不在已打开的时间范围内。"),
    HTTPStatus.GONE: N_("录像文件不在磁盘上。"),
    HTTPStatus.UNPROCESSABLE_ENTITY: N_("录像文件读不懂，可能已损坏。"),
}
BUSY = N_("数据库正忙或打不开，请稍后再试。录像不受影响。")
BROKEN = N_("页面出错了，原因已写入日志。录像和签到不受影响。")

log = get_logger(__name__)


def build_application(site: Site) -> ASGIApp:
    """What the server serves. Nothing reaches a route except through the gate (I10)."""
    return Headers(Gate(build_routes(site), site))


def build_routes(site: Site) -> FastAPI:
    """The routes alone, for the gate to guard; the test of the gate enumerates them here."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        site.close()

    app = FastAPI(
        title="classroom-agent",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.state.site = site
    for path in STATIC_FILES:
        app.add_api_route(path, _static, methods=["GET"], include_in_schema=False)
    for module in (now, sessions, visibility, player, media, clips, storage, health, clock, login, kiosk):
        app.router.routes.extend(module.router.routes)  # flat, so that every route can be enumerated
    for module in (door_enrolment, people, class_form, class_upload, kiosk_pin, review, pins, teacher_login):
        app.router.routes.extend(module.router.routes)  # flat, so that every route can be enumerated
    for module in (
        class_attendance,
        class_rules,
        timetable,
        inspections,
        calibration,
        count_checks,
        room_checks,
    ):
        app.router.routes.extend(module.router.routes)  # flat, so that every route can be enumerated
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(sqlite3.OperationalError, _on_database_error)
    app.add_exception_handler(StoreError, _on_database_error)
    app.add_exception_handler(Exception, _on_error)
    return app


async def _static(request: Request) -> Response:
    return FileResponse(STATIC_FILES[request.scope["path"]])


async def _on_http_exception(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise TypeError("called for another exception than it is registered for")
    text = ERRORS.get(HTTPStatus(error.status_code), BROKEN)
    return _error_page(request, error.status_code, text)


async def _on_database_error(request: Request, error: Exception) -> Response:
    log.error("database.unusable", error=str(error))
    return _error_page(request, HTTPStatus.SERVICE_UNAVAILABLE, BUSY)


async def _on_error(request: Request, error: Exception) -> Response:
    # Starlette raises it again after this answer, and the server writes it to the log with its trace.
    log.error("page.broken", path=request.scope["path"], error=type(error).__name__)
    return _error_page(request, HTTPStatus.INTERNAL_SERVER_ERROR, BROKEN)


def _error_page(request: Request, status: int, text: str) -> Response:
    if "text/html" not in request.headers.get("accept", ""):
        return PlainTextResponse(visit_of(request).words.gettext(text), status)
    return site_of(request).render(request, "error.html", status, text=text, code=int(status))

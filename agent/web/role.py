"""The page's process: a TLS server that stops when told, and says each second that it still turns."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import sqlite3
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

import anyio
import uvicorn

from agent.log import get_logger
from agent.role import RoleContext
from agent.settings import Web
from agent.store import access
from agent.store.database import StoreError
from agent.web import certificate
from agent.web.application import build_application
from agent.web.certificate import CertificateFiles
from agent.web.site import Site

REPORT_EVERY_S = 1.0
CERTIFICATE_EVERY_S = 60.0
STOP_CHECK_S = 0.1
MOST_CONNECTIONS = 100
"""Beyond it the server answers 503; a room has a few phones."""

log = get_logger(__name__)


class _Server(uvicorn.Server):
    """Leaves signals to whoever runs the role."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass
class _Renewal:
    """Keeps the certificate good. When that fails the old one goes on: a page with an old certificate is
    worth more than none, and whoever must act reads it on the board."""

    context: RoleContext
    files: CertificateFiles
    trouble: OSError | None = None
    """Why the last try failed."""

    def attempt(self, tls: ssl.SSLContext | None = None) -> None:
        """Renew if needed; new connections of `tls` then get the new one."""
        try:
            renewed = certificate.ensure_certificate(
                self.files,
                now=certificate.wall_time(self.context.clock.now().wall_us),
                hostname=certificate.hostname(),
                addresses=certificate.own_addresses(),
            )
            if tls is not None and (
                renewed or self.trouble is not None
            ):  # the last one may not be loaded yet
                tls.load_cert_chain(self.files.certificate, self.files.key)
        except OSError as error:
            if self.trouble is None:
                log.warning("certificate.not-renewed", error=str(error))
            self.trouble = error
            return
        if renewed:
            log.info("certificate.renewed", fingerprint=certificate.fingerprints(self.files).certificate)
        self.trouble = None

    def report(self) -> None:
        """Say on the board that the certificate could not be renewed."""
        reason = self.trouble.strerror if self.trouble else None
        self.context.report(
            "fault",
            f"网页证书写不进 {self.files.certificate.parent}：{reason}。请检查系统盘是否已满或只读",
            f"the page's certificate cannot be written in {self.files.certificate.parent}: {reason}; "
            "see whether the system disk is full or read-only",
        )

    def can_serve(self) -> bool:
        """Whether a certificate with its key is there, however old."""
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.files.certificate, self.files.key)
        except OSError:  # ssl.SSLError is one
            return False
        return True


def run(context: RoleContext) -> None:
    """Serve until `context.stop` is set. OSError when the port is taken or no certificate can be made, after
    saying so on the board."""
    web = context.settings.web
    files = CertificateFiles.within(context.paths.keys)
    renewal = _Renewal(context, files)
    renewal.attempt()
    if renewal.trouble is not None and not renewal.can_serve():
        renewal.report()
        raise renewal.trouble
    try:
        listener = _listen(web)
    except OSError as error:
        context.report(
            "fault",
            f"端口 {web.port} 打不开：{error.strerror}。请停掉占用它的程序，或改配置 web.port",
            f"cannot listen on {web.host} port {web.port}: {error.strerror}; stop whatever holds it or "
            "change web.port",
        )
        raise
    site = Site(context.settings, context.paths, context.clock, context.stop)
    config = uvicorn.Config(
        build_application(site),
        ssl_certfile=files.certificate,
        ssl_keyfile=files.key,
        http="h11",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,  # addresses and times of people who looked; the facts say who did what
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=2,
        limit_concurrency=MOST_CONNECTIONS,
    )
    _warm_up()
    asyncio.run(_serve(context, _Server(config), site, renewal, listener))


def _warm_up() -> None:
    """What would hold up single requests later: the first answer in pieces would wait for an import (25 ms on
    x86), and any of them for a collection of garbage that looks through every loaded module (60 ms)."""
    anyio.run(anyio.sleep, 0)
    gc.collect()
    gc.freeze()


def _listen(web: Web) -> socket.socket:
    family = socket.AF_INET6 if ":" in web.host else socket.AF_INET
    listener = socket.create_server(
        (web.host, web.port), family=family, dualstack_ipv6=web.host == "::", backlog=128
    )
    # asyncio does so only for sockets that it made itself; without it each small answer waits 40 ms for the
    # other side's delayed acknowledgement. What is accepted inherits it.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


async def _serve(
    context: RoleContext, server: _Server, site: Site, renewal: _Renewal, listener: socket.socket
) -> None:
    server.config.load()
    tls = server.config.ssl
    if tls is None:
        raise RuntimeError("the server was configured without a certificate")
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    tending = asyncio.create_task(_tend(context, server, site, renewal, tls))
    try:
        await server.serve(sockets=[listener])
    finally:
        tending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await tending
    if not context.stop.is_set():
        raise RuntimeError("the server ended without being told to")


async def _tend(
    context: RoleContext, server: _Server, site: Site, renewal: _Renewal, tls: ssl.SSLContext
) -> None:
    """Runs in the server's own loop: when the loop hangs, no report is made and the watchdog bites."""
    loop = asyncio.get_running_loop()
    report_at = certificate_at = loop.time()
    try:
        while not context.stop.is_set():
            if loop.time() >= certificate_at:
                certificate_at = loop.time() + CERTIFICATE_EVERY_S
                await asyncio.to_thread(renewal.attempt, tls)
            if loop.time() >= report_at:
                report_at = loop.time() + REPORT_EVERY_S
                await _report(context, site, renewal)
            await asyncio.sleep(STOP_CHECK_S)
    finally:
        server.should_exit = True


async def _report(context: RoleContext, site: Site, renewal: _Renewal) -> None:
    web = context.settings.web
    try:
        is_set = await site.store.run(access.password_is_set)
    except (sqlite3.OperationalError, StoreError) as error:
        context.report("fault", "数据库不可用，页面暂停服务", f"the database cannot be used: {error}")
        return
    if renewal.trouble is not None:
        renewal.report()
    elif is_set:
        context.report("running", "", "", port=web.port)
    else:
        text = "等待人社部门设置密码", "waiting for HR staff to set the password"
        context.report("waiting", *text, port=web.port)

"""The real page server under TLS, and a real Chromium."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from agent import board
from agent.clock import SystemClock
from agent.configuration.credential import set_first_password
from agent.configuration.setup_code import ensure_setup_code
from agent.paths import Paths
from agent.role import RoleContext
from agent.settings import Settings
from agent.store.database import Store
from agent.web import role
from agent.web.certificate import CertificateFiles
from tests.clocks import ManualClock
from tests.waiting import wait_until
from tests.web.lesson import settings_for

PASSWORD = "Xinxiang-7-Lane-43"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]
REFUSED = re.compile(r"status of 4(00|01|03|29)")
"""Chromium calls a refused form an error; the tests that send one look at what the page says."""
TOKEN = re.compile(r'name="token" value="([0-9a-f]{64})"')


@dataclass
class Served:
    """A running page server."""

    settings: Settings
    paths: Paths
    clock: ManualClock
    stop: threading.Event = field(default_factory=threading.Event)
    failure: list[BaseException] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.settings.web.port}"

    def client(self, **options: object) -> httpx.Client:
        """A client that trusts the device's certificate and nothing else."""
        context = ssl.create_default_context(cafile=CertificateFiles.within(self.paths.keys).certificate)
        # On a busy machine a password's Argon2id alone may take longer than httpx waits by itself (5 s).
        wanted = {"timeout": 30.0, "headers": {"accept": "text/html"}} | options
        return httpx.Client(base_url=self.url, verify=context, **wanted)  # type: ignore[arg-type]


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def present_clock() -> ManualClock:
    """Turned by hand, but starting now: certificates are checked against the machine's own clock."""
    real = SystemClock().now()
    return ManualClock(wall_us=real.wall_us, monotonic_ns=real.monotonic_ns)


@contextlib.contextmanager
def serving(
    paths: Paths, clock: ManualClock, *, kiosk: bool = False, port: int | None = None
) -> Iterator[Served]:
    """Run the role in a thread until the block ends; it must stop within 5 s."""
    settings = settings_for(paths, port or free_port(), kiosk=kiosk)
    served = Served(settings, paths, clock)
    context = RoleContext("web", settings, paths, clock, stop=served.stop)

    def work() -> None:
        try:
            role.run(context)
        except BaseException as error:  # noqa: BLE001 (a thread's boundary: raised again in the test)
            served.failure.append(error)

    thread = threading.Thread(target=work, name="web-role")
    thread.start()

    def answers() -> bool:
        if served.failure:
            raise served.failure[0]
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", settings.web.port), timeout=1).close()
            return board.read_json(paths.status / "web.json") is not None
        return False

    try:
        wait_until(answers, 10, "the page server listens and reports")
        yield served
    finally:
        began = time.monotonic()
        served.stop.set()
        thread.join(10)
        assert not thread.is_alive(), "the page server did not stop"
        assert time.monotonic() - began < 5
    assert not served.failure


@pytest.fixture
def served(paths: Paths, present_clock: ManualClock) -> Iterator[Served]:
    """A page server before its first start is over."""
    with serving(paths, present_clock) as running:
        yield running


def set_password(store: Store, served: Served) -> None:
    """First start done, as HR staff do it."""
    code = ensure_setup_code(served.paths.keys, store)
    assert code is not None
    set_first_password(
        store, served.clock.now(), served.paths.keys, code=code, password=PASSWORD, simulated=True
    )


def log_in(client: httpx.Client, password: str = PASSWORD) -> httpx.Response:
    """Open the login page and send the form."""
    token = token_in(client.get("/login"))
    return client.post("/login", data={"token": token, "password": password, "next": "/now"})


def token_in(response: httpx.Response) -> str:
    """The form token of a page."""
    match = TOKEN.search(response.text)
    assert match, f"no form on the page: {response.status_code} {response.text[:300]}"
    return match[1]


@pytest.fixture
def visitor(served: Served, store: Store) -> Iterator[httpx.Client]:
    """A logged-in client."""
    set_password(store, served)
    with served.client() as client:
        assert log_in(client).status_code == 303
        yield client


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, headless."""
    if CHROMIUM is None:
        pytest.skip("SKIPPED LOUDLY: no chromium on this machine (apt-get install chromium)")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        yield opened
        opened.close()


@dataclass
class Tab:
    """A browser page that remembers everything that went wrong in it."""

    page: Page
    problems: list[str]


@pytest.fixture
def open_tab(browser: Browser, served: Served) -> Iterator[Callable[..., Tab]]:
    """Opens browser pages on the server; at the end none may have had a script or policy error."""
    contexts: list[BrowserContext] = []
    tabs: list[Tab] = []

    def note(tab: Tab, kind: str, text: str) -> None:
        if kind == "error" and not REFUSED.search(text):
            tab.problems.append(text)

    def open_it(width: int = 1280, height: int = 800) -> Tab:
        context = browser.new_context(
            base_url=served.url, ignore_https_errors=True, viewport={"width": width, "height": height}
        )
        context.set_default_timeout(10_000)
        contexts.append(context)
        tab = Tab(context.new_page(), [])
        tab.page.on("pageerror", lambda error: tab.problems.append(f"script: {error}"))
        tab.page.on("console", lambda message: note(tab, message.type, message.text))
        tabs.append(tab)
        return tab

    yield open_it
    problems = [problem for tab in tabs for problem in tab.problems]
    for context in contexts:
        context.close()
    assert problems == []


def log_in_tab(tab: Tab) -> None:
    """Log in by hand and wait for the start page."""
    tab.page.goto("/login")
    tab.page.fill("#password", PASSWORD)
    tab.page.click("main button")
    tab.page.wait_for_url("**/now")

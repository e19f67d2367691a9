"""I10: every route passes one gate; the public ones are a short list, written out here."""

from __future__ import annotations

import re
from uuid import uuid4

import httpx
import pytest
from fastapi.routing import APIRoute

from agent.store.access import token_digest
from agent.store.database import Store
from agent.web.application import build_routes
from agent.web.gate import PUBLIC, SESSION_COOKIE, is_own_host
from agent.web.site import Site
from tests.web.conftest import PASSWORD, Served, log_in, set_password, token_in

PUBLIC_LIST = {
    "/login",
    "/login/teacher",
    "/setup",
    "/static/calibration.js",
    "/static/door.js",
    "/static/hls.light.min.js",
    "/static/keypad.css",
    "/static/keypad.js",
    "/static/kiosk.css",
    "/static/kiosk.js",
    "/static/leave.js",
    "/static/mark.svg",
    "/static/now.js",
    "/static/page.css",
    "/static/people.js",
    "/static/player.js",
}
SOME_ID = "11111111-2222-4333-8444-555555555555"


def routes_of(served: Served) -> list[tuple[str, str]]:
    """(method, address) of every route of the application, path parameters filled in."""
    found = []
    for route in build_routes(Site(served.settings, served.paths, served.clock)).routes:
        assert isinstance(route, APIRoute), f"{route} is no plain route: the gate's test cannot see into it"
        path = re.sub(r"\{sequence:int\}", "1", route.path)
        path = re.sub(r"\{camera\}", "rear", path)
        path = re.sub(r"\{\w+\}", SOME_ID, path)
        found += [(method, path) for method in route.methods or ()]
    return found


def test_the_allow_list_is_what_is_written_here() -> None:
    assert PUBLIC == PUBLIC_LIST


@pytest.mark.promise("I10")
def test_no_route_outside_the_allow_list_answers_a_stranger(served: Served, store: Store) -> None:
    set_password(store, served)
    routes = routes_of(served)
    assert len(routes) > 15
    with served.client() as client:
        for method, path in routes:
            page = client.request(method, path)
            script = client.request(method, path, headers={"accept": "*/*"})
            if path in PUBLIC_LIST:
                # 403: a form without its token; 303: the first start is over.
                assert page.status_code in ((303, 403) if path == "/setup" else (200, 403)), path
                continue
            assert page.status_code == (303 if method in ("GET", "HEAD") else 401), path
            assert method not in ("GET", "HEAD") or page.headers["location"].startswith("/login"), path
            assert script.status_code == 401, path
            assert len(script.content) < 100, path


@pytest.mark.promise("I10")
def test_unknown_addresses_answer_a_stranger_like_known_ones(served: Served, store: Store) -> None:
    set_password(store, served)
    with served.client() as client:
        for path in (
            "/docs",
            "/openapi.json",
            "/static/",
            "/static/../role.py",
            "/static/%2e%2e/role.py",
            "/x",
        ):
            assert client.get(path, headers={"accept": "*/*"}).status_code == 401, path


@pytest.mark.promise("I10")
def test_before_the_first_password_everything_leads_to_the_first_start(served: Served) -> None:
    with served.client() as client:
        for method, path in routes_of(served):
            answer = client.request(method, path)
            if path.startswith("/static/"):
                assert answer.status_code == 200, path
            elif path == "/setup":
                assert answer.status_code in (200, 403)
            elif method in ("GET", "HEAD"):
                assert (answer.status_code, answer.headers["location"]) == (303, "/setup"), path
            else:
                assert answer.status_code == 401, path


@pytest.mark.promise("I10")
def test_a_form_without_its_token_changes_nothing(visitor: httpx.Client, served: Served) -> None:
    token = token_in(visitor.get("/now"))
    assert visitor.post("/logout").status_code == 403
    assert visitor.post("/logout", data={"token": "0" * 64}).status_code == 403
    foreign = {"sec-fetch-site": "cross-site"}
    assert visitor.post("/logout", data={"token": token}, headers=foreign).status_code == 403
    with served.client() as stranger:  # a stranger's own token is no good for the visitor
        other = token_in(stranger.get("/login"))
    assert visitor.post("/logout", data={"token": other}).status_code == 403
    assert visitor.get("/now").status_code == 200
    assert visitor.post("/logout", data={"token": token}).status_code == 303
    assert visitor.get("/now").status_code == 303


@pytest.mark.promise("I10")
def test_the_token_is_stored_as_a_hash_and_ends_when_idle(
    visitor: httpx.Client, served: Served, store: Store
) -> None:
    token = visitor.cookies[SESSION_COOKIE]
    (row,) = store.rows("SELECT token_sha256 FROM web_session")
    assert row["token_sha256"] == token_digest(token)
    served.clock.advance(29 * 60)
    assert visitor.get("/now").status_code == 200
    served.clock.advance(29 * 60)
    for _ in range(3):  # the page refreshing itself is no sign of a person
        assert visitor.get("/now/board").status_code == 200
        for polled in ("timeline", "media.m3u8", "index.m3u8"):  # as a live player does, paused or not
            assert visitor.get(f"/player/{uuid4()}/{polled}").status_code == 404
    served.clock.advance(2 * 60)
    assert visitor.get("/now/board").status_code == 303
    assert visitor.get("/now").status_code == 303


def test_a_clock_set_back_prolongs_no_session(visitor: httpx.Client, served: Served) -> None:
    served.clock.step_wall(-3 * 3600)
    assert visitor.get("/now").status_code == 303


def test_cookies_and_headers_keep_the_page_to_itself(served: Served, store: Store) -> None:
    set_password(store, served)
    with served.client() as client:
        for answer in (client.get("/login"), log_in(client), client.get("/now"), client.get("/nothing")):
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "http" not in policy
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["x-content-type-options"] == "nosniff"
            for cookie in answer.headers.get_list("set-cookie"):
                assert cookie.startswith("__Host-")
                assert all(
                    part in cookie for part in ("; Path=/", "; Secure", "; HttpOnly", "; SameSite=Strict")
                )


def test_pages_load_nothing_from_elsewhere(visitor: httpx.Client) -> None:
    for path in ("/now", "/sessions", "/player", "/records", "/storage", "/health"):
        text = visitor.get(path).text
        assert not re.findall(r"""(?:src|href|action)=["'](?!/|#)""", text), path
        assert "<script>" not in text
        assert " style=" not in text


@pytest.mark.parametrize(
    ("host", "is_own"),
    [
        ("192.0.2.7:8443", True),
        ("[2001:db8::7]:8443", True),
        ("localhost", True),
        ("evil.example", False),
        ("192.0.2.7.evil.example", False),
        ("", False),
    ],
)
def test_hosts(host: str, is_own: bool) -> None:
    assert is_own_host(host) is is_own


def test_a_foreign_host_name_is_refused(served: Served) -> None:
    with served.client() as client:
        assert client.get("/login", headers={"host": "evil.example"}).status_code == 421


def test_after_login_one_stays_on_the_device(served: Served, store: Store) -> None:
    set_password(store, served)
    targets = {
        "/sessions?day=2026-11-21": True,
        "//evil.example": False,
        "https://evil.example": False,
        "/\\e": False,
    }
    for target, is_ours in targets.items():
        with served.client() as client:
            token = token_in(client.get("/login"))
            form = {"token": token, "password": PASSWORD, "next": target}
            answer = client.post("/login", data=form)
            assert answer.headers["location"] == (target if is_ours else "/now")


def test_large_or_broken_forms_are_refused(served: Served, store: Store) -> None:
    set_password(store, served)
    with served.client() as client:
        client.get("/login")
        assert client.post("/login", content=b"x" * 20_000).status_code == 413
        assert client.post("/login", content=b"token=\xff\xfe").status_code == 400
        assert client.post("/login", content=b"&".join(b"a=1" for _ in range(50))).status_code == 400

"""The process: starts, says why when it cannot, stops at once, and survives its database being busy."""

from __future__ import annotations

import os
import sqlite3
import ssl
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent import board
from agent.paths import Paths
from agent.role import RoleContext
from agent.store.database import Store
from agent.web import role
from agent.web.certificate import CertificateFiles
from tests.clocks import ManualClock
from tests.waiting import wait_until
from tests.web.conftest import Served, serving
from tests.web.lesson import settings_for


def test_a_taken_port_is_named_with_the_remedy(
    served: Served, paths: Paths, present_clock: ManualClock, tmp_path: Path
) -> None:
    port = served.settings.web.port
    second = Paths(paths.state, paths.video, tmp_path / "second")
    second.status.mkdir(parents=True)
    context = RoleContext("web", settings_for(second, port), second, present_clock)
    with pytest.raises(OSError, match="in use"):
        role.run(context)
    content = board.read_json(second.status / "web.json")
    assert content is not None
    assert content["state"] == "fault"
    assert str(port) in content["message"]["zh"]
    assert "web.port" in content["message"]["en"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_only_modern_tls_and_no_server_banner(served: Served) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.load_verify_locations(CertificateFiles.within(served.paths.keys).certificate)
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(httpx.ConnectError):
        httpx.get(served.url, verify=old)
    with served.client() as client:
        assert "server" not in client.get("/login").headers


def test_a_small_answer_does_not_wait_for_an_acknowledgement(served: Served) -> None:
    def seconds(client: httpx.Client) -> float:
        began = time.perf_counter()
        client.get("/setup")
        return time.perf_counter() - began

    with served.client() as client:
        times = sorted(seconds(client) for _ in range(40))
    # Not the best ones: the first answers of a connection are acknowledged at once.
    assert times[10] < 0.035, "a delayed acknowledgement takes 40 ms"


def test_a_locked_database_does_not_stop_reading(
    visitor: httpx.Client, served: Served, paths: Paths, store: Store
) -> None:
    with closing(sqlite3.connect(paths.database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        served.clock.advance(60)  # the session would be touched, which is a write
        assert visitor.get("/now", timeout=20).status_code == 200
        other.execute("ROLLBACK")


def test_a_damaged_database_is_said_and_lets_nobody_in(paths: Paths, present_clock: ManualClock) -> None:
    paths.database.write_bytes(b"this is no database" * 1000)
    with serving(paths, present_clock) as served, served.client() as client:
        for path in ("/now", "/login", "/setup"):
            answer = client.get(path)
            assert answer.status_code == 503
            assert "数据库" in answer.text
        wait_until(
            lambda: (board.read_json(paths.status / "web.json") or {})["state"] == "fault", 5, "it says so"
        )


def test_a_new_certificate_is_used_without_a_restart(
    paths: Paths, present_clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(role, "CERTIFICATE_EVERY_S", 0.2)
    with serving(paths, present_clock) as served:
        address = ("127.0.0.1", served.settings.web.port)
        before = ssl.get_server_certificate(address)
        served.clock.step_wall(380 * 24 * 3600)
        wait_until(lambda: ssl.get_server_certificate(address) != before, 5, "the renewed one is shown")


def block_writing(paths: Paths) -> Path:
    """Makes the certificate impossible to write, as a full disk does (rights do not stop root)."""
    files = CertificateFiles.within(paths.keys)
    blocked = files.certificate.with_name(f".{files.certificate.name}.{os.getpid()}")
    blocked.mkdir()
    return blocked


def status(paths: Paths) -> dict[str, Any]:
    return board.read_json(paths.status / "web.json") or {}


def test_a_certificate_that_cannot_be_renewed_is_said_and_the_old_one_goes_on(
    paths: Paths, present_clock: ManualClock, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(role, "CERTIFICATE_EVERY_S", 0.2)
    with serving(paths, present_clock) as served:
        address = ("127.0.0.1", served.settings.web.port)
        before = ssl.get_server_certificate(address)
        blocked = block_writing(paths)
        served.clock.step_wall(380 * 24 * 3600)
        wait_until(lambda: status(paths).get("state") == "fault", 5, "the board says it")
        assert "系统盘" in status(paths)["message"]["zh"]
        assert "cannot be written" in status(paths)["message"]["en"]
        assert ssl.get_server_certificate(address) == before
        with served.client() as client:
            assert client.get("/setup").status_code == 200
    with serving(paths, present_clock) as served:  # started on the full disk: the old one again
        address = ("127.0.0.1", served.settings.web.port)
        assert ssl.get_server_certificate(address) == before
        blocked.rmdir()
        wait_until(lambda: ssl.get_server_certificate(address) != before, 5, "renewed when it can be")
        wait_until(lambda: status(paths)["state"] == "waiting", 5, "and all is well")


def test_without_any_certificate_the_page_says_why_it_cannot_start(
    paths: Paths, present_clock: ManualClock
) -> None:
    block_writing(paths)
    with pytest.raises(IsADirectoryError):
        role.run(RoleContext("web", settings_for(paths, 1), paths, present_clock))
    assert status(paths)["state"] == "fault"
    assert str(paths.keys) in status(paths)["message"]["zh"]


def test_many_visitors_at_once(visitor: httpx.Client, served: Served) -> None:
    for _ in range(30):
        assert visitor.get("/now/board").status_code == 200

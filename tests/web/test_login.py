"""Logins: slow for who guesses, never shut for good for who owns the password; every one a fact."""

from __future__ import annotations

import json

import httpx
import pytest

from agent.configuration.setup_code import ensure_setup_code
from agent.paths import Paths
from agent.store import access
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.web.certificate import CertificateFiles, fingerprints
from agent.web.login import attempt_login
from tests.clocks import ManualClock
from tests.web.conftest import PASSWORD, Served, log_in, serving, set_password, token_in

MINUTE_US = 60_000_000


def facts(store: Store, kind: str) -> list[dict[str, object]]:
    rows = store.rows("SELECT data FROM fact WHERE type = ? ORDER BY id", (kind,))
    return [json.loads(row["data"]) for row in rows]


def test_wrong_passwords_make_one_wait_and_the_page_says_how_long(served: Served, store: Store) -> None:
    set_password(store, served)
    with served.client() as client:
        assert [log_in(client, "wrong").status_code for _ in range(2)] == [403, 403]
        refused = log_in(client, "wrong")
        assert refused.status_code == 429
        assert "15 秒" in refused.text
        assert refused.headers["retry-after"] == "16"
        assert log_in(client).status_code == 429  # even the right one waits, so guesses learn nothing
        served.clock.advance(16)
        assert log_in(client, "wrong").status_code == 429
        served.clock.advance(31)
        assert log_in(client).status_code == 303
    assert [fact["failures"] for fact in facts(store, "access.login-refused")] == [1, 2, 3, 4]
    assert facts(store, "access.login") == [{"account": "hr", "address": "127.0.0.1"}]


def test_the_wait_survives_a_restart(paths: Paths, store: Store, present_clock: ManualClock) -> None:
    with serving(paths, present_clock) as served:
        set_password(store, served)
        with served.client() as client:
            for _ in range(3):
                log_in(client, "wrong")
    with serving(paths, present_clock) as served, served.client() as client:
        assert log_in(client).status_code == 429


def try_from(store: Store, clock: ManualClock, address: str, password: str) -> access.Visitor | int | None:
    attempt = attempt_login(store, clock, password=password, address=address, simulated=True)
    if attempt.token is None:
        return attempt.wait_us
    return access.find_visitor(store, attempt.token, clock.now().wall_us, MINUTE_US)


def test_guessing_never_locks_the_owner_out(served: Served, store: Store) -> None:
    set_password(store, served)
    clock = served.clock
    for _ in range(12):
        wait = try_from(store, clock, "192.0.2.66", "wrong")
        assert isinstance(wait, int)
        assert wait <= 15 * MINUTE_US
        clock.advance(wait / 1_000_000)
    assert isinstance(try_from(store, clock, "192.0.2.7", PASSWORD), access.Visitor)  # from elsewhere at once
    clock.advance(15 * 60)
    assert isinstance(try_from(store, clock, "192.0.2.66", PASSWORD), access.Visitor)


def test_a_clock_set_back_does_not_stretch_the_wait(served: Served, store: Store) -> None:
    set_password(store, served)
    for _ in range(12):
        wait = try_from(store, served.clock, "192.0.2.66", "wrong")
        assert isinstance(wait, int)
        served.clock.advance(wait / 1_000_000)
    try_from(store, served.clock, "192.0.2.66", "wrong")
    served.clock.step_wall(-30 * 24 * 3600)
    wait = try_from(store, served.clock, "192.0.2.66", PASSWORD)
    assert isinstance(wait, int)
    assert wait <= 15 * MINUTE_US


def test_one_machine_is_one_address(store: Store) -> None:
    assert access.source_of("2001:db8:1:2::1") == access.source_of("2001:db8:1:2:ffff::9")
    assert access.source_of("::ffff:192.0.2.7") == access.source_of("192.0.2.7")
    assert access.source_of("2001:db8:1:3::1") != access.source_of("2001:db8:1:2::1")


def test_a_flood_of_guesses_cannot_drown_the_record_log(served: Served, store: Store) -> None:
    set_password(store, served)
    data = {"account": "hr", "address": "10.0.0.1", "failures": 1, "wait_seconds": 0}
    fact = Fact(FactType.LOGIN_REFUSED, "node", simulated=True, data=data)
    with store.transaction():
        for _ in range(199):
            state_fact(store, served.clock.now(), fact)
    for number in range(3):
        try_from(store, served.clock, f"10.9.9.{number}", "wrong")
    assert len(facts(store, "access.login-refused")) == 200


def test_the_setup_code_cannot_be_guessed_quickly(served: Served, store: Store) -> None:
    code = ensure_setup_code(served.paths.keys, store)
    form = {"password": PASSWORD, "again": PASSWORD}
    with served.client() as client:
        token = token_in(client.get("/setup"))
        answers = [client.post("/setup", data={**form, "token": token, "code": "AAAA"}) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [400, 400, 400, 429]
        served.clock.advance(16)
        assert client.post("/setup", data={**form, "token": token, "code": code}).status_code == 303
        assert (
            client.post("/setup", data={**form, "token": token, "code": code}).headers["location"] == "/login"
        )


@pytest.mark.parametrize(
    ("language", "said"),
    [("zh", "密码太短，至少 10 个字符"), ("en", "too short: at least 10 characters")],
)
def test_a_weak_password_is_refused_in_the_reader_s_own_words(
    served: Served, store: Store, language: str, said: str
) -> None:
    code = ensure_setup_code(served.paths.keys, store)
    with served.client() as client:
        token = token_in(client.get("/setup", params={"lang": language}))
        form = {"token": token, "code": code, "password": "xy 1", "again": "xy 1"}
        answer = client.post("/setup", params={"lang": language}, data=form)
    assert answer.status_code == 400
    assert f"<li>{said}</li>" in answer.text


def test_fingerprints_are_to_be_compared_before_the_first_password_and_later(
    served: Served, store: Store
) -> None:
    found = fingerprints(CertificateFiles.within(served.paths.keys))
    with served.client() as client:
        page = client.get("/setup").text
        assert "setup-code 显示的相同" in page
        assert found.certificate not in page, "a false page could show anything"
        set_password(store, served)
        log_in(client)
        health = client.get("/health").text
    assert found.certificate in health
    assert found.key in health


def test_a_new_password_ends_older_sessions(visitor: httpx.Client, served: Served, store: Store) -> None:
    assert visitor.get("/now").status_code == 200
    served.clock.advance(10)
    store.execute("UPDATE hr_credential SET set_us = ?", (served.clock.now().wall_us,))
    assert visitor.get("/now").status_code == 303


@pytest.mark.parametrize("password", ["", "x" * 5000, "密码" * 100, "\x00"])
def test_odd_passwords_are_just_wrong(served: Served, store: Store, password: str) -> None:
    set_password(store, served)
    with served.client() as client:
        assert log_in(client, password).status_code == 403

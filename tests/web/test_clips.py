"""Taking evidence along from the page: with a reason, within the view, verifiable without the device."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from agent.evidence.clip_verifier import verify_clip
from agent.evidence.device_card import SigningJwk, read_device_card, update_device_card
from agent.evidence.keys import load_or_create
from agent.evidence.ledger import Ledger
from agent.evidence.record import NodeIdentity
from agent.paths import Paths
from agent.recording import clip_export
from agent.store.database import Store
from tests.web.conftest import Served, log_in, token_in
from tests.web.lesson import Lesson, Tape, film, hold_lesson, sign_log

NODE = NodeIdentity("henan-demo", "room-101", "node-1")


@dataclass
class Ready:
    """A view on a lesson whose footage is signed."""

    client: httpx.Client
    view: str
    lesson: Lesson
    tape: Tape


@pytest.fixture(scope="module")
def eight_seconds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("film"), seconds=8)


@pytest.fixture
def ready(visitor: httpx.Client, served: Served, store: Store, paths: Paths, eight_seconds: Path) -> Ready:
    lesson = hold_lesson(store, served.clock.now().wall_us, opened_minutes_ago=2)
    tape = Tape(store, paths, served.clock, eight_seconds)
    tape.record(lesson.opened_us, segments=2)
    jwk = {**load_or_create(paths.ledger_keys).public_jwk}
    update_device_card(paths.device_card, NODE, signing_keys=(SigningJwk.model_validate(jwk),))
    sign_log(store, paths, served.clock)
    form = {"token": token_in(visitor.get("/player")), "session": lesson.session, "reason": "on_site"}
    view = visitor.post("/player", data=form).headers["location"].split("?")[0]
    return Ready(visitor, view, lesson, tape)


@contextmanager
def signing(paths: Paths, served: Served) -> Iterator[None]:
    """A ledger that lives beside the page."""
    stop = threading.Event()

    def work() -> None:
        with Store(paths.database) as store:
            key = load_or_create(paths.ledger_keys)
            ledger = Ledger(store, key, NODE, served.clock, demonstration=True)
            ledger.open()
            while not stop.wait(0.1):
                ledger.sign_pending()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)


def export(ready: Ready, **form: str) -> httpx.Response:
    token = token_in(ready.client.get(f"{ready.view}/clip"))
    return ready.client.post(f"{ready.view}/clip", data={"token": token, "reason": "complaint", **form})


@pytest.mark.promise("I6")
def test_a_clip_from_the_page_verifies_and_its_export_is_a_record(
    ready: Ready, served: Served, store: Store, paths: Paths, tmp_path: Path
) -> None:
    with signing(paths, served):
        answer = export(ready, note="热线转办")
    assert answer.status_code == 200
    assert answer.headers["content-length"] == str(len(answer.content))
    assert re.search(r'filename="room-101-\d{8}-\d{6}-clip\.zip"', answer.headers["content-disposition"])
    out = tmp_path / "clip.zip"
    out.write_bytes(answer.content)
    verdict = verify_clip(out, read_device_card(paths.device_card))
    assert verdict.findings == [] and verdict.is_export_signed and verdict.simulated
    (row,) = store.rows("SELECT data, session_id FROM fact WHERE type = 'access.evidence-exported'")
    data = json.loads(row["data"])
    assert (data["reason"], data["note"], row["session_id"]) == (
        "complaint",
        "热线转办",
        ready.lesson.session,
    )
    assert [s["sequence"] for s in data["segments"]] == [0, 1]


def test_only_with_a_reason_and_only_what_the_view_covers(ready: Ready, served: Served, store: Store) -> None:
    for form, said in (
        ({"reason": ""}, "请选择查看理由"),
        ({"note": "学员甲反映"}, "不要填写姓名"),
        ({"from": "25:00"}, "时间请写成"),
        ({"from": "23:59:58", "to": "23:59:57"}, "结束时间必须晚于"),
    ):
        answer = export(ready, **form)
        assert (answer.status_code, said in answer.text) == (400, True), form
    assert not store.rows("SELECT 1 FROM fact WHERE type = 'access.evidence-exported'")
    with served.client() as other:
        log_in(other)
        assert other.get(f"{ready.view}/clip").status_code == 404
        form = {"token": token_in(other.get("/player")), "reason": "complaint"}
        assert other.post(f"{ready.view}/clip", data=form).status_code == 404


def test_footage_that_still_grows_is_said_not_left_out(ready: Ready, store: Store, paths: Paths) -> None:
    ready.tape.record(ready.lesson.opened_us + 20_000_000, segments=1, grow=True)
    answer = export(ready)
    assert answer.status_code == 409
    assert "最后一段录像还在写入" in answer.text
    assert not store.rows("SELECT 1 FROM fact WHERE type = 'access.evidence-exported'")


def test_without_a_ledger_the_clip_comes_without_its_record(
    ready: Ready, paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clip_export, "SIGNATURE_SECONDS", 0.4)
    out = tmp_path / "clip.zip"
    out.write_bytes(export(ready).content)
    verdict = verify_clip(out, read_device_card(paths.device_card))
    assert verdict.good and not verdict.is_export_signed

"""HR staff enrol from the page: real uploads, the real engine, a real Chromium."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from agent.paths import Paths
from agent.store.database import Store
from agent.web.enrol_process import outcome
from agent.web.site import Site, Visit
from tests.clocks import ManualClock
from tests.sample_media import sample_files
from tests.web.conftest import PASSWORD, Served, Tab, log_in_tab, set_password, token_in
from tests.web.lesson import report, settings_for

PERSON = "11111111-1111-4111-8111-111111111111"


@pytest.fixture
def roster(store: Store) -> str:
    """A class of one."""
    row = {
        "id": "c-1",
        "title": "电焊工样例",
        "occupation": "",
        "term_number": "1",
        "approval": "A",
        "city": "x",
    }
    store.insert(
        "class",
        {**row, "opening_day": "2026-11-21", "planned_hours": 40, "source_sha256": "0", "imported_us": 0},
    )
    store.insert("person", {"id": PERSON, "name": "样例一", "created_us": 0})
    store.insert("enrolment", {"class_id": "c-1", "person_id": PERSON, "role": "trainee"})
    return "c-1"


def templates(store: Store) -> int:
    return len(store.rows("SELECT 1 FROM template"))


@pytest.mark.promise("I7")
@pytest.mark.rule("R1")
def test_a_face_is_enrolled_and_withdrawn_in_a_browser_in_both_languages(
    roster: str, store: Store, served: Served, open_tab: Callable[..., Tab], tmp_path: Path
) -> None:
    set_password(store, served)
    tab = open_tab()
    log_in_tab(tab)
    page = tab.page
    page.set_default_timeout(60_000)
    nothing = tmp_path / "nothing.jpg"
    nothing.write_bytes(b"no photo")
    for language, files, wanted in (
        ("zh", [nothing], "不是 JPEG 或 PNG 照片"),
        ("en", [sample_files()["obama.jpg"], sample_files()["obama2.jpg"]], "2 templates enrolled"),
    ):
        page.goto(f"/people?lang={language}")
        page.click("details summary")
        page.fill("[name=consent_version]", "2026-1")
        page.set_input_files("input[type=file]", files)
        page.fill(f"form[action='/people/{PERSON}/enrol'] [name=password]", PASSWORD)
        page.click("button[value=photos]")
        page.wait_for_selector(f"text={wanted}")
        assert templates(store) == (2 if "2 templates" in wanted else 0)
    consent = store.one("SELECT version, recorded_by FROM consent")
    assert tuple(consent) == ("2026-1", "hr")
    page.click("details summary")
    page.fill(f"form[action='/people/{PERSON}/withdraw'] [name=password]", PASSWORD)
    page.click(f"form[action='/people/{PERSON}/withdraw'] button")
    page.wait_for_selector("text=The consent is withdrawn")
    assert templates(store) == 0
    assert not store.rows("SELECT 1 FROM person_key WHERE purpose = 'template'")


def send(
    visitor: httpx.Client, token: str, content: bytes, number: int = 1, person: str = PERSON
) -> httpx.Response:
    headers = {"x-form-token": token, "x-file-number": str(number)}
    return visitor.post(f"/people/{person}/photos", content=content, headers=headers)


@pytest.mark.promise("I10")
def test_an_upload_needs_login_and_token_and_has_a_bound(
    roster: str, visitor: httpx.Client, served: Served
) -> None:
    token = token_in(visitor.get("/people"))
    assert send(visitor, "0" * 64, b"x").status_code == 403
    assert send(visitor, "", b"x").status_code == 403
    assert send(visitor, token, bytes(20_000_001)).status_code == 413
    for number in range(1, 6):
        assert send(visitor, token, b"x" * 100_000, number).json() == {"photos": number}
    assert send(visitor, token, b"x", 6).status_code == 403
    with served.client() as stranger:
        assert send(stranger, token, b"x").status_code == 401
    assert visitor.post("/people/x/photos", headers={"x-form-token": token}).status_code == 404
    large = visitor.post(f"/people/{PERSON}/enrol", content=b"a=" + bytes(20_000))
    assert large.status_code == 413, "forms keep their own bound"


@pytest.mark.promise("I7")
def test_nobody_is_enrolled_or_forgotten_without_hrs_password(
    roster: str, visitor: httpx.Client, store: Store
) -> None:
    token = token_in(visitor.get("/people"))
    send(visitor, token, sample_files()["obama.jpg"].read_bytes())
    form = {"token": token, "class": roster, "consent_version": "1", "source": "photos", "password": "wrong"}
    assert visitor.post(f"/people/{PERSON}/enrol", data=form).status_code == 403
    refused = visitor.post(f"/people/{PERSON}/withdraw", data=form)
    assert refused.headers["location"] == f"/people/class/{roster}?said=password"
    assert not store.rows("SELECT 1 FROM consent")
    form["password"] = PASSWORD
    again = visitor.post(f"/people/{PERSON}/enrol", data=form)
    assert again.status_code == 400
    assert "没有收到照片" in again.text, "they went with the first answer"


def test_photos_that_wait_have_a_bound_and_the_oldest_are_asked_for_again(
    roster: str, visitor: httpx.Client
) -> None:
    """The page's process keeps photos of at most one person at their largest: 100 MB."""
    token = token_in(visitor.get("/people"))
    largest = bytes(20_000_000)
    send(visitor, token, b"first")
    for number in range(1, 6):
        send(visitor, token, largest, number, person=str(uuid.uuid4()))
    form = {"token": token, "class": roster, "consent_version": "1", "source": "photos", "password": PASSWORD}
    answer = visitor.post(f"/people/{PERSON}/enrol", data=form)
    assert answer.status_code == 400 and "没有收到照片" in answer.text


@pytest.mark.promise("I9")
def test_whom_the_doors_engine_does_not_know_must_enrol_again_and_is_named(
    roster: str, visitor: httpx.Client, store: Store, paths: Paths, served: Served
) -> None:
    """Left over after a change of engine: enrolled by the table, and a stranger at the door."""
    assert "未登记" in visitor.get("/people").text
    store.insert(
        "template",
        {
            "id": str(uuid.uuid4()),
            "person_id": PERSON,
            "engine": "former-1",
            "sealed": b"x",
            "quality": 1.0,
            "created_us": 0,
        },
    )
    assert "须重新登记" not in visitor.get("/people").text, "no engine is named yet"
    report(paths, served.clock, "checkin", engine="sface-128-v1")
    page = visitor.get("/people").text
    assert "须重新登记" in page
    assert "已登记" not in page
    assert "enrol again" in visitor.get("/people?lang=en").text
    report(paths, served.clock, "checkin", engine="former-1")
    assert "须重新登记" not in visitor.get("/people").text


def test_a_class_that_is_not_there_is_not_found(visitor: httpx.Client) -> None:
    assert visitor.get("/people/class/none").status_code == 404
    assert visitor.get("/people").status_code == 200


def test_a_refusal_names_people_as_the_roster_does(paths: Paths, store: Store) -> None:
    known, unknown = str(uuid.uuid4()), str(uuid.uuid4())
    store.insert("person", {"id": known, "name": "学员甲", "created_us": 0})
    site = Site(settings_for(paths, 1), paths, ManualClock())
    problems = [{"zh": f"已登记在 {known} 名下，不是 {unknown}", "en": "-"}]
    with closing(site), ThreadPoolExecutor(1) as other:  # a browser of an earlier test has a loop in this one
        said = other.submit(
            asyncio.run, outcome(site, {"problems": problems}, Visit("zh", form_token=""))
        ).result()
    assert said == {"level": "bad", "lines": [f"已登记在 学员甲 名下，不是 {unknown}"]}

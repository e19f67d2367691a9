"""The attendance page as HR staff use it, in both languages, on a phone too."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable

import httpx
import openpyxl
import pytest

from agent.checkin.pins import Given, set_pin
from agent.paths import Paths
from agent.store import access, classes
from agent.store.access import View
from agent.store.database import Store
from agent.store.vault import Vault
from tests.classes.attending import Roll, at
from tests.web.conftest import PASSWORD, Served, Tab, log_in_tab, set_password, token_in

DAY = "2025-10-09"
PAGE = "/attendance/C1"
CHINESE = re.compile(r"[\u3400-\u9fff]")


@pytest.fixture
def roll(store: Store) -> Roll:
    made = Roll(store, trainees="ABCDEFGH")
    made.session = made.lesson(f"{DAY} 08:00", hours=4)
    made.lesson("2025-10-10 08:00", hours=4, kind="practical")
    made.lesson("2025-10-11 08:00", hours=4, kind="practical", state="planned")
    for number, letter in enumerate("ABCD"):
        made.answer(made.session, letter, 12 * number, simulated=True)
    made.answer(made.session, "E", 0, "awaiting_confirmation", method="pin", simulated=True)
    made.film(made.session, 0, 180)
    return made


def open_video(store: Store, roll: Roll) -> None:
    """The logged-in visitor opened the lesson's footage on its page."""
    session = classes.session(store, roll.session)
    assert session is not None
    token = store.one("SELECT token_sha256 FROM web_session")["token_sha256"]
    start_us, end_us = session.planned_start_us, session.planned_end_us
    view = View("8d7f9f34-0000-4000-8000-000000000001", session.id, start_us, end_us, "attendance")
    access.open_view(store, bytes(token), view, "", 0)


@pytest.fixture
def teacher(roll: Roll, store: Store, paths: Paths, served: Served) -> Given:
    return set_pin(store, Vault(paths.keys), served.clock.now(), roll.teacher, None, "hr", simulated=True)


def test_the_table_in_both_languages(visitor: httpx.Client, roll: Roll) -> None:
    assert visitor.get("/attendance").headers["location"] == PAGE
    page = visitor.get(PAGE).text
    assert "学员A" in page and "到课率" in page
    assert 'title="迟到"' in page and "密码签到待核实" in page
    english = visitor.get(f"{PAGE}?lang=en").text
    assert 'title="late"' in english
    rest = re.sub(r"学员[A-H]|电焊工|教师(?=<)|中文", "", english)
    assert not CHINESE.search(rest), CHINESE.findall(rest)
    assert visitor.get("/attendance/no-such-class").status_code == 404
    assert visitor.get("/attendance/..%2f..%2fetc").status_code == 404


@pytest.mark.rule("R5")
def test_who_joined_later_has_a_word_of_their_own_on_the_page(
    visitor: httpx.Client, roll: Roll, store: Store
) -> None:
    away = json.dumps([[0, at(f"{DAY} 12:00")]])
    store.execute("UPDATE enrolment SET away = ? WHERE person_id = ?", (away, roll.people["F"]))
    assert visitor.get(PAGE).text.count('title="未入班；当时尚未入班，按缺课计，可补课"') == 4
    assert 'title="not in the class yet; had not joined then' in visitor.get(f"{PAGE}?lang=en").text


def test_without_a_class_and_without_a_lesson_the_page_says_so(visitor: httpx.Client, store: Store) -> None:
    assert "还没有班次" in visitor.get("/attendance").text
    Roll(store, trainees="")
    assert "名册上没有学员" in visitor.get(PAGE).text
    store.execute("UPDATE class SET opening_day = '1999-01-01'")
    assert "找不到本班适用的文件" in visitor.get(PAGE).text


@pytest.mark.promise("I6")
def test_the_table_leaves_with_a_reason_and_a_record(visitor: httpx.Client, roll: Roll, store: Store) -> None:
    form = {"token": token_in(visitor.get(PAGE)), "reason": "", "note": ""}
    assert visitor.post(f"{PAGE}/export", data=form).status_code == 400
    named = visitor.post(f"{PAGE}/export", data={**form, "reason": "on_site", "note": "学员A"})
    assert (named.status_code, "请不要填写姓名" in named.text) == (400, True)
    assert store.number("SELECT count(*) FROM fact WHERE type = 'access.attendance-exported'") == 0
    done = visitor.post(f"{PAGE}/export", data={**form, "reason": "on_site"})
    assert done.status_code == 200
    sheet = openpyxl.load_workbook(io.BytesIO(done.content)).worksheets[0]
    assert (sheet["A1"].value, sheet["A3"].value) == ("姓名", "学员A")
    stated = json.loads(store.one("SELECT data FROM fact WHERE type = 'access.attendance-exported'")["data"])
    assert (stated["account"], stated["reason"], stated["trainees"]) == ("hr", "on_site", 8)


@pytest.mark.promise("I10")
def test_a_correction_needs_both_secrets(
    visitor: httpx.Client, roll: Roll, teacher: Given, store: Store
) -> None:
    form = {
        "token": token_in(visitor.get(PAGE)),
        "person": roll.people["H"],
        "hour": f"{roll.session}/2",
        "state": "attended",
        "from": "2025-10-09T08:50:00",
        "to": "2025-10-09T08:51:00",
        "reason": "坐在第二排",
        "number": str(teacher.number),
        "pin": teacher.pin,
        "password": PASSWORD,
    }

    def said(**changes: str) -> str:
        answer = visitor.post(f"{PAGE}/correct", data={**form, **changes})
        found = re.search(r"said=([\w.]+)#said", answer.headers["location"])
        assert found
        return found[1]

    assert said() == "video_unseen"
    open_video(store, roll)
    assert said(password="wrong") == "password"
    assert said(pin="000000") == "pin"
    assert said(hour=f"{roll.session}/x") == "form"
    assert said(hour="no-such-session/1") == "form"
    assert said(state="made_up") == "form"
    assert said(**{"from": "tomorrow"}) == "form"
    assert said(**{"from": "2025-10-09T08:00:00", "to": "2025-10-09T08:01:00"}) == "correction.times"
    assert said(person="nobody") == "correction.no_trainee"
    assert store.number("SELECT count(*) FROM attendance_correction") == 0
    assert said() == "corrected"
    page = visitor.get(f"{PAGE}?said=corrected").text
    assert "已更正，并写入签名记录。" in page and "坐在第二排" in page
    assert "密码签到" in page and teacher.pin not in page
    assert "录像起止时间" in visitor.get(f"{PAGE}?said=correction.times").text


def test_on_a_phone_the_names_stay_while_the_hours_scroll(
    roll: Roll, teacher: Given, store: Store, served: Served, open_tab: Callable[..., Tab]
) -> None:
    set_password(store, served)
    tab = open_tab(width=390, height=844)
    log_in_tab(tab)
    open_video(store, roll)
    tab.page.goto(PAGE)
    roll_box = tab.page.locator(".roll.scroll")
    name = tab.page.locator(".roll tbody .name").first
    before = name.bounding_box()
    roll_box.evaluate("box => box.scrollLeft = 200")
    after = name.bounding_box()
    assert before is not None and after is not None
    assert abs(before["x"] - after["x"]) < 2, "the first column stands"
    width = tab.page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390, "the page itself does not scroll sideways"
    tab.page.select_option("#correct select[name=person]", label="学员H")
    tab.page.select_option("#correct select[name=hour]", index=1)
    tab.page.fill("#correct input[name=from]", "2025-10-09T08:05:00")
    tab.page.fill("#correct input[name=to]", "2025-10-09T08:06:00")
    tab.page.fill("#correct input[name=reason]", "坐在第二排")
    tab.page.fill("#correct input[name=number]", str(teacher.number))
    tab.page.fill("#correct input[name=pin]", teacher.pin)
    tab.page.fill("#correct input[name=password]", PASSWORD)
    tab.page.click("#correct button")
    tab.page.wait_for_url("**said=corrected*")
    assert tab.page.locator("text=已更正，并写入签名记录。").count() == 1

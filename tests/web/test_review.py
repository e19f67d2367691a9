"""What waits for people: entries by PIN, suspicions, spot checks; by HR's password or a teacher's PIN."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import httpx
import pytest
from playwright.sync_api import Browser

from agent.checkin.journal import Entry, Journal, Outcome
from agent.checkin.liveness import NOT_JUDGED
from agent.checkin.photos import PhotoAlbum
from agent.checkin.pins import Given, set_pin, try_pin
from agent.paths import Paths
from agent.store import classes
from agent.store.database import Store
from agent.store.vault import Vault
from tests.checkin.other_rows import face, type_in
from tests.clocks import ManualClock
from tests.synthetic import picture
from tests.waiting import wait_until
from tests.web.conftest import (
    CHROMIUM,
    CHROMIUM_FLAGS,
    PASSWORD,
    TOKEN,
    Served,
    Tab,
    log_in_tab,
    serving,
    set_password,
    token_in,
)
from tests.web.lesson import CLASS, hold_lesson, show_picture

OPENED = re.compile(r"/review/check-in/([0-9a-f-]{36})/photo")


@dataclass
class Desk:
    """A lesson with what waits in it, made by the product's own handlers."""

    store: Store
    paths: Paths
    clock: ManualClock

    def __post_init__(self) -> None:
        self.lesson = hold_lesson(self.store, self.clock.wall_us)
        self.vault = Vault(self.paths.keys)
        self.album = PhotoAlbum(self.paths.photos, self.vault)
        self.journal = Journal(self.store, self.album)
        self.teacher = self.store.one(
            "SELECT person_id FROM enrolment WHERE role = 'teacher' ORDER BY rowid"
        )[0]

    def pin(self, person: str) -> Given:
        return set_pin(self.store, self.vault, self.clock.now(), person, None, "hr", simulated=True)

    def entry(self, person: str) -> str:
        """An entry by PIN of somebody who is not here yet; the check-in's id."""
        given = self.pin(person)
        self.clock.advance(1)
        show_picture(self.paths, "door", 1, self.clock.wall_us)
        entered = type_in(self.store, self.paths, self.clock, given.number, given.pin, room="room-101")
        assert entered.code == "waiting"
        assert entered.check_in_id is not None
        return entered.check_in_id

    def look(self, outcome: Outcome, number: int, person: str | None = None) -> None:
        """The door answers a made-up face, with a drawn picture."""
        if person is not None and not self.store.row("SELECT 1 FROM consent WHERE person_id = ?", (person,)):
            agreed = {"version": "1", "given_us": self.clock.wall_us, "recorded_by": "hr"}
            self.store.insert("consent", {"person_id": person, **agreed})
        jpeg = cv2.imencode(".jpg", picture(number, 320, 240))[1].tobytes()
        entry = Entry(
            outcome,
            person,
            "made-up",
            0.6,
            0.1,
            0.5,
            4,
            NOT_JUDGED,
            jpeg,
            simulated=True,
            template=face(number),
        )
        assert self.journal.record(entry, self.lesson.session, self.clock.now())

    def facts(self, type_: str) -> list[dict[str, Any]]:
        rows = self.store.rows("SELECT data FROM fact WHERE type = ? ORDER BY id", (type_,))
        return [json.loads(row["data"]) for row in rows]

    def present(self) -> set[str]:
        return {one.person_id for one in classes.present(self.store, self.lesson.session)}


@pytest.fixture
def desk(store: Store, served: Served) -> Desk:
    return Desk(store, served.paths, served.clock)


def send(visitor: httpx.Client, address: str, **fields: str) -> str:
    """Send a form of the review page as it stands now; the page that it leads to."""
    page = visitor.get("/review").text
    token, seen = TOKEN.search(page), seen_of(page, address.partition("?")[0])
    form = {"token": token[1] if token else "", "password": PASSWORD, "seen": seen, **fields}
    form.setdefault("times", seen_of(page, address.partition("?")[0], "times"))
    return visitor.post(address, data=form, follow_redirects=True).text


def seen_of(page: str, address: str, name: str = "seen") -> str:
    """The newest decision's number in the form of the page that is sent to `address`."""
    found = re.search(rf'action="{re.escape(address)}".*?name="{name}" value="(\d+)"', page, re.DOTALL)
    return found[1] if found else ""


def open_photos(visitor: httpx.Client) -> int:
    """Open the photos as a browser does; how many the page showed."""
    found = OPENED.findall(visitor.get("/review?photos").text)
    for check_in in found:
        answer = visitor.get(f"/review/check-in/{check_in}/photo")
        assert answer.status_code == 200
        assert answer.content.startswith(b"\xff\xd8")
        assert answer.headers["cache-control"] == "no-store"
    return len(found)


@pytest.mark.promise("I6", "I9", "I10")
def test_hr_confirms_an_entry_after_looking_at_its_photo(visitor: httpx.Client, desk: Desk) -> None:
    assert "没有待核实的密码签到" in visitor.get("/review").text
    person = desk.lesson.people[19]
    check_in = desk.entry(person)
    address = f"/review/check-in/{check_in}"
    page = visitor.get("/review")
    assert "学员酉" in page.text
    assert not OPENED.search(page.text), "a photo is opened on request alone"
    assert "条密码签到待核实" in visitor.get("/now").text
    assert "先打开照片" in send(visitor, address, decision="confirmed")
    assert open_photos(visitor) == 1
    assert open_photos(visitor) == 1
    (opened,) = desk.facts("access.photo-viewed")
    assert (opened["account"], opened["check_in"]) == ("hr", check_in)
    for wrong in ({"password": "not this one 12"}, {"password": ""}, {"token": "0" * 64}, {"decision": "x"}):
        send(visitor, address, **{"decision": "confirmed", **wrong})
    assert "须写明理由" in send(visitor, address, decision="rejected")
    assert desk.facts("check-in.decided") == []
    assert person not in desk.present()
    assert "写入签名记录" in send(visitor, address, decision="confirmed")
    assert person in desk.present()
    assert "needs its reason" in send(visitor, address + "?lang=en", decision="rejected")
    send(visitor, address, decision="rejected", reason="看错人了")
    assert person not in desk.present()
    assert [one["decision"] for one in desk.facts("check-in.decided")] == ["confirmed", "rejected"]
    assert "看错人了" in visitor.get("/review").text


@pytest.mark.rule("R17")
def test_what_a_word_gives_is_said_where_the_door_knew_the_person_later(
    visitor: httpx.Client, desk: Desk
) -> None:
    person = desk.lesson.people[19]
    address, came_us = f"/review/check-in/{desk.entry(person)}", desk.clock.wall_us
    hint = "现在从 [0-9:]+ 算到课；确认后改从 [0-9:]+ 算起"
    assert not re.search(hint, visitor.get("/review").text)
    desk.clock.advance(600)
    desk.look("accepted", 1, person)
    assert re.search(hint, visitor.get("/review").text)
    assert "confirmed, from" in visitor.get("/review?lang=en").text
    visitor.get("/review?lang=zh")
    open_photos(visitor)
    assert "写入签名记录" in send(visitor, address, decision="confirmed")
    assert not re.search(hint, visitor.get("/review").text)
    here = {one.person_id: one.at_us for one in classes.present(desk.store, desk.lesson.session)}
    assert here[person] == came_us


@pytest.mark.rule("R7")
@pytest.mark.promise("I6", "I10")
def test_three_confirmed_suspicions_raise_the_alarm_on_the_page(visitor: httpx.Client, desk: Desk) -> None:
    session_page = f"/sessions/{desk.lesson.session}"
    assert "没有疑点" in visitor.get("/review").text
    assert "这次课没有疑点" in visitor.get(session_page).text
    for number in range(3):
        desk.look("unknown" if number else "suspected_attack", number)
    page = visitor.get(session_page).text
    assert page.count("陌生人签到") == 2
    assert "疑似照片或屏幕" in page
    assert "3 条疑点待核实" in visitor.get("/now").text
    rows = desk.store.rows("SELECT id FROM suspicion ORDER BY first_us, rowid")
    found = [row["id"] for row in rows]
    assert "先打开照片" in send(visitor, f"/review/suspicion/{found[0]}", decision="confirmed", reason="x")
    assert open_photos(visitor) == 3
    refused = send(
        visitor,
        f"/review/suspicion/{found[0]}",
        decision="confirmed",
        reason='她"本人',
        password="wrong 1234",
    )
    assert "密码不对" in refused
    assert 'value="她&#34;本人" autofocus' in refused, "what was typed is not lost, and stays text"
    assert "wrong 1234" not in refused
    assert "须写明理由" in send(visitor, f"/review/suspicion/{found[0]}", decision="confirmed")
    assert desk.facts("suspicion.decided") == []
    for one in found:
        send(visitor, f"/review/suspicion/{one}", decision="confirmed", reason="不是本班学员")
    assert [one["raised"] for one in desk.facts("class.impostor-alarm")] == [True]
    assert "达到取消本班补贴的标准" in visitor.get("/now").text
    assert "takes this class" in visitor.get("/review?lang=en").text
    send(visitor, f"/review/suspicion/{found[1]}", decision="reopened", reason="再查")
    assert "达到取消" not in visitor.get("/now").text
    assert "1 条疑点待核实" in visitor.get("/now?lang=zh").text


@pytest.mark.promise("I10")
def test_wrong_teachers_logins_use_up_no_tries_of_the_people_at_the_door(
    visitor: httpx.Client, desk: Desk, served: Served
) -> None:
    with served.client() as stranger:

        def log_in() -> int:
            token = token_in(stranger.get("/login/teacher"))
            form = {"token": token, "number": "999", "pin": "000000"}
            return stranger.post("/login/teacher", data=form).status_code

        assert [log_in() for _ in range(6)] == [403, 403, 403, 429, 429, 429]
    assert desk.store.number("SELECT count(*) FROM pin_failure") == 3


@pytest.mark.promise("I10")
def test_a_teacher_in_charge_sees_and_decides_the_lessons_entries_and_nothing_else(
    visitor: httpx.Client, desk: Desk, served: Served
) -> None:
    person = desk.lesson.people[18]
    check_in = desk.entry(person)
    desk.look("unknown", 1)
    given = desk.pin(desk.teacher)
    absent = desk.store.one("SELECT person_id FROM enrolment WHERE role = 'teacher' ORDER BY rowid DESC")[0]
    other = desk.pin(absent)
    with served.client() as teacher:

        def log_in(number: int, pin: str) -> httpx.Response:
            token = token_in(teacher.get("/login/teacher"))
            return teacher.post("/login/teacher", data={"token": token, "number": number, "pin": pin})

        assert log_in(given.number, "000000").status_code == 403
        assert log_in(other.number, other.pin).status_code == 403, "a teacher who has not checked in"
        assert log_in(given.number, given.pin).headers["location"] == "/review"
        page = teacher.get("/review").text
        name = desk.store.one("SELECT name FROM person WHERE id = ?", (person,))[0]
        assert name in page
        assert "陌生人签到" not in page, "suspicions are HR's"
        for path in (
            "/sessions",
            "/records",
            f"/sessions/{desk.lesson.session}",
            "/storage",
            "/health",
            "/pins",
        ):
            assert teacher.get(path).status_code == 403, path
        assert teacher.get("/now").headers["location"] == "/review"
        assert teacher.get("/frames/door.jpg").status_code == 403
        stranger = desk.store.one("SELECT check_in_id FROM suspicion_sighting")[0]
        assert teacher.get(f"/review/check-in/{stranger}/photo").status_code == 404
        suspicion = desk.store.one("SELECT id FROM suspicion")[0]
        token = token_in(teacher.get("/review"))
        form = {"token": token, "decision": "confirmed", "reason": "x", "password": PASSWORD, "seen": "0"}
        assert teacher.post(f"/review/suspicion/{suspicion}", data=form).status_code == 403
        assert teacher.post("/spot-check", data=form).status_code == 403
        address = f"/review/check-in/{check_in}"
        assert "请先打开照片看过再核实" in teacher.post(address, data=form).text
        assert open_photos(teacher) == 1
        assert "done" in teacher.post(address, data=form).headers["location"]
        assert person in desk.present()
        assert desk.facts("check-in.decided")[0]["account"] == f"teacher/{desk.teacher}"
        assert 'href="/sessions/' not in teacher.get("/review").text, "no link to what is closed to teachers"
        desk.store.execute("UPDATE session SET state = 'closed'")
        late = teacher.post(address, data={**form, "decision": "rejected"})
        assert "done" not in late.headers.get("location", "") and "已核实" not in late.text
        assert len(desk.facts("check-in.decided")) == 1
        assert teacher.get(f"{address}/photo").status_code == 404
    assert person in desk.present()


@pytest.mark.promise("I10")
def test_hrs_word_on_an_entry_stands_against_the_teachers(
    visitor: httpx.Client, desk: Desk, served: Served
) -> None:
    person = desk.lesson.people[18]
    address = f"/review/check-in/{desk.entry(person)}"
    given = desk.pin(desk.teacher)
    open_photos(visitor)
    assert "写入签名记录" in send(visitor, address, decision="rejected", reason="不是本人")
    with served.client() as teacher:
        form = {"token": token_in(teacher.get("/login/teacher")), "number": given.number, "pin": given.pin}
        teacher.post("/login/teacher", data=form)
        open_photos(teacher)
        page = teacher.get("/review")
        assert "不是本人" in page.text
        assert address not in page.text.replace(f"{address}/photo", ""), (
            "no form for what is not his to decide"
        )
        seen = str(desk.store.number("SELECT max(number) FROM check_in_decision"))
        form = {"token": token_in(page), "decision": "confirmed", "seen": seen}
        assert "由人社部门更改" in teacher.post(address, data=form).text
    assert person not in desk.present()
    assert len(desk.facts("check-in.decided")) == 1


@pytest.mark.promise("I10")
def test_of_two_who_had_one_case_open_the_second_is_told_of_the_first(
    visitor: httpx.Client, desk: Desk, served: Served
) -> None:
    check_in = desk.entry(desk.lesson.people[19])
    desk.look("unknown", 1)
    suspicion = desk.store.one("SELECT id FROM suspicion")[0]
    cases = {
        f"/review/check-in/{check_in}": "check-in.decided",
        f"/review/suspicion/{suspicion}": "suspicion.decided",
    }
    with served.client() as colleague:
        form = {"token": token_in(colleague.get("/login")), "password": PASSWORD}
        colleague.post("/login", data=form)
        for hr in (visitor, colleague):
            open_photos(hr)
        token = token_in(colleague.get("/review"))
        for address, fact in cases.items():
            assert "写入签名记录" in send(visitor, address, decision="confirmed", reason="看过")
            late = {"token": token, "password": PASSWORD, "decision": "rejected", "reason": "没看见"}
            answer = colleague.post(address, data={**late, "seen": "0"})
            assert "别人作了决定" in answer.text
            assert "看过" in answer.text, "what was decided stands there"
            assert "表单填得不对" in colleague.post(address, data=late).text
            assert [one["decision"] for one in desk.facts(fact)] == ["confirmed"]
            assert "写入签名记录" in send(colleague, address, decision="rejected", reason="两张照片不像")
            assert [one["decision"] for one in desk.facts(fact)] == ["confirmed", "rejected"]


@pytest.mark.rule("R7")
def test_a_look_that_joined_a_suspicion_since_is_not_judged_unseen(visitor: httpx.Client, desk: Desk) -> None:
    desk.look("suspected_attack", 1, desk.lesson.people[3])
    assert open_photos(visitor) == 1
    suspicion = desk.store.one("SELECT id FROM suspicion")[0]
    address = f"/review/suspicion/{suspicion}"
    desk.clock.advance(120)
    desk.look("suspected_attack", 2, desk.lesson.people[3])
    for old in ("1", ""):
        answer = send(visitor, address, decision="rejected", reason="本人", times=old)
        assert "又见到一次" in answer
    assert desk.facts("suspicion.decided") == []
    assert "写入签名记录" in send(visitor, address, decision="rejected", reason="本人")


@pytest.mark.rule("R7")
def test_one_face_as_two_people_is_judged_by_both_photos(visitor: httpx.Client, desk: Desk) -> None:
    first, second = desk.lesson.people[18:20]
    desk.look("accepted", 1, first)
    desk.clock.advance(60)
    desk.look("accepted", 1, second)
    page = visitor.get("/review?photos").text
    rows = desk.store.rows("SELECT id FROM check_in WHERE person_id IN (?, ?)", (first, second))
    assert set(OPENED.findall(page)) == {row["id"] for row in rows}
    case = page.partition('id="suspicions"')[2]
    names = [desk.store.one("SELECT name FROM person WHERE id = ?", (one,))[0] for one in (second, first)]
    assert re.findall(r'<p class="who">(\w+) <small', case) == names, "whose photo is whose"
    suspicion = desk.store.one("SELECT id FROM suspicion")[0]
    address = f"/review/suspicion/{suspicion}"
    of_the_second, of_the_first = OPENED.findall(case)
    for opened in (of_the_second, of_the_first):
        assert "先打开照片" in send(visitor, address, decision="confirmed", reason="同一张脸"), "not both"
        assert visitor.get(f"/review/check-in/{opened}/photo").status_code == 200
    assert desk.facts("suspicion.decided") == []
    assert "写入签名记录" in send(visitor, address, decision="confirmed", reason="同一张脸")


def test_a_stranger_who_typed_a_pin_is_no_riddle(visitor: httpx.Client, desk: Desk) -> None:
    person, hint = desk.lesson.people[19], "内用密码签到：学员酉，"
    desk.look("unknown", 1)
    desk.clock.advance(170)
    desk.entry(person)
    assert hint in visitor.get("/review").text
    assert "Checked in by PIN within three minutes of it: 学员酉." in visitor.get("/review?lang=en").text
    desk.clock.advance(600)
    desk.look("unknown", 2)
    assert visitor.get("/review?lang=zh").text.count(hint) == 1, "another stranger, ten minutes later"


@pytest.mark.rule("R17", "R18")
def test_hr_draws_a_trainee_on_the_sessions_page(visitor: httpx.Client, desk: Desk) -> None:
    page = f"/sessions/{desk.lesson.session}"
    assert "这次课没有抽查" in visitor.get(page).text
    form = {"session": desk.lesson.session, "minutes": "5"}
    assert "密码不对" in send(visitor, "/spot-check", **form, password="wrong 1234")
    assert "1 到 60 分钟" in send(visitor, "/spot-check", **{**form, "minutes": "0"})
    assert "表单填得不对" in send(visitor, "/spot-check", **{**form, "minutes": "x"})
    assert desk.facts("spot-check.drawn") == []
    answer = send(visitor, "/spot-check", **form)
    (drawn,) = desk.facts("spot-check.drawn")
    assert (drawn["origin"], drawn["minutes"], drawn["candidates"]) == ("page", 5, 18)
    assert "前到门口看摄像头" in answer
    assert "上一次抽查还没结束" in send(visitor, "/spot-check", **form)


@pytest.fixture
def at_the_door(paths: Paths, present_clock: ManualClock) -> Iterator[Served]:
    with serving(paths, present_clock, kiosk=True) as running:
        yield running


@pytest.mark.promise("I10")
def test_only_the_screen_at_the_door_takes_a_pin(visitor: httpx.Client, desk: Desk, served: Served) -> None:
    form = {"token": token_in(visitor.get("/review")), "number": "123", "pin": "482913"}
    assert visitor.post("/kiosk/pin", data=form).status_code == 404, "from a phone, whoever is logged in"
    with served.client() as stranger:
        assert stranger.post("/kiosk/pin", data=form).status_code == 401


@pytest.mark.promise("I9", "I10")
def test_typed_on_the_screen_at_the_door_it_is_noted(
    at_the_door: Served, store: Store, open_kiosk: Callable[[Served, str], Tab]
) -> None:
    desk = Desk(store, at_the_door.paths, at_the_door.clock)
    set_password(store, at_the_door)
    given = desk.pin(desk.lesson.people[19])
    show_picture(desk.paths, "door", 1, desk.clock.wall_us)
    tab = open_kiosk(at_the_door, "zh")
    page = tab.page
    page.click("#other-way")

    def type_in(number: str, pin: str) -> None:
        for key in [*number, "ok", *pin, "ok"]:
            page.click(f'#keypad [data-key="{key}"]')

    type_in(str(given.number), "990121")
    page.wait_for_selector("#keypad-outcome:not([hidden])")
    assert "编号或密码不对" in page.inner_text("#keypad-outcome")
    assert page.inner_text("#keypad-pin output") == ""
    for key in [*given.pin, "ok"]:  # the number stays, the PIN does not
        page.click(f'#keypad [data-key="{key}"]')
    page.wait_for_selector('#keypad-outcome[data-good="true"]')
    assert "学*酉" in page.inner_text("#keypad-outcome")
    assert desk.facts("check-in.answered")[0]["outcome"] == "awaiting_confirmation"
    assert page.inner_text("#keypad-number output") == ""
    outside = page.evaluate(
        "[...document.querySelectorAll('#keypad button, #keypad h2, #keypad .outcome')]"
        ".filter((e) => { const b = e.getBoundingClientRect();"
        " return b.right > innerWidth || b.bottom > innerHeight; }).length"
    )
    assert outside == 0, "everything fits on 800 x 480"
    assert tab.problems == []


@pytest.fixture
def open_kiosk(browser: Any) -> Iterator[Callable[[Served, str], Tab]]:
    contexts = []

    def open_it(server: Served, language: str) -> Tab:
        context = browser.new_context(
            base_url=server.url, ignore_https_errors=True, viewport={"width": 800, "height": 480}
        )
        context.set_default_timeout(10_000)
        contexts.append(context)
        tab = Tab(context.new_page(), [])
        tab.page.on("pageerror", lambda error: tab.problems.append(str(error)))
        tab.page.goto(f"/kiosk?lang={language}")
        return tab

    yield open_it
    for context in contexts:
        context.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_in_a_browser_the_page_is_read_and_used(
    visitor: httpx.Client, desk: Desk, open_tab: Callable[..., Tab], width: int
) -> None:
    person = desk.lesson.people[19]
    check_in = desk.entry(person)
    desk.look("unknown", 1)
    tab = open_tab(width)
    log_in_tab(tab)
    page = tab.page
    page.goto("/review?lang=en")
    page.click("text=Open photos >> nth=0")
    loaded = "[...document.querySelectorAll('img.evidence')].filter(i => i.naturalWidth).length == 2"
    wait_until(lambda: page.evaluate(loaded), 10, "both photos are shown")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    case = page.locator(f'[id="{check_in}"]')
    case.locator('input[name="password"]').fill(PASSWORD)
    case.locator('button[value="confirmed"]').click()
    page.wait_for_selector("text=Decided; a signed record says so.")
    assert person in desk.present()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "decided cases, too"


@pytest.mark.promise("I10")
def test_back_shows_no_password_that_was_typed(
    browser: Browser, visitor: httpx.Client, desk: Desk, served: Served
) -> None:
    check_in = desk.entry(desk.lesson.people[19])
    # Playwright switches off the cache that keeps a left page as it was; people's browsers have it.
    kind = browser.browser_type
    with kind.launch(
        executable_path=CHROMIUM, args=CHROMIUM_FLAGS, ignore_default_args=["--disable-back-forward-cache"]
    ) as opened:
        page = opened.new_context(base_url=served.url, ignore_https_errors=True).new_page()
        log_in_tab(Tab(page, []))
        page.goto("/review?photos")
        page.wait_for_load_state("networkidle")
        page.evaluate("() => { window.isTheSame = true; }")
        password = page.locator(f'[id="{check_in}"] input[name="password"]')
        password.fill(PASSWORD)
        page.click(f'[id="{check_in}"] button[value="confirmed"]')
        page.wait_for_url("**said=done**")
        page.evaluate("history.back()")
        page.wait_for_url("**/review?photos", wait_until="commit")
        assert page.evaluate("() => window.isTheSame === true"), "the browser kept the page"
        assert password.input_value() == ""


@pytest.mark.promise("I6", "I10")
def test_hr_gives_a_pin_on_the_page_where_it_is_shown_once(visitor: httpx.Client, desk: Desk) -> None:
    person = desk.lesson.people[19]

    def ask(**fields: str) -> str:
        token = token_in(visitor.get("/pins"))
        form = {"token": token, "class": CLASS, "person": person, "password": PASSWORD, **fields}
        return visitor.post("/pins", data=form).text

    assert "given" not in visitor.get("/pins").text
    assert "密码不对" in ask(what="give", password="wrong 1234")
    assert "表单填得不对" in ask(what="give", person="nobody")
    assert "表单填得不对" in ask(what="registered")
    assert desk.facts("person.pin-changed") == []
    shown = re.search(r'<b id="given">(\d{6})</b>', ask(what="give"))
    assert shown
    assert shown[1] not in visitor.get("/pins").text
    number = desk.store.one("SELECT number FROM pin")[0]
    assert try_pin(desk.store, desk.vault, desk.clock.now(), str(number), shown[1]).person_id == person
    assert "已确认" in ask(what="registered", person=desk.teacher)
    assert desk.facts("person.teacher-registered") == [{"registered": True}]
    ask(what="remove")
    assert [one["change"] for one in desk.facts("person.pin-changed")] == ["set", "removed"]

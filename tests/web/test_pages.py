"""The pages as people meet them, in a real browser against the real server."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agent.configuration.setup_code import ensure_setup_code
from agent.paths import Paths
from agent.store.database import Store
from tests.waiting import wait_until
from tests.web.conftest import PASSWORD, Served, Tab, log_in_tab, set_password
from tests.web.lesson import TITLE, answer, count_heads, hold_lesson, show_picture

OpenTab = Callable[..., Tab]


def test_first_start_asks_for_the_setup_code_and_a_password_twice(
    served: Served, store: Store, open_tab: OpenTab
) -> None:
    code = ensure_setup_code(served.paths.keys, store)
    assert code is not None
    page = open_tab().page
    page.goto("/now")
    assert page.url.endswith("/setup")
    page.fill("#code", code)
    page.fill("#password", PASSWORD)
    page.fill("#again", PASSWORD + "x")
    page.click("main button")
    assert "两次输入的密码不一样" in page.inner_text(".problems")
    page.fill("#code", "WRONG")
    page.fill("#password", PASSWORD)
    page.fill("#again", PASSWORD)
    page.click("main button")
    assert "设置码不对" in page.inner_text(".problems")
    page.fill("#code", code)
    page.fill("#password", PASSWORD)
    page.fill("#again", PASSWORD)
    page.click("main button")
    page.wait_for_url("**/login*")
    page.fill("#password", PASSWORD)
    page.click("main button")
    page.wait_for_url("**/now")
    assert "今天没有课次安排" in page.inner_text("h1")


@pytest.mark.rule("R17")
def test_now_shows_the_lesson_and_follows_it_without_reload(
    served: Served, store: Store, paths: Paths, open_tab: OpenTab
) -> None:
    set_password(store, served)
    now_us = served.clock.now().wall_us
    lesson = hold_lesson(store, now_us, present=17)
    count_heads(store, lesson.session, now_us, 17, 18)
    show_picture(paths, "rear", 1, now_us, boxes=[[10, 20, 60, 80, 0.9]])
    tab = open_tab()
    log_in_tab(tab)
    page = tab.page
    assert page.inner_text("h1") == TITLE
    assert "17/20" in page.inner_text(".number >> nth=0")
    assert "比签到少 1 人" in page.inner_text(".number >> nth=1")
    assert page.is_visible(".demo")
    page.evaluate("window.stayed = true")
    answer(store, lesson.session, lesson.people[17], "accepted", served.clock.now().wall_us)
    show_picture(paths, "rear", 2, now_us + 1_000_000, boxes=[])
    wait_until(lambda: "18/20" in page.inner_text(".number >> nth=0"), 5, "the new check-in shows")
    wait_until(
        lambda: str(now_us + 1_000_000) in (page.get_attribute(".rear img", "src") or ""),
        5,
        "the new picture",
    )
    assert page.evaluate("window.stayed") is True


def test_the_page_says_so_when_the_device_is_gone(served: Served, store: Store, open_tab: OpenTab) -> None:
    set_password(store, served)
    tab = open_tab()
    log_in_tab(tab)
    tab.page.route("**/now/board", lambda route: route.abort())
    wait_until(lambda: tab.page.is_visible("#lost"), 5, "the page says that the connection is lost")
    tab.page.unroute("**/now/board")
    wait_until(lambda: not tab.page.is_visible("#lost"), 5, "the page goes on by itself")
    tab.problems[:] = [p for p in tab.problems if "ERR_FAILED" not in p]


def test_no_page_scrolls_sideways_on_a_phone(
    served: Served, store: Store, paths: Paths, open_tab: OpenTab
) -> None:
    set_password(store, served)
    now_us = served.clock.now().wall_us
    lesson = hold_lesson(store, now_us)
    show_picture(paths, "door", 1, now_us)
    tab = open_tab(width=360, height=640)
    log_in_tab(tab)
    pages = ("/now", "/sessions", f"/sessions/{lesson.session}", "/player", "/records", "/storage", "/health")
    for address in (f"{page}?lang={language}" for page in pages for language in ("zh", "en")):
        answer = tab.page.goto(address)
        assert answer is not None
        assert answer.status == 200
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= 360, address


def test_language_is_switched_and_kept(served: Served, store: Store, open_tab: OpenTab) -> None:
    set_password(store, served)
    tab = open_tab()
    log_in_tab(tab)
    assert tab.page.get_attribute("html", "lang") == "zh-CN"
    tab.page.click("text=English")
    assert tab.page.inner_text("h1") == "No session planned"
    tab.page.click("nav >> text=Sessions")
    assert tab.page.get_attribute("html", "lang") == "en"
    tab.page.click("text=中文")
    assert tab.page.get_attribute("html", "lang") == "zh-CN"

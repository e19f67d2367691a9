"""The page of one session reads what belongs to the session's own time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from agent.paths import Paths
from agent.store import continuity
from agent.store.continuity import Judgement
from agent.store.database import Store
from agent.web.locale import local
from tests.web.conftest import Served, Tab, log_in_tab, set_password
from tests.web.lesson import MINUTE_US, Lesson, Tape, count_heads, film, hold_lesson

SECOND_US = 1_000_000


def test_the_chart_is_drawn_of_the_session_s_own_time(
    visitor: httpx.Client, served: Served, store: Store
) -> None:
    """A picture that was counted late, or under a wrong clock, is no part of the lesson's chart."""
    now_us = served.clock.now().wall_us
    lesson = hold_lesson(store, now_us, opened_minutes_ago=120)
    closed_us = lesson.opened_us + 90 * MINUTE_US
    store.execute("UPDATE session SET state = 'closed', closed_us = ?", (closed_us,))
    for minute in range(0, 90, 10):
        count_heads(store, lesson.session, lesson.opened_us + minute * MINUTE_US, 17, 18)
    page = visitor.get(f"/sessions/{lesson.session}")
    assert page.status_code == 200
    for at_us in (lesson.opened_us - 1, closed_us, closed_us + 20 * MINUTE_US):
        count_heads(store, lesson.session, at_us, 73, 18)
    assert chart(visitor.get(page.url.path)) == chart(page)


def state_judgements(store: Store, session: str, now_us: int) -> None:
    """Two of them, the second for a corrected clock."""
    first, second = (f"00000000-0000-4000-8000-00000000000{number}" for number in (1, 2))
    for each in (
        Judgement(first, session, now_us, None, (), {"verdict": "met"}, {}, True),
        Judgement(second, session, now_us, first, ("clock_corrected",), {"verdict": "not_met"}, {}, True),
    ):
        continuity.insert_judgement(store, each)


def chart(page: httpx.Response) -> str:
    """The drawing as the page holds it."""
    begin, end = page.text.index("<polyline"), page.text.rindex("</svg>")
    return page.text[begin:end]


@pytest.mark.rule("R3")
def test_the_page_shows_each_class_hour_as_the_console_judges_it(
    open_tab: Callable[..., Tab], served: Served, store: Store, paths: Paths, tmp_path: Path
) -> None:
    """A practical under Jiaozuo's notice: the whole is wanted, and a camera that failed for two seconds and a
    half is not met, with the reason beside it."""
    now_us = served.clock.now().wall_us
    lesson = hold_lesson(store, now_us, opened_minutes_ago=1)
    start_us = lesson.opened_us
    store.execute(
        "UPDATE session SET state = 'closed', planned_start_us = ?, planned_end_us = ?, closed_us = ?",
        (start_us, start_us + 20 * SECOND_US, start_us + 20 * SECOND_US),
    )
    tape = Tape(store, paths, served.clock, film(tmp_path, seconds=10))
    tape.record(start_us, segments=2)
    tape.record(start_us + 12_500_000, segments=2)
    tape.gap("camera", start_us + 10 * SECOND_US, start_us + 12_500_000)
    set_password(store, served)
    tab = open_tab()
    log_in_tab(tab)
    page = tab.page
    page.goto(f"/sessions/{lesson.session}")
    rows = page.locator("#class-hours tbody tr")
    assert rows.count() == 2
    assert "10000000 µs" in rows.nth(0).inner_text() and "达到要求" in rows.nth(0).inner_text()
    second = rows.nth(1).inner_text()
    assert "摄像头中断" in second and "未达到要求" in second and "7500000 µs" in second
    assert "焦人社文〔2021〕15号" in page.locator("#class-hours").inner_text()
    state_judgements(store, lesson.session, now_us)
    page.goto(f"/sessions/{lesson.session}")
    newest, older = (each.inner_text() for each in page.locator("#class-hours p.stated").all())
    assert "已签署的判定" in newest and "未达到要求" in newest and "更正：时钟已更正" in newest
    assert "已被取代" in older
    page.goto(f"/sessions/{lesson.session}?lang=en")
    assert "does not meet the demand" in page.locator("#class-hours").inner_text()


def _opened_three_minutes_late(store: Store, served: Served) -> tuple[int, Lesson]:
    """Its opening, and a lesson of one class hour that ended 20 s after it."""
    lesson = hold_lesson(store, served.clock.now().wall_us, opened_minutes_ago=5)
    start_us = lesson.opened_us
    store.execute(
        "UPDATE session SET state = 'closed', class_hours = 1, planned_start_us = ?, planned_end_us = ?,"
        " closed_us = ?",
        (start_us - 3 * MINUTE_US, start_us + 20 * SECOND_US, start_us + 20 * SECOND_US),
    )
    return start_us, lesson


def test_what_was_missing_before_the_lesson_was_opened_is_one_and_the_same_gap_everywhere(
    visitor: httpx.Client, served: Served, store: Store, paths: Paths, tmp_path: Path
) -> None:
    """Planned at eight, opened and recorded three minutes later: no part of the page calls that complete."""
    start_us, lesson = _opened_three_minutes_late(store, served)
    tape = Tape(store, paths, served.clock, film(tmp_path, seconds=20))
    tape.record(start_us - 30 * MINUTE_US, segments=1)
    tape.record(start_us, segments=1)
    page = visitor.get(f"/sessions/{lesson.session}").text
    facts, hours = page[: page.index("class-hours")], page[page.index("class-hours") :]
    assert "没有缺口" not in page
    assert (
        ">3 分 00 秒</span>" in facts and "缺口 3 分 00 秒：" in facts and "3 分 00 秒：没有说明原因" in hours
    )
    assert "缺口 3 分 00 秒" in visitor.get("/sessions").text or local(start_us).hour < 1
    tape.gap("camera", start_us - 3 * MINUTE_US, start_us)
    page = visitor.get(f"/sessions/{lesson.session}").text
    assert "缺口 3 分 00 秒：摄像头中断" in page and "没有说明原因" not in page


@pytest.mark.promise("I3")
def test_a_lesson_before_the_first_footage_says_that_nothing_was_in_service(
    visitor: httpx.Client, served: Served, store: Store, paths: Paths, tmp_path: Path
) -> None:
    start_us, lesson = _opened_three_minutes_late(store, served)
    before = visitor.get(f"/sessions/{lesson.session}").text
    assert "3 分 20 秒：录像设备尚未启用" in before and "没有说明原因" not in before
    Tape(store, paths, served.clock, film(tmp_path, seconds=20)).record(start_us, segments=1)
    page = visitor.get(f"/sessions/{lesson.session}").text
    assert page.count("3 分 00 秒：录像设备尚未启用") == 2, "in the line of time and in the class hour"
    assert "没有说明原因" not in page
    assert "not in service yet" in visitor.get(f"/sessions/{lesson.session}?lang=en").text


def test_a_stated_gap_of_less_than_a_second_is_no_seam(
    visitor: httpx.Client, served: Served, store: Store, paths: Paths, tmp_path: Path
) -> None:
    lesson = hold_lesson(store, served.clock.now().wall_us, opened_minutes_ago=1)
    start_us = lesson.opened_us
    store.execute(
        "UPDATE session SET state = 'closed', class_hours = 1, planned_start_us = ?, planned_end_us = ?,"
        " closed_us = ?",
        (start_us, start_us + 20_600_000, start_us + 20_600_000),
    )
    tape = Tape(store, paths, served.clock, film(tmp_path, seconds=10))
    tape.record(start_us, segments=1)
    tape.record(start_us + 10_600_000, segments=1)
    assert "没有缺口" in visitor.get(f"/sessions/{lesson.session}").text.split("class-hours")[0]
    tape.gap("camera", start_us + 10 * SECOND_US, start_us + 10_600_000)
    page = visitor.get(f"/sessions/{lesson.session}").text
    assert "没有缺口" not in page
    assert ">不到 1 秒</span>" in page and "600 毫秒：摄像头中断" in page

"""The page of one session reads what belongs to the session's own time."""

from __future__ import annotations

import httpx

from agent.store.database import Store
from tests.web.conftest import Served
from tests.web.lesson import MINUTE_US, count_heads, hold_lesson


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


def chart(page: httpx.Response) -> str:
    """The drawing as the page holds it."""
    begin, end = page.text.index("<polyline"), page.text.rindex("</svg>")
    return page.text[begin:end]

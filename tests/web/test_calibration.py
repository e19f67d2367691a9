"""HR staff count people in pictures on the page; the room's cut, coverage and masks follow, as a record."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import expect

from agent.paths import Paths
from agent.store import calibration, tamper
from agent.store.database import Store
from agent.web.calibration_draft import KEPT_S, MOST_BYTES, MOST_PICTURES
from tests.evidence.schemas import problems_of
from tests.web.conftest import PASSWORD, Served, Tab, log_in_tab, set_password, token_in
from tests.web.lesson import show_picture

SECOND_US = 1_000_000


def show(served: Served, number: int, boxes: list[tuple[int, int, int, int, float]]) -> None:
    at_us = served.clock.now().wall_us + number * SECOND_US
    show_picture(served.paths, "rear", number, at_us, boxes=boxes, detector="test-heads", cut=0.5)


def heads(count: int, sure: float, *, chairs: int = 0) -> list[tuple[int, int, int, int, float]]:
    found = []
    for seat in range(count + chairs):
        left, top = 20 + seat % 8 * 75, 60 + seat // 8 * 55
        size = 14 + seat // 8 * 4
        score = sure if seat < count else 0.12
        found.append((left, top, left + size, top + size, round(score - seat * 0.002, 3)))
    return found


def post(visitor: httpx.Client, address: str, **form: str) -> httpx.Response:
    token = token_in(visitor.get("/calibration"))
    return visitor.post(address, data={"token": token, **form}, follow_redirects=True)


def facts(store: Store) -> list[dict[str, object]]:
    rows = store.rows("SELECT data FROM fact WHERE type = 'room.calibrated' ORDER BY id")
    found = [json.loads(row["data"]) for row in rows]
    for data in found:
        assert problems_of("facts/room.calibrated", data) == []
    return found


@pytest.mark.rule("R6")
def test_counted_pictures_fit_the_room_and_the_newest_calibration_counts(
    visitor: httpx.Client, served: Served, store: Store
) -> None:
    room = served.settings.node.room
    for number in range(3):
        show(served, number, heads(24, 0.44, chairs=4))
        assert post(visitor, "/calibration/take").url.query.startswith(b"said=taken")
        answered = post(visitor, "/calibration/count", picture=str(number), people="24")
        assert b"said=counted" in answered.url.query
    page = visitor.get("/calibration").text
    assert visitor.get("/calibration/picture/0").content.startswith(b"\xff\xd8")
    assert page.count('name="people"') == 3
    assert b"said=password" in post(visitor, "/calibration/fit", kind="count", password="x").url.query
    assert facts(store) == [] and calibration.newest_calibration(store, room) is None
    assert b"said=fitted" in post(visitor, "/calibration/fit", kind="count", password=PASSWORD).url.query
    (said,) = facts(store)
    cut = calibration.cut_of(store, room)
    assert cut is not None and 0.12 < cut < 0.5, "all were missed at the default, and are found now"
    assert calibration.cut_of(store, room, "another") is None
    assert (said["account"], said["cut"], said["fit"]["people"]) == ("hr", cut, 72)  # type: ignore[index]
    assert visitor.get("/calibration/picture/0").status_code == 404, "pictures of people do not stay"


@pytest.mark.promise("I6")
def test_a_picture_that_is_counted_is_recorded_as_viewed_once_and_goes_when_nobody_touches_it(
    visitor: httpx.Client, served: Served, store: Store
) -> None:
    show(served, 1, heads(6, 0.8))
    post(visitor, "/calibration/take")

    def views() -> list[dict[str, object]]:
        rows = store.rows("SELECT data FROM fact WHERE type = 'access.evidence-viewed' ORDER BY id")
        found = [json.loads(row["data"]) for row in rows]
        assert all(problems_of("facts/access.evidence-viewed", each) == [] for each in found)
        return found

    assert views() == [], "taking one shows nobody anything"
    for _ in range(2):
        assert visitor.get("/calibration/picture/0").status_code == 200
    (said,) = views()
    at_us = served.clock.now().wall_us + SECOND_US
    assert (said["account"], said["what"], said["start_us"]) == ("hr", "calibration-picture", at_us)
    served.clock.advance(KEPT_S - 1)
    answered = post(visitor, "/calibration/count", picture="0", people="6")
    assert b"said=counted" in answered.url.query
    served.clock.advance(KEPT_S - 1)
    assert visitor.get("/calibration/picture/0").status_code == 200, "counting it touched it"
    served.clock.advance(1)
    assert visitor.get("/calibration/picture/0").status_code == 404
    assert b"said=gone" in post(visitor, "/calibration/count", picture="0", people="6").url.query


@pytest.mark.promise("I12")
def test_no_picture_however_large_fills_the_page_servers_memory(
    visitor: httpx.Client, served: Served, paths: Paths
) -> None:
    for number in range(MOST_PICTURES):
        show(served, number, [])
        assert b"said=taken" in post(visitor, "/calibration/take").url.query
    show(served, MOST_PICTURES, [])
    assert b"said=full" in post(visitor, "/calibration/take").url.query
    post(visitor, "/calibration/clear")
    (paths.frames / "rear.jpg").write_bytes(bytes(MOST_BYTES + 1))
    assert b"said=large" in post(visitor, "/calibration/take").url.query
    assert visitor.get("/calibration/picture/0").status_code == 404


def test_an_empty_room_gives_reference_masks_and_coverage_and_a_moved_camera_voids_it(
    visitor: httpx.Client, served: Served, store: Store
) -> None:
    room = served.settings.node.room
    assert visitor.get("/calibration/coverage.jpg").status_code == 404
    for number in (7, 8):
        show(served, number, [(300, 100, 330, 130, 0.9)])
        post(visitor, "/calibration/take")
    assert b"said=emptied" in post(visitor, "/calibration/fit", kind="empty", password=PASSWORD).url.query
    found = calibration.calibration_of(store, room)
    assert found is not None and len(found.masks) == 1 and found.cut is None
    assert visitor.get("/calibration/coverage.jpg").content.startswith(b"\xff\xd8")
    now_us = served.clock.now().wall_us
    with store.transaction():
        tamper.begin(store, room, "moved", now_us + 1, now_us + 2, simulated=True)
    assert calibration.calibration_of(store, room) is None
    assert "标定失效" in visitor.get("/calibration").text


BAD_COUNTS: list[tuple[dict[str, str], bytes]] = [
    ({"picture": "0", "people": "-1"}, b"number"),
    ({"picture": "0", "people": "1001"}, b"number"),
    ({"picture": "0", "people": "9e9"}, b"number"),
    ({"picture": "5", "people": "3"}, b"gone"),
    ({"picture": "-1", "people": "3"}, b"gone"),
    ({"picture": "0", "people": "3", "missed": "[[1e999, 2]]"}, b"marks"),
    ({"picture": "0", "people": "3", "missed": "{}"}, b"marks"),
    ({"picture": "0", "people": "3", "false": "[99]"}, b"marks"),
    ({"picture": "0", "people": "3", "false": "[" * 4000}, b"marks"),
]


def test_what_is_no_count_is_refused_with_a_word(visitor: httpx.Client, served: Served) -> None:
    show(served, 3, heads(4, 0.8))
    post(visitor, "/calibration/take")
    for form, word in BAD_COUNTS:
        assert b"said=" + word in post(visitor, "/calibration/count", **form).url.query, form


def test_without_a_picture_there_is_nothing_to_count(visitor: httpx.Client, paths: Paths) -> None:
    assert b"said=nothing" in post(visitor, "/calibration/take").url.query
    (paths.frames / "rear.json").write_text('{"at_us": "x"}')
    assert b"said=nothing" in post(visitor, "/calibration/take").url.query
    assert b"said=uncounted" in post(visitor, "/calibration/fit", kind="count").url.query


def test_marks_are_clicked_in_the_browser(open_tab: Callable[..., Tab], served: Served, store: Store) -> None:
    set_password(store, served)
    show(served, 5, heads(6, 0.8))
    tab = open_tab()
    log_in_tab(tab)
    page = tab.page
    page.goto("/calibration")
    page.get_by_role("button", name="取一张画面").click()
    people = page.locator("input[name=people]")
    expect(people).to_have_value("6")  # the script has read the picture: from here on it answers clicks
    page.locator(".marks rect").first.click()
    expect(people).to_have_value("5")
    box = page.locator(".marks").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.8, box["y"] + box["height"] * 0.9)
    expect(people).to_have_value("6")
    page.get_by_role("button", name="记下").click()
    expect(page.get_by_text("已数 6 人").first).to_be_visible()
    expect(page.locator(".marks rect.false")).to_have_count(1)
    expect(page.locator(".marks circle")).to_have_count(1)

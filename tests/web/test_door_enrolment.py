"""Enrolment at the door camera is followed on the page as it goes, and cancelled there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import httpx
import pytest

from agent import board
from agent.checkin.photos import encode_jpeg
from agent.clock import SystemClock
from agent.paths import Paths
from agent.store.database import Store
from models.images import BGRImage
from tests.checkin.doorway import Standing, scene
from tests.waiting import wait_until
from tests.web.conftest import PASSWORD, Served, Tab, log_in_tab, set_password, token_in
from tests.web.test_people import PERSON, roster, templates

__all__ = ["roster"]

STATE = "/people/door/state"


class Door:
    """Publishes `pictures`, one after the other, as the check-in role does."""

    def __init__(self, paths: Paths) -> None:
        self.pictures: list[BGRImage] = []
        self._paths = paths
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._publish)
        self._thread.start()

    def _publish(self) -> None:
        number = 0
        while not self._stop.wait(0.1):
            shown = self.pictures
            if shown:
                image = shown[number % len(shown)]
                about = {"at_us": SystemClock().now().wall_us, "width": image.shape[1], "simulated": True}
                board.publish_frame(self._paths.frames, "door", encode_jpeg(image), about)
                number += 1

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


@pytest.fixture
def door(paths: Paths) -> Iterator[Door]:
    running = Door(paths)
    yield running
    running.stop()


@pytest.mark.rule("R1")
def test_what_the_person_is_told_is_seen_on_the_page_until_the_face_is_enrolled(
    roster: str, store: Store, served: Served, open_tab: Callable[..., Tab], door: Door
) -> None:
    two = scene(Standing("obama.jpg", centre_x=280), Standing("biden.jpg", centre_x=680))
    one = [scene(Standing(name)) for name in ("obama.jpg", "obama2.jpg", "obama3.jpg")]
    set_password(store, served)
    tab = open_tab()
    log_in_tab(tab)
    page = tab.page
    page.set_default_timeout(30_000)
    door.pictures = [two]
    page.goto("/people?lang=zh")
    page.click("details summary")
    page.fill("[name=consent_version]", "2026-1")
    page.fill(f"form[action='/people/{PERSON}/enrol'] [name=password]", PASSWORD)
    page.click("button[value=door]")
    page.wait_for_selector("text=请只留本人在画面里")
    page.goto("/people/door?lang=en")
    page.wait_for_selector("text=Only this person may be in the picture")
    assert page.inner_text(".count") == "0 / 3" and templates(store) == 0
    door.pictures = one
    page.wait_for_selector("text=3 templates enrolled")
    assert templates(store) == 3
    fact = store.one("SELECT simulated FROM fact WHERE type = 'person.enrolled'")
    assert fact["simulated"] == 1
    page.click("text=Back to the list")
    page.wait_for_selector("summary .chip.good")


@pytest.mark.promise("I10")
def test_one_at_a_time_and_cancelled_by_who_began_it(
    roster: str, visitor: httpx.Client, served: Served, store: Store
) -> None:
    token = token_in(visitor.get("/people"))
    assert visitor.get("/people/door").status_code == 404
    form = {"token": token, "class": roster, "consent_version": "1", "source": "door", "password": PASSWORD}
    assert visitor.post(f"/people/{PERSON}/enrol", data={**form, "password": "no"}).status_code == 403
    assert visitor.get(STATE).status_code == 404, "nothing began"
    assert visitor.post(f"/people/{PERSON}/enrol", data=form).headers["location"] == "/people/door"
    assert visitor.post(f"/people/{PERSON}/enrol", data=form).status_code == 409
    wait_until(lambda: "没有新画面" in visitor.get(STATE).json()["said"], 30, "says that no picture comes")
    with served.client() as other:
        answer = other.post("/login", data={"token": token_in(other.get("/login")), "password": PASSWORD})
        assert answer.status_code == 303
        assert other.get(STATE).status_code == 404, "not this visitor's"
        theirs = token_in(other.get("/people"))
        assert other.post("/people/door/cancel", data={"token": theirs}).status_code == 404
    assert visitor.get(STATE).json()["result"] is None
    assert visitor.post("/people/door/cancel").status_code == 403, "no token"
    assert visitor.post("/people/door/cancel", data={"token": token}).status_code == 303
    wait_until(lambda: visitor.get(STATE).json()["result"] is not None, 10, "is over")
    result = visitor.get(STATE).json()["result"]
    assert result["level"] == "bad" and "已取消" in result["lines"][0]
    assert not store.rows("SELECT 1 FROM consent") and templates(store) == 0

"""Seeking about the place where one run of the camera ends and the next begins, in a real browser.

The pictures of the first run are reordered (two B-frames): its last two reach beyond the next run's first.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, Route

from agent.paths import Paths
from agent.store.database import Store
from tests.synthetic import clip
from tests.waiting import wait_until
from tests.web.conftest import Served, set_password
from tests.web.lesson import Lesson, Tape, film, hold_lesson
from tests.web.test_player import SECOND_US, OpenTab, open_view, shown_number, wait_until_shown

START_S = 60.0
"""The view begins a minute before the session."""


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(with B-frames, larger and without): eight seconds each."""
    folder = tmp_path_factory.mktemp("films")
    larger = clip(folder / "larger.mp4", seconds=8, size=(640, 368), b_frames=0)
    return film(folder, seconds=8, b_frames=2), larger


@pytest.fixture
def lesson(served: Served, store: Store, paths: Paths, films: tuple[Path, Path]) -> Lesson:
    """Two files of one run, 12 s without camera, one file of another run in another size."""
    set_password(store, served)
    lesson = hold_lesson(store, served.clock.now().wall_us, opened_minutes_ago=2)
    tape = Tape(store, paths, served.clock, films[0])
    tape.record(lesson.opened_us, segments=2)
    tape.gap("camera", lesson.opened_us + 8 * SECOND_US, lesson.opened_us + 20 * SECOND_US)
    tape.film = films[1]
    tape.record(lesson.opened_us + 20 * SECOND_US, segments=1, first_tick=77_000)
    return lesson


def pause_with_all_loaded_to_the_end(page: Page) -> None:
    """The playlist, in which the gap takes no time, ends at 16 s."""
    page.click("#toggle")
    to_the_end = "video.paused && video.currentTime + hls.mainForwardBufferInfo?.len > 15.9"
    wait_until(lambda: page.evaluate(to_the_end), 15, "everything from the playhead to the end is loaded")


def shows(page: Page, lesson_s: float, picture: int, width: int) -> None:
    """Seek there and wait for its picture."""
    page.evaluate(f"seekTo({START_S + lesson_s})")
    wait_until_shown(page, picture, width)


@pytest.mark.rule("R18")
def test_what_follows_a_gap_stays_whole_when_what_is_before_it_is_loaded_later(
    lesson: Lesson, open_tab: OpenTab
) -> None:
    page = (tab := open_tab()).page
    open_view(tab, lesson, lesson.opened_us + 20 * SECOND_US)
    pause_with_all_loaded_to_the_end(page)
    shows(page, 2.55, 23, 320)
    all_loaded = "hls.mainForwardBufferInfo.len > 13.3"
    wait_until(lambda: page.evaluate(all_loaded), 15, "what is before the gap is loaded up to what follows")
    for lesson_s, picture in ((20.55, 5), (20.05, 0), (20.95, 9), (20.25, 2), (21.05, 10)):
        shows(page, lesson_s, picture, 640)
    shows(page, 7.75, 75, 320)
    shows(page, 14, 0, 640)


def test_a_picture_sought_while_those_beside_it_are_loaded_again_comes_with_them(
    lesson: Lesson, open_tab: OpenTab
) -> None:
    page = (tab := open_tab()).page
    asked: list[str] = []
    held: list[Route] = []

    def hold_second_part_when_asked_again(route: Route) -> None:
        part = f"{route.request.url} {route.request.headers['range']}"
        if not held and len(asked) > 2 and part == asked[2]:
            held.append(route)
            return
        asked.append(part)
        route.continue_()

    page.route("**/files/**", hold_second_part_when_asked_again)
    open_view(tab, lesson, lesson.opened_us + 6 * SECOND_US)  # the header, then the parts from 6 s on
    pause_with_all_loaded_to_the_end(page)
    shows(page, 2.55, 23, 320)  # and on from there: of the second file all, too
    wait_until(lambda: page.evaluate("true") and held, 15, "the second part from 6 s on is asked for again")
    page.evaluate(f"seekTo({START_S + 7.05})")
    wait_until(lambda: page.evaluate("!video.seeking && video.readyState >= 2"), 10, "the seek is over")
    wait_until(lambda: shown_number(page) == 70, 10, "the next one, for the picture asked for is not there")
    held[0].continue_()
    wait_until(lambda: shown_number(page) == 68, 10, "the picture asked for")

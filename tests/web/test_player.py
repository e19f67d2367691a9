"""Recorded time, really played by a browser from files that the real segment writer made."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Page, Response

from agent import bmff, board
from agent.paths import Paths
from agent.recording.segment_writer import segment_path
from agent.store.database import Store
from tests.synthetic import clip
from tests.waiting import wait_until
from tests.web.conftest import Served, Tab, log_in, log_in_tab, set_password, token_in
from tests.web.lesson import Lesson, Tape, film, hold_lesson

FOOTAGE = (
    "/player/{view}/index.m3u8",
    "/player/{view}/media.m3u8",
    "/player/{view}/timeline",
    "/player/{view}/files/{run}/0.mp4",
    "/player/{view}/stretches/{run}/0.mp4",
)
OpenTab = Callable[..., Tab]
SECOND_US = 1_000_000


@pytest.fixture(scope="module")
def eight_seconds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("film"), seconds=8, b_frames=2)


@pytest.fixture
def lesson(served: Served, store: Store) -> Lesson:
    set_password(store, served)
    return hold_lesson(store, served.clock.now().wall_us, opened_minutes_ago=2)


@pytest.fixture
def tape(served: Served, store: Store, paths: Paths, eight_seconds: Path) -> Tape:
    return Tape(store, paths, served.clock, eight_seconds)


def open_view(tab: Tab, lesson: Lesson, at_us: int) -> None:
    """Log in, give a reason, and come to the player at `at_us`."""
    log_in_tab(tab)
    tab.page.goto(f"/player?session={lesson.session}&at={at_us}")
    tab.page.select_option("#reason", "on_site")
    tab.page.click("main button")
    tab.page.wait_for_url("**/player/*-*")


def played(page: Page) -> float:
    """Where the playhead stands on the time line, in seconds from the start of the view."""
    return float(page.evaluate("position"))


def shown_number(page: Page) -> int:
    """The number in the picture that the browser shows now (tests/synthetic.py)."""
    return int(page.evaluate(READ_NUMBER))


def wait_until_shown(page: Page, number: int, width: int) -> None:
    """Both, for the browser paints a picture a moment before it reports its size."""

    def shown() -> tuple[int, int]:
        return shown_number(page), int(page.evaluate("video.videoWidth"))

    wait_until(lambda: shown() == (number, width), 10, f"picture {number}, {width} wide")


READ_NUMBER = """() => {
  const video = document.getElementById("video"), canvas = document.createElement("canvas");
  canvas.width = video.videoWidth; canvas.height = video.videoHeight;
  const context = canvas.getContext("2d"), side = Math.floor(canvas.width / 16);
  context.drawImage(video, 0, 0);
  let number = 0;
  for (let place = 0; place < 16; place++) {
    const middle = context.getImageData(place * side + side / 2, side / 2, 1, 1).data;
    number = number * 2 + (middle[0] > 127 ? 1 : 0);
  }
  return number;
}"""


@pytest.mark.rule("R18")
def test_plays_on_through_segments_and_over_a_gap_that_it_names(
    lesson: Lesson, tape: Tape, open_tab: OpenTab
) -> None:
    start_us = lesson.opened_us
    # Two segments of a run that began 100 000 ticks earlier, 12 s without camera, then another run.
    tape.record(start_us, segments=2, first_tick=100_000)
    tape.gap("camera", start_us + 8 * SECOND_US, start_us + 20 * SECOND_US)
    tape.record(start_us + 20 * SECOND_US, segments=1)
    tab = open_tab()
    open_view(tab, lesson, start_us + 2 * SECOND_US)
    page = tab.page
    offset = 60.0  # the view begins a minute before the session
    wait_until(lambda: played(page) > offset + 2.2, 10, "it starts where it was asked to")
    assert played(page) < offset + 4
    page.select_option("#speed", "4")
    wait_until(lambda: played(page) > offset + 4.5, 10, "the second segment plays")
    wait_until(lambda: played(page) > offset + 20.5, 10, "it steps over the gap")
    assert page.inner_text("#notice") == "缺口 12 秒：摄像头中断"
    assert "缺口 12 秒：摄像头中断" in page.inner_text("#gaps")
    assert page.evaluate("document.getElementById('video').videoWidth") == 320
    page.keyboard.press("Escape")
    page.focus("#seek")
    page.keyboard.press("PageUp")  # beyond the end: stays at the last footage or says so
    page.click("#back")
    page.evaluate("document.querySelectorAll('#gaps button')[0].click()")
    wait_until(
        lambda: offset + 4 < played(page) < offset + 8, 10, "a click on the gap shows the seconds before"
    )


def test_a_camera_that_changed_its_resolution_plays_on_and_seeking_finds_every_picture(
    lesson: Lesson, tape: Tape, open_tab: OpenTab, tmp_path: Path
) -> None:
    start_us, offset = lesson.opened_us, 60.0
    tape.record(start_us, segments=2)
    tape.gap("camera", start_us + 8 * SECOND_US, start_us + 20 * SECOND_US)
    tape.film = clip(tmp_path / "larger.mp4", seconds=8, size=(640, 368), b_frames=0)
    tape.record(start_us + 20 * SECOND_US, segments=1, first_tick=77_000)
    tab = open_tab()
    open_view(tab, lesson, start_us + 6 * SECOND_US)
    page = tab.page
    page.select_option("#speed", "2")
    wait_until(lambda: played(page) > offset + 20.5, 15, "it plays from one run into the other")
    width = "document.getElementById('video').videoWidth"
    wait_until(lambda: page.evaluate(width) == 640, 10, "the browser reports the other size")
    page.click("#toggle")
    # With two B-frames the first picture is shown after 0.2 s; the second run has none.
    for wanted, picture, wide in (
        (2.55, 23, 320),
        (23.05, 30, 640),
        (7.05, 68, 320),
        (27.05, 70, 640),
        (0.35, 1, 320),
    ):
        page.evaluate(f"seekTo({offset + wanted})")
        wait_until_shown(page, picture, wide)
        assert played(page) == pytest.approx(offset + wanted, abs=0.05)
    page.evaluate(f"seekTo({offset + 14})")
    assert page.inner_text("#notice") == "缺口 12 秒：摄像头中断"
    wait_until_shown(page, 0, 640)  # what follows the gap


def test_the_growing_segment_plays_up_to_what_is_durable(
    lesson: Lesson, tape: Tape, paths: Paths, open_tab: OpenTab
) -> None:
    tape.record(lesson.opened_us, segments=2, grow=True)
    tab = open_tab()
    open_view(tab, lesson, lesson.opened_us + 5 * SECOND_US)
    wait_until(lambda: played(tab.page) > 65.5, 10, "the open segment plays")


def test_who_follows_the_growing_end_is_sent_only_what_came_since(
    lesson: Lesson, tape: Tape, paths: Paths, open_tab: OpenTab
) -> None:
    for number in range(6):  # each a run of its own: discontinuities and headers lie before the boundary
        tape.record(lesson.opened_us + number * 8 * SECOND_US, segments=1)
    tape.record(lesson.opened_us + 48 * SECOND_US, segments=1, grow=True)
    board_file = paths.status / "recorder.json"
    status = json.loads(board_file.read_text())
    segment = status["detail"]["segment"]
    with (paths.video / segment["path"]).open("rb") as file:
        read_at = bmff.file_reader(file.fileno(), segment["durable_bytes"])
        ends = [box.end for box in bmff.boxes(read_at, 0, segment["durable_bytes"]) if box.type == b"uuid"]

    def grow_to(end: int) -> None:
        detail = {"segment": {**segment, "durable_bytes": end}}
        board.write_json(board_file, {**status, "detail": detail})

    grow_to(ends[4])  # of 16 fragments of half a second
    tab = open_tab()
    updates: list[str] = []

    def note(answer: Response) -> None:
        if "media.m3u8" in answer.url:
            updates.append(answer.text() if "_HLS_skip=YES" in answer.url else "")

    tab.page.on("response", note)
    open_view(tab, lesson, lesson.opened_us + 44 * SECOND_US)
    page = tab.page
    wait_until(lambda: played(page) > 60 + 47, 15, "it plays up to the growing file")
    for end in ends[5:]:
        grow_to(end)
        page.wait_for_timeout(500)  # the recorder's own pace
    wait_until(lambda: played(page) > 60 + 54.5, 15, "what came since plays")
    deltas = [update for update in updates if "#EXT-X-SKIP:SKIPPED-SEGMENTS=" in update]
    assert len(deltas) >= 5, updates
    page.evaluate(f"seekTo({60 + 2.55})")  # what was skipped is known still
    wait_until(lambda: shown_number(page) == 23, 10, "the picture 2.55 s into the lesson")


def test_without_a_reason_no_byte_is_served(
    visitor: httpx.Client, served: Served, store: Store, paths: Paths, eight_seconds: Path
) -> None:
    now_us = served.clock.now().wall_us
    lesson = hold_lesson(store, now_us, opened_minutes_ago=2)
    run = Tape(store, paths, served.clock, eight_seconds).record(lesson.opened_us, segments=1)
    for address in FOOTAGE:
        assert visitor.get(address.format(view=uuid4(), run=run)).status_code == 404, address
    token = token_in(visitor.get("/player"))
    form = {"token": token, "session": lesson.session}
    assert visitor.post("/player", data=form).status_code == 400
    assert visitor.post("/player", data={**form, "reason": "other"}).status_code == 400
    assert not store.rows("SELECT 1 FROM fact WHERE type = 'access.evidence-viewed'")
    opened = visitor.post("/player", data={**form, "reason": "complaint", "note": "热线转办"})
    assert opened.status_code == 303
    (row,) = store.rows("SELECT * FROM fact WHERE type = 'access.evidence-viewed'")
    data = json.loads(row["data"])
    assert (data["reason"], data["note"], row["session_id"]) == ("complaint", "热线转办", lesson.session)
    assert row["simulated"] == 1
    view = opened.headers["location"].split("/")[-1]
    whole = visitor.get(f"/player/{view}/files/{run}/0.mp4")
    assert whole.content == (paths.video / segment_path(run, 0)).read_bytes()
    with served.client() as other:
        log_in(other)
        for address in FOOTAGE:
            assert other.get(address.format(view=view, run=run)).status_code == 404, address


@pytest.mark.promise("I6")
@pytest.mark.parametrize("note", ["410102199001011234 的投诉", "学员甲反映", "电话 13800000000"])
def test_a_reason_names_nobody(visitor: httpx.Client, served: Served, store: Store, note: str) -> None:
    lesson = hold_lesson(store, served.clock.now().wall_us)
    form = {
        "token": token_in(visitor.get("/player")),
        "session": lesson.session,
        "reason": "other",
        "note": note,
    }
    answer = visitor.post("/player", data=form)
    assert answer.status_code == 400
    assert "会写入上报的记录" in answer.text
    assert not store.rows("SELECT 1 FROM fact WHERE type = 'access.evidence-viewed'")

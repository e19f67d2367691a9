"""Recorded time, really played by a browser from files that the real segment writer made."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Page

from agent.paths import Paths
from agent.recording.segment_writer import segment_path
from agent.store.database import Store
from tests.waiting import wait_until
from tests.web.conftest import Served, Tab, log_in, log_in_tab, set_password, token_in
from tests.web.lesson import Lesson, Tape, film, hold_lesson

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
    return float(page.evaluate("document.getElementById('video').currentTime"))


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


def test_the_growing_segment_plays_up_to_what_is_durable(
    lesson: Lesson, tape: Tape, paths: Paths, open_tab: OpenTab
) -> None:
    tape.record(lesson.opened_us, segments=2, grow=True)
    tab = open_tab()
    open_view(tab, lesson, lesson.opened_us + 5 * SECOND_US)
    wait_until(lambda: played(tab.page) > 65.5, 10, "the open segment plays")


def test_of_the_growing_segment_only_durable_bytes_leave(
    visitor: httpx.Client, served: Served, store: Store, paths: Paths, eight_seconds: Path
) -> None:
    lesson = hold_lesson(store, served.clock.now().wall_us, opened_minutes_ago=2)
    run = Tape(store, paths, served.clock, eight_seconds).record(lesson.opened_us, segments=1, grow=True)
    form = {"token": token_in(visitor.get("/player")), "session": lesson.session, "reason": "on_site"}
    visitor.post("/player", data=form)
    file = paths.video / segment_path(run, 0)
    durable = file.read_bytes()
    file.write_bytes(durable + b"torn" * 1000)
    assert visitor.get(f"/media/{run}/0.mp4").content == durable
    index = visitor.get(f"/media/{run}/0/index").json()
    assert index["complete"] is False
    assert index["fragments"][-1][1] <= len(durable)
    (paths.status / "recorder.json").unlink()  # nobody vouches for the file any more
    assert visitor.get(f"/media/{run}/0.mp4").status_code == 404


def test_without_a_reason_no_byte_is_served(
    visitor: httpx.Client, served: Served, store: Store, paths: Paths, eight_seconds: Path
) -> None:
    now_us = served.clock.now().wall_us
    lesson = hold_lesson(store, now_us, opened_minutes_ago=2)
    run = Tape(store, paths, served.clock, eight_seconds).record(lesson.opened_us, segments=1)
    address = f"/media/{run}/0"
    assert visitor.get(f"{address}.mp4").status_code == 404
    assert visitor.get(f"{address}/index").status_code == 404
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
    whole = visitor.get(f"{address}.mp4")
    assert whole.content == (paths.video / segment_path(run, 0)).read_bytes()


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


@pytest.fixture
def opened(
    visitor: httpx.Client, served: Served, store: Store, paths: Paths, eight_seconds: Path
) -> tuple[httpx.Client, str, bytes]:
    """A visitor who opened a session with one segment: client, address without suffix, the file's bytes."""
    lesson = hold_lesson(store, served.clock.now().wall_us, opened_minutes_ago=2)
    run = Tape(store, paths, served.clock, eight_seconds).record(lesson.opened_us, segments=1)
    form = {"token": token_in(visitor.get("/player")), "session": lesson.session, "reason": "on_site"}
    assert visitor.post("/player", data=form).status_code == 303
    return visitor, f"/media/{run}/0", (paths.video / segment_path(run, 0)).read_bytes()


def test_ranges_give_exactly_the_bytes_asked_for(opened: tuple[httpx.Client, str, bytes]) -> None:
    client, address, content = opened
    size = len(content)

    def ask(value: str) -> httpx.Response:
        return client.get(f"{address}.mp4", headers={"range": value})

    for value, start, end in (
        ("bytes=0-0", 0, 1),
        ("bytes=100-199", 100, 200),
        (f"bytes={size - 5}-", size - 5, size),
    ):
        answer = ask(value)
        assert answer.status_code == 206
        assert answer.content == content[start:end]
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
    assert ask("bytes=0-999999999").content == content
    for value in (f"bytes={size}-", "bytes=5-2", "bytes=-5", "bytes=a-b", "bytes=0-1,3-4"):
        answer = ask(value)
        assert answer.status_code == 416, value
        assert answer.headers["content-range"] == f"bytes */{size}"


def test_the_index_tiles_the_segment(opened: tuple[httpx.Client, str, bytes]) -> None:
    client, address, content = opened
    index = client.get(f"{address}/index").json()
    assert index["codec"].startswith("avc1.")
    fragments = index["fragments"]
    assert fragments[0][4] == 1
    assert [f[2] for f in fragments[1:]] == [f[3] for f in fragments[:-1]]
    assert (fragments[-1][3] - fragments[0][2]) / index["ticks_per_second"] == pytest.approx(8.0)
    assert content[fragments[0][0] + 4 : fragments[0][0] + 8] == b"moof"


@pytest.mark.promise("I12")
@pytest.mark.parametrize("run", [str(uuid4()), "..", "..%2f..%2fstate", "%00", "segments", "x" * 300])
def test_an_address_never_becomes_a_path(opened: tuple[httpx.Client, str, bytes], run: str) -> None:
    client, address, _ = opened
    for path in (f"/media/{run}/0.mp4", f"/media/{run}/0/index", f"{address}9999999999999.mp4"):
        assert client.get(path).status_code == 404, path


@pytest.mark.promise("I12")
def test_a_segment_that_is_a_link_out_of_the_video_folder_is_not_served(
    opened: tuple[httpx.Client, str, bytes], paths: Paths, store: Store
) -> None:
    client, address, _ = opened
    (row,) = store.rows("SELECT path FROM segment")
    file = paths.video / row["path"]
    file.unlink()
    file.symlink_to(paths.database)
    assert client.get(f"{address}.mp4").status_code == 404


def test_a_missing_or_damaged_file_is_said_plainly(
    opened: tuple[httpx.Client, str, bytes], paths: Paths, store: Store
) -> None:
    client, address, _ = opened
    (row,) = store.rows("SELECT path FROM segment")
    file = paths.video / row["path"]
    file.write_bytes(b"\xff" * 4096)
    assert client.get(f"{address}/index").status_code == 422
    file.unlink()
    assert client.get(f"{address}/index").status_code == 410
    assert client.get(f"{address}.mp4").status_code == 410
    store.execute("UPDATE segment SET expired_us = 1")
    assert client.get(f"{address}.mp4").status_code == 404


def test_another_visitor_must_give_a_reason_too(
    opened: tuple[httpx.Client, str, bytes], served: Served
) -> None:
    _, address, _ = opened
    with served.client() as other:
        log_in(other)
        assert other.get(f"{address}.mp4").status_code == 404

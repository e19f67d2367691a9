"""The screen at the door in a real Chromium, 800 x 480: what it says, to whom it opens, what it survives."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import httpx
import pytest
from playwright.sync_api import Browser, Page
from structlog.testing import capture_logs

from agent.checkin.announcer import Announcer
from agent.checkin.answers import AnswerBoard, AnswerKind, answer, mask
from agent.clock import SystemClock
from agent.paths import Paths
from agent.web import kiosk as kiosk_page
from agent.web.application import build_application
from agent.web.gate import KIOSK, KIOSK_EVENTS, KIOSK_PAGE, KIOSK_PICTURE
from agent.web.kiosk import FAULTS, SAYINGS, SILENT_NS, DoorWatch
from agent.web.site import Site
from tests.clocks import ManualClock
from tests.waiting import wait_until
from tests.web.conftest import Served, serving
from tests.web.door_screen import DoorScreen
from tests.web.lesson import settings_for
from tests.web.page_process import new_paths

SHOWN_S = 1.0
"""Each kind of answer is on the screen within this time of the decision."""
OURS = frozenset({KIOSK_PAGE, KIOSK_EVENTS, KIOSK_PICTURE})


def asked(paths: Paths, path: str, address: str, *, kiosk: bool = True) -> httpx.Response:
    """The answer of the application to a peer at `address`, which no socket of a test machine can have."""
    site = Site(settings_for(paths, 1, kiosk=kiosk), paths, ManualClock())

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(build_application(site), client=(address, 40000))
        async with httpx.AsyncClient(transport=transport, base_url="https://127.0.0.1") as client:
            return await client.get(path, headers={"accept": "*/*"})

    # In a thread of its own: in this one a browser of an earlier test has its event loop.
    with closing(site), ThreadPoolExecutor(1) as other:
        return other.submit(asyncio.run, ask()).result()


@pytest.mark.promise("I10")
def test_the_screens_addresses_are_what_is_written_here() -> None:
    assert OURS <= KIOSK
    assert {path.partition("/kiosk")[0] for path in KIOSK} == {""}


@pytest.mark.promise("I10")
@pytest.mark.parametrize(
    ("address", "kiosk", "status"),
    [
        ("127.0.0.1", True, 200),
        ("::1", True, 200),
        ("::ffff:127.0.0.1", True, 200),
        ("127.0.0.1", False, 401),
        ("192.168.1.20", True, 401),
        ("::ffff:192.168.1.20", True, 401),
        ("fe80::1", True, 401),
        ("testclient", True, 401),
    ],
)
def test_the_screen_opens_to_this_machine_alone_and_only_where_there_is_one(
    paths: Paths, store: object, address: str, kiosk: bool, status: int
) -> None:
    assert asked(paths, "/kiosk", address, kiosk=kiosk).status_code == (status if status == 200 else 401)
    if status != 200:
        for path in KIOSK:
            assert asked(paths, path, address, kiosk=kiosk).status_code == 401
    assert asked(paths, "/sessions", address, kiosk=kiosk).status_code == 401


def test_a_foreign_name_for_this_machine_opens_nothing(kiosk: Served) -> None:
    with kiosk.client() as client:
        assert client.get("/kiosk", headers={"host": "evil.example"}).status_code == 421


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """One installation for all tests of the screen; it keeps nothing."""
    return new_paths(tmp_path_factory.mktemp("door"))


@pytest.fixture(scope="module")
def kiosk(folders: Paths) -> Iterator[Served]:
    """A page server with a screen, before its first start is over and with no database: it needs neither."""
    with serving(folders, SystemClock(), kiosk=True) as served:  # type: ignore[arg-type]
        yield served


@pytest.fixture
def door(folders: Paths) -> Iterator[DoorScreen]:
    screen = DoorScreen(folders)
    yield screen
    screen.stop()
    folders.answers.unlink()


@pytest.fixture
def open_screen(browser: Browser, kiosk: Served) -> Iterator[Callable[..., Page]]:
    """The screen at the door; at the end no script or policy error may have happened."""
    problems: list[str] = []
    contexts = []

    def open_it(language: str = "zh") -> Page:
        context = browser.new_context(
            base_url=kiosk.url, ignore_https_errors=True, viewport={"width": 800, "height": 480}
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
        page.goto(f"/kiosk?lang={language}")
        return page

    yield open_it
    for context in contexts:
        context.close()
    unexpected = [problem for problem in problems if "ERR_" not in problem]  # a server that was stopped
    assert unexpected == []


def says(page: Page, text: str, seconds: float = 3.0) -> None:
    page.wait_for_function(
        "text => document.getElementById('first').textContent === text", arg=text, timeout=seconds * 1000
    )


IS_WHOLE = """() => {
  const panel = document.querySelector("main").getBoundingClientRect();
  const say = document.getElementById("say");
  const parts = ["shape", "name", "first", "second", "other", "cause", "earlier", "other-way"];
  if (say.scrollHeight > say.clientHeight || say.scrollWidth > say.clientWidth) return false;
  const lines = [...document.querySelectorAll("#earlier span, #keypad .entry span")];
  if (lines.some((line) => line.scrollWidth > line.clientWidth)) return false;
  return parts.every((id) => {
    const box = document.getElementById(id).getBoundingClientRect();
    return box.height === 0 || (box.top >= panel.top && box.bottom <= 480 && box.right <= 800);
  });
}"""


def is_whole(page: Page) -> bool:
    """Whether nothing that is said is cut off or outside the screen."""
    return bool(page.evaluate(IS_WHOLE))


COLLECT_NAMES = """() => {
  window.names = new Set();
  const note = () => names.add(document.getElementById("name").textContent);
  const whatever = { childList: true, subtree: true, characterData: true };
  new MutationObserver(note).observe(document.getElementById("say"), whatever);
}"""

LEVELS = {
    "accepted": ("good", "check"),
    "checked_out": ("good", "out"),
    "seen": ("good", "check"),
    "already_checked_in": ("again", "checks"),
    "not_in_class": ("refused", "stop"),
    "unknown": ("refused", "question"),
    "failed": ("refused", "question"),
    "suspected_attack": ("prompt", "face"),
    "other_way": ("down", "warning"),
}


@pytest.mark.rule("R1")
@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_answer_is_shown_within_a_second_in_words_shape_and_colour(
    open_screen: Callable[..., Page], door: DoorScreen, language: str
) -> None:
    page = open_screen(language)
    catalogue = json.loads(page.get_attribute("body", "data-words") or "")
    place = 0 if language == "zh" else 1
    door.show(faces=[(480, 190)])
    says(page, catalogue["waiting"][0][place])
    page.wait_for_function("() => !document.getElementById('picture').hidden")
    seen = set()
    for kind, (level, shape) in LEVELS.items():
        door.give(AnswerKind(kind), name="欧阳小明" if level != "down" else "", colour=1)
        says(page, catalogue[kind][0][place], SHOWN_S)
        assert page.get_attribute("body", "data-level") == level
        assert page.get_attribute("#shape use", "href") == f"#{shape}"
        assert page.inner_text("#name") == ("欧阳*明" if level != "down" else "")
        assert catalogue[kind][0][1 - place] in (page.text_content("#other") or "")
        assert is_whole(page), kind
        seen.add((level, shape, catalogue[kind][0][0]))
    assert len(seen) == len(LEVELS), "told apart without colour, too"


def test_a_screen_that_grows_is_written_large_again(
    open_screen: Callable[..., Page], door: DoorScreen
) -> None:
    page = open_screen()
    says(page, "请看摄像头")
    page.set_viewport_size({"width": 800, "height": 300})  # before the browser fills the screen
    page.wait_for_function("() => document.body.dataset.fit !== '0'")
    page.set_viewport_size({"width": 800, "height": 480})
    page.wait_for_function("() => document.body.dataset.fit === '0'")
    assert is_whole(page)


def test_a_long_name_stands_whole_beside_the_number_of_its_face(
    open_screen: Callable[..., Page], door: DoorScreen
) -> None:
    page = open_screen()
    door.show(faces=[(400, 150), (580, 150)])
    page.wait_for_function("() => document.body.hasAttribute('data-crowd')")
    for name in ("欧阳小明", "阿卜杜热合曼·买买提明", "Alexander Featherstonehaugh"):
        door.give(AnswerKind.ACCEPTED, name=name, colour=1)
        page.wait_for_function("text => document.getElementById('name').textContent === text", arg=mask(name))
        assert is_whole(page), mask(name)


@pytest.mark.promise("I9")
def test_the_screen_names_the_other_way_whatever_is_missing(
    open_screen: Callable[..., Page], door: DoorScreen
) -> None:
    page = open_screen()
    for fault, said in FAULTS.items():
        if fault == "silent":
            continue
        door.show("unavailable", fault=fault)
        page.wait_for_function(
            "text => document.getElementById('cause').textContent === text", arg=said, timeout=3000
        )
        is_blind = fault in ("camera", "preparing")  # no picture, so no PIN: nobody is sent to type one
        assert page.inner_text("#first") == ("签到暂停" if is_blind else "人脸签到暂停")
        assert page.inner_text("#second") == ("请联系老师" if is_blind else "请用其他方式签到")
        assert page.get_attribute("body", "data-way") == ("open" if is_blind else "asked")
        assert page.is_hidden("#picture")
        assert is_whole(page)
    door.show("no_session")
    says(page, "现在没有课")
    assert page.is_hidden("#picture"), "without a lesson nobody is shown"
    page.click("#other-way")
    assert page.is_visible("#other-way-dialog")


def test_prompts_tell_what_to_do_and_an_answer_goes_again(
    open_screen: Callable[..., Page], door: DoorScreen
) -> None:
    page = open_screen()
    door.show(
        faces=[(400, 150), (580, 150)], prompt=replace(answer(AnswerKind.TURN, direction="left"), colour=2)
    )
    says(page, "请向左转头")
    assert page.get_attribute("#shape use", "href") == "#arrow"
    page.wait_for_function("() => document.querySelectorAll('#frames rect').length === 2")
    assert page.inner_text("#person") == "2", "who of the two is meant"
    door.give(AnswerKind.ACCEPTED, name="王小明", colour=1)
    says(page, "签到成功")
    assert (page.inner_text("#name"), page.inner_text("#person")) == ("王*明", "1")
    says(page, "请向左转头", 4)  # the other one is not forgotten
    page.wait_for_function("() => document.getElementById('earlier').textContent.includes('王*明')")
    page.wait_for_function("() => !document.body.textContent.includes('王*明')", timeout=6000)
    door.show(faces=[(400, 150)])
    says(page, "请看摄像头")


def test_a_door_that_was_killed_is_said_and_forgotten_when_it_is_back(
    open_screen: Callable[..., Page], door: DoorScreen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kiosk_page, "SILENT_NS", 1_200_000_000)  # how long it truly is has a test of its own
    page = open_screen()
    says(page, "请看摄像头")
    door.stop()
    says(page, "签到暂停", 4)
    assert page.inner_text("#cause") == "签到程序没有运行"
    door.restart()
    says(page, "请看摄像头")
    door.give(AnswerKind.ACCEPTED, name="王小明")  # again number 1, of another process
    says(page, "签到成功", SHOWN_S)


def test_the_screen_outlives_the_page_server(browser: Browser, folders: Paths, door: DoorScreen) -> None:
    with serving(folders, SystemClock(), kiosk=True) as first:  # type: ignore[arg-type]
        page = browser.new_page(ignore_https_errors=True, viewport={"width": 800, "height": 480})
        page.goto(f"{first.url}/kiosk")
        says(page, "请看摄像头")
    says(page, "屏幕正在重新连接", 6)
    assert page.inner_text("#second") == "没有回应时请用其他方式签到"
    with serving(folders, SystemClock(), kiosk=True, port=first.settings.web.port):  # type: ignore[arg-type]
        says(page, "请看摄像头", 15)
        door.give(AnswerKind.ACCEPTED, name="王小明")
        says(page, "签到成功", SHOWN_S)
    page.close()


def test_a_picture_that_stands_still_is_taken_away(
    open_screen: Callable[..., Page], door: DoorScreen
) -> None:
    page = open_screen("nonsense")  # no such language: Chinese
    door.show(faces=[(480, 190)])
    page.wait_for_function("() => !document.getElementById('picture').hidden")
    door.sees = False
    page.wait_for_function("() => document.getElementById('picture').hidden", timeout=8000)
    says(page, "请看摄像头")
    door.sees = True
    page.wait_for_function("() => !document.getElementById('picture').hidden")


def test_a_crowd_is_answered_one_after_the_other(open_screen: Callable[..., Page], door: DoorScreen) -> None:
    """Faster than the eighty in a minute that a class is: none is left out, the last one stands."""
    page = open_screen()
    says(page, "请看摄像头")
    page.evaluate(COLLECT_NAMES)
    people = [f"{surname}小{given}" for surname in "赵钱周" for given in "明红伟芳"]
    for name in people:
        door.give(AnswerKind.ACCEPTED, name=name, colour=1)
        page.wait_for_timeout(150)  # one every 150 ms: five times as many as eighty in a minute
    masked = sorted({f"{name[0]}*{name[2]}" for name in people})
    wait_until(lambda: set(masked) <= set(page.evaluate("[...names]")), 5, "everybody's name was shown")
    assert page.inner_text("#name") == "周*芳"


@pytest.mark.promise("I12")
def test_a_name_on_the_board_stays_text(open_screen: Callable[..., Page], door: DoorScreen) -> None:
    page = open_screen()
    says(page, "请看摄像头")
    evil = replace(answer(AnswerKind.ACCEPTED), name="<img src=x onerror=document.title='owned'>")
    door._board.give(evil, door.clock.now())
    says(page, "签到成功")
    assert page.query_selector("#say img") is None
    assert page.title() != "owned"


def test_the_screen_loads_nothing_from_elsewhere_and_shows_no_roster(kiosk: Served, door: DoorScreen) -> None:
    with kiosk.client() as client:
        page = client.get("/kiosk")
        assert "http" not in page.text.replace("http://www.w3.org/2000/svg", "")
        assert "<script>" not in page.text
        assert " style=" not in page.text
        for leads in ("/now", "/sessions", "/records", "/login"):
            assert f'"{leads}"' not in page.text


@pytest.mark.parametrize("language", ["zh", "en"])
def test_what_stands_large_is_short_and_in_both_languages(kiosk: Served, language: str) -> None:
    with kiosk.client() as client:
        text = client.get(f"/kiosk?lang={language}").text
    assert f'lang="{"zh-CN" if language == "zh" else "en"}"' in text
    assert all(len(lines[0]) <= 8 for lines in SAYINGS.values())
    assert {kind.value for kind in AnswerKind} - set(SAYINGS) == {
        kind.value for kind in AnswerKind if answer(kind).is_prompt
    }


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b'{"state": "open"}', b'{"boot_id": 1, "monotonic_ns": "x"}']
)
def test_a_board_that_cannot_be_read_is_a_door_that_is_dead(
    paths: Paths, clock: ManualClock, content: bytes
) -> None:
    paths.answers.write_bytes(content)
    (paths.frames / "door.json").write_bytes(content)
    watch = DoorWatch(paths, clock)
    assert watch.door()["state"] == "unavailable"
    assert watch.picture() is None


@pytest.mark.parametrize("lacks", ["answers", "prompt", "fault", "an answer's kind", "an answer's time"])
def test_a_living_board_in_another_versions_form_is_a_door_that_is_dead_and_said_once(
    paths: Paths, clock: ManualClock, lacks: str
) -> None:
    AnswerBoard(paths.answers).give(answer(AnswerKind.ACCEPTED), clock.now())
    content = json.loads(paths.answers.read_bytes())
    of_answer = {"an answer's kind": "kind", "an answer's time": "monotonic_ns"}.get(lacks)
    del (content["answers"][0] if of_answer else content)[of_answer or lacks]
    paths.answers.write_text(json.dumps(content))
    watch = DoorWatch(paths, clock)
    with capture_logs() as logs:
        assert [watch.door()["state"] for _ in range(3)] == ["unavailable"] * 3
    assert [line["event"] for line in logs] == ["kiosk.board-unreadable"]


@pytest.mark.parametrize("lacks", ["faces", "height", "at_us"])
def test_a_picture_described_in_another_form_is_none(paths: Paths, clock: ManualClock, lacks: str) -> None:
    about = {"at_us": clock.wall_us, "width": 4, "height": 4, "faces": []}
    (paths.frames / "door.json").write_text(json.dumps(about))
    assert DoorWatch(paths, clock).picture() == {"stamp": clock.wall_us, "width": 4, "height": 4, "faces": []}
    del about[lacks]
    (paths.frames / "door.json").write_text(json.dumps(about))
    assert DoorWatch(paths, clock).picture() is None


def test_a_board_of_an_earlier_boot_or_of_long_ago_is_nobodys(paths: Paths, clock: ManualClock) -> None:
    announcer, watch = Announcer(AnswerBoard(paths.answers)), DoorWatch(paths, clock)
    announcer.unavailable("camera", clock.now())
    assert watch.door()["fault"] == "camera"
    clock.advance(SILENT_NS / 1e9 + 0.1)
    assert watch.door()["fault"] == "silent"
    announcer.unavailable("camera", clock.now())
    clock.boot_id = "00000000-0000-4000-8000-000000000002"
    assert watch.door()["fault"] == "silent"

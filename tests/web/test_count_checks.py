"""People count blind on the page, and HR order that the device judges the room (R6)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast
from uuid import uuid4

import httpx
import pytest

from agent.checkin.photos import PhotoAlbum
from agent.paths import Paths
from agent.store import configuration, visibility
from agent.store.database import Store
from agent.store.vault import Vault
from agent.store.visibility import VerdictFrame
from agent.visibility.asked_hours import Look, asked_hours
from agent.visibility.orders import standing_trust
from agent.visibility.trust import end_if_over
from tests.clocks import ManualClock
from tests.evidence.schemas import problems_of_facts
from tests.visibility.counted_hours import DAY_US, HOUR_US, JPEG, CountedRoom, add_class, bears_nothing
from tests.web.conftest import PASSWORD, Tab, log_in_tab, token_in
from tests.web.lesson import count_heads

PAGE = "/visibility/checks"
BOX = '<rect class="plain" x="10.0"'


def known_room(store: Store, paths: Paths, clock: ManualClock, room: str = "room-101") -> CountedRoom:
    """Calibrated a month ago, its camera known."""
    found = CountedRoom(store, paths, clock, room)
    found.configure()
    add_class(store)
    run: dict[str, Any] = {
        "id": str(uuid4()),
        "room": room,
        "camera": "rear",
        "driver": "file",
        "simulated": 1,
    }
    run |= {"codec": "h264", "width": 1280, "height": 720, "time_base_denominator": 90_000, "boot_id": "b"}
    store.insert("run", run)
    long_ago_us = clock.wall_us - 40 * DAY_US
    segment: dict[str, Any] = {"run_id": run["id"], "sequence": 0, "path": "a", "start_ticks": 0}
    segment |= {"end_ticks": 1, "start_us": long_ago_us, "monotonic_start_ns": 0, "end_us": long_ago_us + 1}
    segment |= {"clock_state": "synchronised", "bytes": 1, "sha256": b"0" * 32, "end_reason": "rotation"}
    segment |= {"stated_us": 0, "gops": b"", "fragments": b""}
    store.insert("segment", segment)
    found.calibrate(clock.wall_us - 30 * DAY_US)
    return found


@pytest.fixture
def room(
    store: Store, paths: Paths, present_clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> CountedRoom:
    bears_nothing(monkeypatch)
    return known_room(store, paths, present_clock)


def facts(store: Store, kind: str) -> list[dict[str, Any]]:
    rows = store.rows("SELECT data FROM fact WHERE type = ? ORDER BY id", (kind,))
    return [json.loads(row["data"]) for row in rows]


@pytest.mark.rule("R6")
@pytest.mark.promise("I6")
def test_hr_count_blind_read_over_what_they_typed_and_hand_it_in_once(
    visitor: httpx.Client, room: CountedRoom
) -> None:
    session = room.ask(room.clock.wall_us - DAY_US, lower=41, upper=47)
    (first, second), here = room.photos[0], f"{PAGE}/{session}/1"
    lesson = visitor.get(f"/sessions/{session}").text
    assert here in lesson and "/decide" not in lesson
    page = visitor.get(here)
    assert "第 1 张，共 2 张" in page.text and "第 2 张，共 2 张" in page.text
    token = token_in(page)

    def enter(**form: str) -> str:
        answer = visitor.post(here, data={"token": token, **form})
        assert answer.status_code == 303
        return answer.headers["location"].removeprefix(PAGE)

    both = {f"people.{first}": "43", f"people.{second}": "21"}
    assert enter(**both) == f"/{session}/1?said=unseen"
    opened = visitor.get(f"/visibility/frame/{first}")
    assert (opened.content, opened.headers["content-type"]) == (JPEG, "image/jpeg")
    assert [each["photo"] for each in facts(room.store, "access.verdict-frame-viewed")] == [first]
    assert enter(**both) == f"/{session}/1?said=unseen", "each picture is opened"
    visitor.get(f"/visibility/frame/{second}")
    for wrong in ("", "x", "-1", "4.5", "１２", "1001"):
        assert enter(**both | {f"people.{second}": wrong}) == f"/{session}/1?said=count.number"
    assert enter(**{f"people.{first}": "43"}) == f"/{session}/1?said=count.number"
    assert enter(**both | {f"cannot.{first}": "1"}) == f"/{session}/1?said=count.number"

    asked = {"review": "1", f"people.{first}": "43", f"cannot.{second}": "1"}
    review = visitor.get(here, params=asked).text
    assert "第 1 张 43 人" in review and "第 2 张数不清" in review and "交出后不能再改" in review
    english = visitor.get(here, params=asked | {"lang": "en"}).text
    assert "picture 1: 43 people" in english and "cannot be changed" in english
    visitor.get(f"{here}?lang=zh")
    assert "每张请填" in visitor.get(here, params={"review": "1", f"people.{first}": "43"}).text
    for second_count, is_asked in (("4", True), ("28", True), ("29", False), ("43", False)):
        typed = {"review": "1", f"people.{first}": "43", f"people.{second}": second_count}
        assert ("打错了吗" in visitor.get(here, params=typed).text) is is_asked
    assert 'value="43"' in visitor.get(here, params={f"people.{first}": "43"}).text, "and may be changed"
    assert facts(room.store, "visibility.people-counted") == []
    for text in (review, page.text, visitor.get(PAGE).text, visitor.get(f"/sessions/{session}").text):
        assert "41–47" not in text, "whoever counts must not know what the device found"

    assert (
        enter(**{f"people.{first}": "43", f"cannot.{second}": "1"}) == f"?said=handed_in&before={session}/1"
    )
    assert f'href="{here}"' in visitor.get(f"{PAGE}?said=handed_in&before={session}/1").text
    assert enter(**both) == f"/{session}/1?said=count.handed_in"
    for address in (here, PAGE):
        assert "41–47" in visitor.get(address).text
    assert "/decide" in visitor.get(f"/sessions/{session}").text
    assert [each["people"] for each in facts(room.store, "visibility.people-counted")] == [43, None]
    for nothing in (f"{PAGE}/{uuid4()}/1", f"{PAGE}/{session}/2", f"{PAGE}/{session}/x", f"{here}?before=x"):
        assert visitor.get(nothing).status_code == 404
    assert problems_of_facts(room.store) == []


@pytest.mark.rule("R6")
def test_who_mistyped_counts_a_second_time_with_a_reason(visitor: httpx.Client, room: CountedRoom) -> None:
    session = room.ask(room.clock.wall_us - DAY_US, lower=41, upper=47)
    (first, second), here = room.photos[0], f"{PAGE}/{session}/1"
    assert "填错了" not in visitor.get(here).text, "not before the first was handed in"
    room.hand_in(0, 4, 43)
    page = visitor.get(here)
    assert "填错了" in page.text and "下限高于人数" in page.text
    again = {f"people.{first}": "43", f"people.{second}": "43", "reason": "43 只按了一个键"}

    def enter(**form: str) -> str:
        answer = visitor.post(f"{here}/second", data={"token": token_in(page), **form})
        assert answer.status_code == 303
        return answer.headers["location"].partition("said=")[2]

    assert "<b>1</b>/30" in visitor.get(PAGE).text
    assert enter(**again) == "unseen&second=1", "nobody counts a second time who looked at nothing"
    visitor.get(f"/visibility/frame/{first}")
    assert enter(**again) == "unseen&second=1", "each picture is opened"
    visitor.get(f"/visibility/frame/{second}")
    assert len(facts(room.store, "visibility.people-counted")) == 2
    assert enter(**again | {"reason": " "}) == "count.no_reason&second=1"
    wrong = visitor.get(f"{here}?said=count.no_reason&second=1").text
    assert "<details" in wrong and " open>" in wrong
    assert enter(**again | {f"people.{first}": "4x"}) == "count.number&second=1"
    asked = {"second": "1", "review": "1", f"people.{first}": "43", f"people.{second}": "4"}
    review = visitor.get(here, params=asked).text
    assert "第 1 张 43 人" in review and "第 2 张 4 人" in review and "打错了吗" in review
    assert f'action="{here}/second"' in review and 'name="reason"' in review
    assert f'action="{here}/second"' not in page.text, "read over before it is handed in"
    del asked["review"]
    back = visitor.get(here, params=asked).text
    assert 'value="43"' in back and " open>" in back, "and may be changed"
    asked["review"] = "1"
    assert "每张请填" in visitor.get(here, params=asked | {f"people.{second}": "x"}).text
    assert enter(**again) == "second"
    assert enter(**again) == "count.again&second=1"
    assert "/second" not in visitor.get(here, params=asked).text, "once"
    for lang, words in (("zh", ("您填的", "4 人", "重数 43 人")), ("en", ("second count: 43",))):
        shown = visitor.get(here, params={"lang": lang, "said": "second"}).text
        assert all(each in shown for each in words) and "<details" not in shown
    evidence = visitor.get(PAGE).text
    assert "<b>1</b>/49" in evidence and "counted twice" in evidence and "1 of 49 class hours" in evidence
    stated = facts(room.store, "visibility.people-counted")
    assert [each["people"] for each in stated] == [4, 43, 43, 43]
    assert "43 只按了一个键" not in json.dumps(stated, ensure_ascii=False)
    assert problems_of_facts(room.store) == []


@pytest.mark.rule("R6")
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.usefixtures("visitor")
def test_a_second_count_in_a_browser(room: CountedRoom, open_tab: Callable[..., Tab], width: int) -> None:
    """Whoever opens the page has its pictures opened by it; the numbers come before the reason."""
    session = room.ask(room.clock.wall_us - DAY_US, lower=41, upper=47)
    room.hand_in(0, 4, 43)
    tab = open_tab(width)
    log_in_tab(tab)
    page = tab.page
    page.goto(f"{PAGE}/{session}/1?lang=en")
    page.click("text=Mistyped?")
    for photo, people in zip(room.photos[0], ("43", "4"), strict=True):
        page.fill(f'input[name="people.{photo}"]', people)
    page.click("text=Read over, then hand in")
    page.wait_for_selector("text=picture 2: 4 people")
    assert len(facts(room.store, "visibility.people-counted")) == 2, "read over first"
    page.click("text=Back, change them")
    page.fill(f'input[name="people.{room.photos[0][1]}"]', "43")
    page.click("text=Read over, then hand in")
    page.fill('input[name="reason"]', "one key only")
    assert "one" not in page.url
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.click("text=Hand in the second count")
    page.wait_for_selector("text=second count: 43")
    assert [each["people"] for each in facts(room.store, "visibility.people-counted")] == [4, 43, 43, 43]


@pytest.mark.rule("R6")
def test_of_many_class_hours_a_page_shows_the_newest_and_asks_each_once(
    visitor: httpx.Client, room: CountedRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three years of a room that counts are thousands; kiosk and first page wait for each page."""
    looked = 0
    is_low = cast(property, Look.is_low).fget
    assert is_low is not None

    def counted(look: Look) -> bool:
        nonlocal looked
        looked += 1
        return bool(is_low(look))

    monkeypatch.setattr(Look, "is_low", property(counted))
    room.ask_many(60)
    room.count()
    visitor.get(PAGE)
    before, looked = looked, 0
    room.ask_many(60, before_us=room.clock.wall_us - 10 * DAY_US)
    room.count(hours=slice(60, None))
    room.ask(room.clock.wall_us - 30 * DAY_US + HOUR_US)
    room.hand_in(-1, 19, 22)
    looked = 0
    newest = visitor.get(PAGE).text
    assert looked < 2.5 * before, "twice as many looks cost twice as much"
    assert newest.count('class="when"') == 100 and "第 1–100 个，共 121 个" in newest
    assert "下限高于人数</span>" not in newest.split("<tbody>")[1]
    older = visitor.get(f"{PAGE}?page=1").text
    assert older.count('class="when"') == 21 and f'href="{PAGE}"' in older and "page=2" not in older
    assert f'href="{PAGE}?page=1"' in newest and "下限高于人数" in older.split("<tbody>")[1]
    for wrong in ("2", "x", "-1", "9999"):
        assert visitor.get(f"{PAGE}?page={wrong}").status_code == 404


@pytest.mark.rule("R6")
@pytest.mark.promise("I10")
def test_the_order_needs_the_evidence_and_the_password(visitor: httpx.Client, room: CountedRoom) -> None:
    assert "还没有抽到画面" in visitor.get(PAGE).text
    room.ask_many()
    room.count(hours=slice(0, 12))
    page = visitor.get(PAGE)
    assert "设备会判“全员可见”的课时已数 12 个，须 30 个" in page.text and "已数 2 天，须 3 天" in page.text
    assert "12 of 30 class hours counted" in visitor.get(f"{PAGE}?lang=en").text
    visitor.get(f"{PAGE}?lang=zh")
    token = token_in(page)

    def order(**form: str) -> str:
        seen = {"token": token, "order": "give", "after": "none"}
        answer = visitor.post("/visibility/trust", data=seen | form)
        return answer.headers["location"].removeprefix(f"{PAGE}?said=")

    assert order(password=PASSWORD) == "trust.missing"
    room.count(hours=slice(12, None))
    text = visitor.get(PAGE).text
    assert "在 95% 的把握下，误差率不超过 9.5%" in text
    assert order(password="wrong") == "password"
    assert standing_trust(room.store, room.room) is None
    assert order(password=PASSWORD) == "trusted"
    assert "由设备判定" in visitor.get(PAGE).text
    assert order(password=PASSWORD, order="withdraw", reason=" ") == "trust.no_reason"
    assert order(password="wrong", order="withdraw", reason="x") == "password"
    assert standing_trust(room.store, room.room) is not None
    assert order(password=PASSWORD, order="withdraw", reason="试用结束") == "withdrawn"
    text = visitor.get(PAGE).text
    assert "人社部门撤回" in text
    assert order(password=PASSWORD) == "trust.stale", "a page that was open since before shows no withdrawal"
    assert standing_trust(room.store, room.room) is None
    (ended,) = facts(room.store, "room.trust-ended")
    after = f"{ended['trust_id']}:withdrawn"
    assert f'name="after" value="{after}"' in text
    assert order(password=PASSWORD, after=after) == "trusted"
    assert problems_of_facts(room.store) == []


@pytest.mark.rule("R6")
def test_the_end_of_the_trust_is_said_on_the_first_page(visitor: httpx.Client, room: CountedRoom) -> None:
    room.ask_many()
    room.count()
    token = token_in(visitor.get(PAGE))
    visitor.post(
        "/visibility/trust", data={"token": token, "order": "give", "after": "none", "password": PASSWORD}
    )
    room.ask(room.clock.wall_us)
    room.count(3, slice(-1, None))
    assert end_if_over(room.store, room.clock.now(), room.room) is not None
    for address in ("/now", PAGE):
        assert "依这次信任作出的判定都已失效" in visitor.get(address).text
    english = visitor.get("/now?lang=en").text
    assert "the device judges this room&#39;s class hours no more" in english


@pytest.mark.rule("R6")
def test_boxes_are_shown_and_decisions_taken_once_it_was_counted(
    visitor: httpx.Client, room: CountedRoom, paths: Paths
) -> None:
    session = room.ask(room.clock.wall_us - DAY_US)
    verdict = asked_hours(room.store)[0].asked.verdict_id
    form = {"hour": "1", "seen": verdict, "reason": "看过", "password": PASSWORD, "decision": "shown"}

    def decide() -> str:
        token = token_in(visitor.get(PAGE))
        answer = visitor.post(f"/visibility/{session}/decide", data={"token": token, **form})
        return answer.headers["location"].split("decided=")[1].split("#")[0]

    album = PhotoAlbum(paths.photos, Vault(paths.keys))
    with room.store.transaction(), album.kept(room.store, verdict, JPEG, room.clock.wall_us) as boxed:
        frame = VerdictFrame(verdict, str(uuid4()), 0, 1, boxed.id, is_kept=True)
        visibility.insert_frame(room.store, frame)

    def has_boxes() -> bool:
        return visitor.get(f"/visibility/frame/{boxed.id}").status_code == 200

    assert decide() == "uncounted" and not has_boxes()
    # Another class hour of the lesson was not judged yet: the same people sit there.
    room.store.execute("UPDATE session SET class_hours = 2 WHERE id = ?", (session,))
    room.hand_in(0, 22, None)
    assert decide() == "uncounted" and not has_boxes()
    for address in (PAGE, f"{PAGE}/{session}/1", f"/sessions/{session}"):
        text = visitor.get(address).text
        assert "等其他课时" in text and "20–24" not in text
    room.store.execute("UPDATE session SET class_hours = 1 WHERE id = ?", (session,))
    assert "20–24" in visitor.get(PAGE).text and "20–24" in visitor.get(f"{PAGE}/{session}/1").text
    assert has_boxes() and decide() == "decided"


@pytest.mark.rule("R6")
@pytest.mark.promise("I6")
def test_what_was_counted_look_by_look_is_not_drawn_before_it_was_handed_in(
    visitor: httpx.Client, room: CountedRoom
) -> None:
    session = room.ask(room.clock.wall_us - DAY_US, lower=41, upper=47)
    for number in range(5):
        count_heads(room.store, session, room.clock.wall_us - DAY_US + number * 60_000_000, 43 + number, 45)
    for text in (visitor.get(f"/sessions/{session}").text, visitor.get(f"{PAGE}/{session}/1").text):
        assert 'class="counted"' not in text and "最多 47" not in text
        assert "无法确定" not in text.split('id="visibility-1"')[-1].split("</article>")[0]
    room.hand_in(0, 43, 43)
    text = visitor.get(f"/sessions/{session}").text
    assert 'class="counted"' in text and "最多 47" in text
    # A class hour that was not judged yet may be asked for: the lot is not drawn.
    at_us = room.clock.wall_us - DAY_US // 2
    later = room.held(at_us)
    count_heads(room.store, later, at_us + 1, 42, 45)
    assert 'class="counted"' not in visitor.get(f"/sessions/{later}").text
    room.store.execute("UPDATE session SET kind = 'practical' WHERE id = ?", (later,))
    assert 'class="counted"' in visitor.get(f"/sessions/{later}").text, "practicals are never asked for"


@pytest.mark.rule("R6")
def test_the_page_stays_where_what_hr_set_cannot_be_read(visitor: httpx.Client, room: CountedRoom) -> None:
    """Of another version of the program: it may ask for counts, so a lesson with a class hour that is not
    judged yet waits."""
    session = room.ask(room.clock.wall_us - DAY_US)
    room.store.execute("UPDATE session SET class_hours = 2 WHERE id = ?", (session,))
    unreadable = json.dumps({"revision": 9, "of_another_version": 1})
    configuration.insert_revision(room.store, revision=9, document=unreadable, message=None, applied_us=9)
    for counted in (False, True):
        if counted:
            room.count()
        for address in (PAGE, f"{PAGE}/{session}/1"):
            assert visitor.get(address).status_code == 200, address
        assert "20–24" not in visitor.get(f"{PAGE}/{session}/1").text
    assert visitor.get(f"/sessions/{session}").status_code == 200

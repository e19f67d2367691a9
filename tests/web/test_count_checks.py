"""People count blind on the page, and HR order that the device judges the room (R6)."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest

from agent.paths import Paths
from agent.store import trust
from agent.store.database import Store
from agent.visibility.count_checks import record_count
from agent.visibility.trust import standing_trust
from tests.clocks import ManualClock
from tests.evidence.schemas import problems_of_facts
from tests.visibility.counted_hours import DAY_US, JPEG, CountedRoom, add_class, bears_nothing
from tests.web.conftest import PASSWORD, token_in

PAGE = "/visibility/checks"


def known_room(store: Store, paths: Paths, clock: ManualClock, room: str = "room-101") -> CountedRoom:
    """Calibrated a month ago, its camera known."""
    found = CountedRoom(store, paths, clock, room)
    found.configure()
    add_class(store)
    run = {"id": str(uuid4()), "room": room, "camera": "rear", "driver": "file", "simulated": 1}
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
def test_hr_count_blind_and_correct_for_ten_minutes(visitor: httpx.Client, room: CountedRoom) -> None:
    session = room.ask(room.clock.wall_us - DAY_US, lower=41, upper=47)
    first, second = room.photos[0]
    lesson = visitor.get(f"/sessions/{session}").text
    assert f"{PAGE}/{first}" in lesson and "/decide" not in lesson
    page = visitor.get(f"{PAGE}/{first}")
    assert "第 1 张，共 2 张" in page.text
    token = token_in(page)

    def enter(photo: str, **form: str) -> str:
        answer = visitor.post(f"{PAGE}/{photo}", data={"token": token, **form})
        assert answer.status_code == 303
        return answer.headers["location"].removeprefix(PAGE)

    assert enter(first, people="43") == f"/{first}?said=unseen"
    opened = visitor.get(f"/visibility/frame/{first}")
    assert (opened.content, opened.headers["content-type"]) == (JPEG, "image/jpeg")
    assert [each["photo"] for each in facts(room.store, "access.verdict-frame-viewed")] == [first]
    for wrong in ("", "x", "-1", "4.5", "１２", "1001"):
        assert enter(first, people=wrong) == f"/{first}?said=count.number"
    assert enter(first, people="34") == f"/{second}?said=counted&before={first}"
    for text in (page.text, visitor.get(PAGE).text, visitor.get(f"{PAGE}/{first}").text):
        assert "41–47" not in text, "whoever counts must not know what the device found"
    assert enter(first, people="43") == f"/{second}?said=counted&before={first}"
    visitor.get(f"/visibility/frame/{second}")
    assert enter(second, cannot="1") == "?said=uncountable"
    room.settle()
    assert enter(first, people="44") == f"/{first}?said=count.settled"
    assert "41–47" in visitor.get(f"{PAGE}/{first}").text
    assert "41–47" in visitor.get(PAGE).text and "/decide" in visitor.get(f"/sessions/{session}").text
    assert [each["people"] for each in facts(room.store, "visibility.people-counted")] == [34, 43, None]
    assert visitor.get(f"{PAGE}/{uuid4()}").status_code == 404
    assert problems_of_facts(room.store) == []


@pytest.mark.rule("R6")
@pytest.mark.promise("I10")
def test_the_order_needs_the_evidence_and_the_password(visitor: httpx.Client, room: CountedRoom) -> None:
    assert "还没有抽到画面" in visitor.get(PAGE).text
    room.ask_many()
    room.count(hours=slice(0, 12))
    room.settle()
    page = visitor.get(PAGE)
    assert "已数 12 个课时，须 30 个" in page.text and "已数 2 天，须 3 天" in page.text
    assert "12 of 30 class hours counted" in visitor.get(f"{PAGE}?lang=en").text
    visitor.get(f"{PAGE}?lang=zh")
    token = token_in(page)

    def order(**form: str) -> str:
        answer = visitor.post("/visibility/trust", data={"token": token, "order": "give", **form})
        return answer.headers["location"].removeprefix(f"{PAGE}?said=")

    assert order(password=PASSWORD) == "trust.missing"
    room.count(hours=slice(12, None))
    room.settle()
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
    assert "人社部门撤回" in visitor.get(PAGE).text
    assert problems_of_facts(room.store) == []


@pytest.mark.rule("R6")
def test_the_end_of_the_trust_is_said_on_the_first_page(visitor: httpx.Client, room: CountedRoom) -> None:
    room.ask_many()
    room.count()
    room.settle()
    token = token_in(visitor.get(PAGE))
    visitor.post("/visibility/trust", data={"token": token, "order": "give", "password": PASSWORD})
    made = trust.newest_trust(room.store, room.room)
    assert made is not None
    with room.store.transaction():
        trust.end_trust(room.store, made.id, room.clock.wall_us, "violated")
    for address in ("/now", PAGE):
        assert "依这次信任作出的判定都已失效" in visitor.get(address).text
    english = visitor.get("/now?lang=en").text
    assert "the device judges this room&#39;s class hours no more" in english


@pytest.mark.rule("R6")
def test_boxes_are_shown_and_decisions_taken_once_it_was_counted(
    visitor: httpx.Client, room: CountedRoom
) -> None:
    session = room.ask(room.clock.wall_us - DAY_US)
    (first, second), verdict = room.photos[0], trust.asked_hours(room.store, room.room, 0)[0].verdict_id
    form = {"hour": "1", "seen": verdict, "reason": "看过", "password": PASSWORD, "decision": "shown"}

    def decide() -> str:
        token = token_in(visitor.get(f"{PAGE}/{first}"))
        answer = visitor.post(f"/visibility/{session}/decide", data={"token": token, **form})
        return answer.headers["location"].split("decided=")[1].split("#")[0]

    assert decide() == "uncounted"
    record_count(room.store, room.clock.now(), first, 22)
    assert decide() == "uncounted"
    record_count(room.store, room.clock.now(), second, None)
    assert decide() == "decided"

"""HR staff edit a class's timetable and bind make-up lessons on its page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from agent.classes.document import SHANGHAI
from agent.store import classes, make_ups, timetable_edits
from agent.store.classes import Session
from agent.store.database import Store
from tests.classes.attending import CLASS, Roll, at
from tests.web.conftest import PASSWORD, Served, token_in

PAGE = f"/classes/{CLASS}"


class Desk:
    """Somebody of HR before the page of a class that opened a month ago."""

    def __init__(self, visitor: httpx.Client, store: Store, served: Served) -> None:
        self.visitor, self.store = visitor, store
        self.room = served.settings.node.room
        self.today = datetime.fromtimestamp(served.clock.now().wall_us / 1e6, UTC).astimezone(SHANGHAI)
        self.roll = Roll(store, opening_day=self.day(-30))

    def day(self, number: int) -> str:
        return f"{self.today + timedelta(days=number):%Y-%m-%d}"

    def send(self, action: str, **fields: str) -> httpx.Response:
        form = {"token": token_in(self.visitor.get(PAGE)), "action": action, "password": PASSWORD, **fields}
        return self.visitor.post(f"{PAGE}/timetable", data=form)

    def add(self, **more: str) -> httpx.Response:
        fields = {"kind": "theory", "day": self.day(1), "start": "08:30", "end": "11:30", "class_hours": "4"}
        return self.send("add", **{**fields, "reason": "加课", **more})

    def lessons(self) -> list[Session]:
        return classes.sessions(self.store, class_id=CLASS, states=("planned",))

    def rows(self) -> list[list[tuple[object, ...]]]:
        return [
            [tuple(row) for row in self.store.rows(f"SELECT * FROM {name}")]  # noqa: S608 (own words)
            for name in ("session", "timetable_edit", "make_up", "fact")
        ]


@pytest.fixture
def desk(visitor: httpx.Client, store: Store, served: Served) -> Desk:
    return Desk(visitor, store, served)


def test_a_lesson_is_added_moved_called_off_and_brought_back(desk: Desk) -> None:
    assert desk.add(breaks="10").headers["location"].endswith("said=changed#edit")
    (lesson,) = desk.lessons()
    assert (lesson.room, lesson.class_hours, len(lesson.breaks)) == (desk.room, 4, 3)
    moved = desk.send("move", lesson=lesson.id, day=desk.day(2), start="14:00", reason="调课")
    assert moved.status_code == 303
    (after,) = desk.lessons()
    assert after.id == lesson.id and len(after.breaks) == 3
    assert after.planned_end_us - after.planned_start_us == lesson.planned_end_us - lesson.planned_start_us
    assert desk.send("cancel", lesson=lesson.id, reason="停电").status_code == 303
    assert desk.lessons() == []
    page = desk.visitor.get(f"{PAGE}?said=changed").text
    assert "停电" in page and "已改动，并写入签名记录" in page
    called_off = timetable_edits.edits_of(desk.store, CLASS)[0]
    assert desk.send("undo", edit=called_off.edit_id, reason="来电").status_code == 303
    (back,) = desk.lessons()
    assert back.planned_start_us == after.planned_start_us
    facts = desk.store.rows("SELECT data FROM fact WHERE type = 'session.plan-changed'")
    assert len(facts) == 4 and "停电" not in "".join(row["data"] for row in facts)


def test_a_wrong_field_is_named_in_the_visitors_language_and_nothing_is_changed(desk: Desk) -> None:
    desk.roll.lesson(f"{desk.day(1)} 08:00", state="planned", room=desk.room)
    before = desk.rows()
    wrong: list[tuple[httpx.Response, int, str]] = [
        (desk.add(kind="", day=""), 400, "类型：请填写"),
        (desk.add(class_hours="vier"), 400, "课时：填写有误"),
        (desk.send("cancel", lesson="0"), 400, "原因：请填写"),
        (desk.send("cancel", lesson="0", reason="x" * 501), 400, "原因：填写有误"),
        (desk.send("dance"), 400, "要做的改动：请选择"),
        (desk.add(), 409, "教室已排给"),
    ]
    for answer, status, says in wrong:
        assert (answer.status_code, says in answer.text) == (status, True), says
    assert desk.rows() == before
    english = desk.visitor.get(f"{PAGE}?lang=en")
    assert "Move a lesson" in english.text
    assert "Class hours: is wrong" in desk.add(class_hours="99").text
    nobody = {"token": token_in(english), "action": "cancel", "lesson": "00000000", "reason": "x"}
    assert desk.visitor.post("/classes/nobody/timetable", data=nobody).status_code == 404


def test_a_lesson_ends_on_the_next_day_where_that_is_ticked(desk: Desk) -> None:
    assert "结束在次日" in desk.visitor.get(PAGE).text
    evening = {"start": "22:00", "end": "01:00"}
    refused = desk.add(**evening)
    assert refused.status_code == 409 and "网页上勾“结束在次日”" in refused.text
    assert desk.lessons() == []
    assert desk.add(**evening, next_day="1").status_code == 303
    (lesson,) = desk.lessons()
    assert lesson.planned_end_us - lesson.planned_start_us == 3 * 3_600_000_000
    assert desk.visitor.get(PAGE).text.count("22:00–次日 01:00") >= 2, (
        "in the list and where it can be changed"
    )
    assert desk.send("extend", lesson=lesson.id, end="01:30", reason="拖堂").status_code == 303
    (after,) = desk.lessons()
    assert after.planned_end_us - lesson.planned_end_us == 1_800_000_000, "it runs over midnight as it is"
    move = {"lesson": lesson.id, "day": desk.day(2), "start": "21:00", "reason": "调课", "next_day": "1"}
    assert desk.send("move", **move).status_code == 303
    (moved,) = desk.lessons()
    assert moved.planned_end_us - moved.planned_start_us == 3.5 * 3_600_000_000, (
        "ticked without an end: as long"
    )


@pytest.mark.promise("I10")
def test_without_hrs_password_nothing_is_changed(desk: Desk, served: Served) -> None:
    before = desk.rows()
    refused = desk.add(password="wrong")
    assert refused.status_code == 403 and "密码不对" in refused.text
    with served.client() as stranger:
        assert stranger.post(f"{PAGE}/timetable", data={"action": "add"}).status_code in (303, 401, 403)
    assert desk.rows() == before


@pytest.mark.rule("R10")
def test_a_lesson_that_began_late_and_overran_is_put_right_on_the_page(desk: Desk) -> None:
    held = desk.roll.lesson(f"{desk.day(-1)} 08:30", room=desk.room)
    assert "已上的课按实际起止更正" in desk.visitor.get(PAGE).text
    refused = desk.send("held", lesson=held, start="09:00", end="10:30", reason="晚开课")
    assert refused.status_code == 409 and "结课 10:00 之间" in refused.text
    desk.store.execute("UPDATE session SET closed_us = planned_end_us + 2400000000 WHERE id = ?", (held,))
    desk.roll.film(held, -15, 135, desk.room)
    lacking = desk.send("held", lesson=held, start="09:00", reason="晚开课")
    assert lacking.status_code == 400 and "结束：请填写" in lacking.text
    done = desk.send("held", lesson=held, start="09:00", end="10:30", reason="晚开课")
    assert done.status_code == 303
    found = classes.session(desk.store, held)
    assert found is not None and found.state == "closed"
    assert found.planned_end_us == at(f"{desk.day(-1)} 10:30")


@pytest.mark.rule("R5")
def test_a_make_up_lesson_is_bound_and_released_on_the_page(desk: Desk) -> None:
    missed = desk.roll.lesson(f"{desk.day(-5)} 08:00", room=desk.room)
    desk.roll.answer(missed, "A", 0, simulated=True)
    desk.add(kind="make_up", start="14:00", end="15:30", class_hours="2")
    (lesson,) = desk.lessons()
    page = desk.visitor.get(PAGE).text
    assert "缺课 2 人" in page and "所有缺课的人" in page
    some = desk.send("make_up", lesson=lesson.id, missed=f"{missed}:1", people=desk.roll.people["B"])
    assert some.status_code == 303
    assert desk.send("make_up", lesson=lesson.id, missed=f"{missed}:1").status_code == 303
    bound = make_ups.bound_to(desk.store, lesson.id)
    assert {each.person_id for each in bound} == {desk.roll.people["B"], desk.roll.people["C"]}
    one = desk.send("release", lesson=lesson.id, people=desk.roll.people["B"])
    assert one.status_code == 303
    assert [each.person_id for each in make_ups.bound_to(desk.store, lesson.id)] == [desk.roll.people["C"]]
    assert desk.send("release", lesson=lesson.id).status_code == 303
    assert make_ups.bound_to(desk.store, lesson.id) == []

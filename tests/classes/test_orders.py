"""A change as somebody typed it: looked up, done, or refused with the field that is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from agent.classes import orders
from agent.classes.lesson_plan import TimetableError, local, plan_of, said
from agent.classes.orders import Order, carry_out
from agent.paths import Paths
from agent.store import classes as table
from agent.store import make_ups
from agent.store.database import Store
from tests.classes.desk import POLICIES, Desk
from tests.clocks import ManualClock

THEORY, PRACTICAL = "2026-11-21 08:30", "2026-11-21 14:00"


@pytest.fixture
def desk(store: Store, paths: Paths, clock: ManualClock) -> Desk:
    return Desk(store, paths, clock)


def do(desk: Desk, action: str, **fields: Any) -> list[str]:
    order = Order(class_id="dgjc-1", action=action, **{"reason": "调课", **fields})  # type: ignore[arg-type]
    with desk.store.transaction():
        return carry_out(desk.store, desk.clock.now(), order, orders.Desk("room-101", POLICIES, True))


def test_a_lesson_is_named_by_its_start_or_its_id(desk: Desk) -> None:
    (line, *_) = do(desk, "move", lesson=PRACTICAL, day="2026-11-22", start="09:00")
    assert "2026-11-22 09:00–12:00" in line and "调课" in line
    assert f"{local(desk.now(desk.practical.id).planned_end_us):%H:%M}" == "12:00"
    do(desk, "extend", lesson=desk.practical.id[:8], end="12:30")
    do(desk, "cancel", lesson="2026-11-22 09:00")
    assert desk.now(desk.practical.id).state == "cancelled"
    do(desk, "add", kind="补课", day="2026-11-23", start="09:00", end="10:40", class_hours=2, breaks="10")
    added = table.sessions(desk.store, class_id="dgjc-1", states=("planned",))[-1]
    assert (added.kind, len(added.breaks), added.room) == ("make_up", 1, "room-101")


def test_breaks_go_along_with_a_lesson_that_gets_a_new_end(desk: Desk) -> None:
    """Nobody who types a new end means that the class teaches through its breaks."""
    do(desk, "move", lesson=PRACTICAL, day="2026-11-21", start="14:00", breaks="15:30-15:45")
    do(desk, "move", lesson=PRACTICAL, day="2026-11-22", start="08:00", end="11:15")
    assert said_of(desk).endswith("08:00–11:15 room-101 实操 practical 4 课时 hours 课间 breaks 09:30-09:45")
    do(desk, "move", lesson=desk.practical.id, day="2026-11-23", start="08:30", class_hours=3)
    assert said_of(desk).endswith("08:30–11:45 room-101 实操 practical 3 课时 hours 课间 breaks 10:00-10:15")
    before = desk.rows()
    for action, when in (("move", {"day": "2026-11-23", "start": "08:30"}), ("extend", {})):
        with pytest.raises(TimetableError, match=r"breaks 10:00-10:15.*type them anew.*0 for none"):
            do(desk, action, lesson=desk.practical.id, end="10:10", **when)
    assert desk.rows() == before
    do(desk, "move", lesson=desk.practical.id, day="2026-11-23", start="08:30", end="10:10", breaks="0")
    assert "breaks" not in said_of(desk)


def said_of(desk: Desk) -> str:
    return said(plan_of(desk.now(desk.practical.id)))


@pytest.mark.parametrize(
    ("action", "fields", "says"),
    [
        ("add", {"day": "2026-11-23", "start": "08:00", "end": "09:00"}, "how many class hours"),
        ("add", {"day": "morgen", "start": "08:00", "end": "09:00", "class_hours": 1}, "write the day as"),
        ("add", {"day": "2026-11-23", "start": "09:00", "end": "08:00", "class_hours": 1}, "after the start"),
        (
            "add",
            {"day": "2026-11-23", "start": "08:00", "end": "09:00", "class_hours": 1, "kind": "party"},
            "kind 'party'",
        ),
        (
            "add",
            {
                "day": "2026-11-23",
                "start": "08:00",
                "end": "09:00",
                "class_hours": 1,
                "breaks": "08:10-08:20",
            },
            "between 1 class hours",
        ),
        (
            "add",
            {"day": "2026-11-23", "start": "08:00", "end": "09:00", "class_hours": 1, "room": "cellar"},
            "other_rooms",
        ),
        ("move", {"lesson": "../x", "day": "2026-11-23", "start": "08:00"}, "a lesson's id or its start"),
        ("move", {"lesson": THEORY, "day": "2026-11-23", "start": "noon"}, "write days as"),
        ("move", {"lesson": THEORY, "day": "2026-11-20", "start": "08:00"}, "lies in the past"),
        ("move", {"lesson": THEORY, "day": "2026-11-21", "start": "13:00"}, "the room is taken by"),
        ("cancel", {"lesson": "2026-11-21 09:00"}, "no lesson or several"),
        ("cancel", {"lesson": "00000000"}, "no lesson or several"),
        ("cancel", {"lesson": THEORY, "reason": " "}, "give a reason"),
        ("extend", {"lesson": THEORY, "end": ""}, "write the day as"),
        ("undo", {"edit": "0000"}, "none or several edits"),
        ("make_up", {"lesson": THEORY}, "which class hours were missed"),
        ("make_up", {"lesson": THEORY, "missed": ("2",)}, "expected LESSON:HOUR"),
        ("make_up", {"lesson": THEORY, "missed": (f"{THEORY}:x",)}, "expected LESSON:HOUR"),
        ("make_up", {"lesson": THEORY, "missed": (f"{PRACTICAL}:1",)}, "is no make-up lesson"),
        ("make_up", {"lesson": THEORY, "missed": (f"{PRACTICAL}:1",), "people": ("谁",)}, "give the id"),
        ("release", {"lesson": "2030-01-01 08:00"}, "no lesson or several"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_changed(
    desk: Desk, action: str, fields: dict[str, Any], says: str
) -> None:
    before = desk.rows()
    with pytest.raises(TimetableError, match=says):
        do(desk, action, **fields)
    assert desk.rows() == before


def test_what_is_no_order_at_all_is_refused_before_anything_is_looked_up() -> None:
    for wrong in (
        {"action": "dance"},
        {"action": "add", "class_hours": 25},
        {"action": "cancel", "lesson": "x" * 101},
        {"action": "cancel", "colour": "red"},
        {"action": "cancel", "class_id": "../x"},
    ):
        with pytest.raises(ValidationError):
            Order.model_validate({"class_id": "dgjc-1", **wrong})


@pytest.mark.rule("R5")
def test_a_make_up_lesson_is_bound_by_names_and_released(desk: Desk) -> None:
    desk.clock.advance(4 * 3600)
    with desk.store.transaction():
        table.set_open(desk.store, desk.theory.id, desk.theory.planned_start_us)
        table.set_closed(desk.store, desk.theory.id, desk.theory.planned_end_us, "planned_end")
    do(desk, "add", kind="make_up", day="2026-11-23", start="09:00", end="10:30", class_hours=2)
    made = "2026-11-23 09:00"
    lines = do(desk, "make_up", lesson=made, missed=(f"{THEORY}:2",), people=("学员甲", "学员乙"))
    assert lines == ["已安排 bound 2 人次课时 / trainee class hours"]
    with pytest.raises(TimetableError, match="is bound already"):
        do(desk, "make_up", lesson=made, missed=(f"{THEORY}:2",), people=("学员甲",))
    assert "bound 1 " in do(desk, "make_up", lesson=made, missed=(f"{THEORY}:2",))[0], "all others"
    assert "released 3 " in do(desk, "release", lesson=made)[0]
    assert make_ups.made_up(desk.store, "dgjc-1") == []

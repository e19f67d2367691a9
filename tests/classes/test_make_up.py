"""Make-up lessons are bound to what was missed, once, before the final examination (R5)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from agent.classes import make_up, reckoned, timetable_edit
from agent.classes.attendance import attendance_of
from agent.classes.attendance_table import ClassAttendance
from agent.classes.lesson_plan import LessonPlan, TimetableError, plan_of
from agent.classes.make_up import MissedHour
from agent.classes.reckoned import Reckoned
from agent.classes.timetable_edit import Change
from agent.configuration.document import ConfigurationError
from agent.configuration.timetable_orders import carry_out_orders
from agent.policy import CHECKOUT_FOLDER, load_policies
from agent.store import classes as table
from agent.store import make_ups
from agent.store.attendance_records import record_digest
from agent.store.database import Store
from agent.store.make_ups import MakeUp
from tests.classes.attending import ROOM, Roll, at
from tests.clocks import ManualClock

POLICIES = load_policies(CHECKOUT_FOLDER)
MISSED_DAY, MAKE_UP_DAY, FINAL_DAY = "2025-10-10", "2025-10-20", "2025-10-30"

pytestmark = pytest.mark.rule("R5")


class Case:
    """A lesson of two class hours that A attended and B and C missed; a make-up lesson of two is planned."""

    def __init__(self, store: Store, clock: ManualClock) -> None:
        self.roll, self.store, self.clock = Roll(store), store, clock
        clock.wall_us = at("2025-10-15 12:00")
        self.missed = self.roll.lesson(f"{MISSED_DAY} 08:00")
        self.roll.answer(self.missed, "A", 0)
        self.make_up = self.roll.lesson(f"{MAKE_UP_DAY} 14:00", kind="make_up", state="planned")

    def bind(self, *hours: int, people: str | None = None, missed: str = "", by: str = "") -> list[MakeUp]:
        ids = None if people is None else [self.roll.people.get(each, each) for each in people]
        with self.store.transaction():
            return make_up.bind(
                self.store,
                self.clock.now(),
                by or self.make_up,
                [MissedHour(missed or self.missed, hour) for hour in hours],
                ids,
                Reckoned(POLICIES, simulated=False),
            )

    def refused(self, *hours: int, people: str | None = None, missed: str = "", by: str = "") -> str:
        before = make_ups.made_up(self.store, "C1")
        with pytest.raises(TimetableError) as caught:
            self.bind(*hours, people=people, missed=missed, by=by)
        assert make_ups.made_up(self.store, "C1") == before, "something of a refused binding was kept"
        return "\n".join(caught.value.problems)

    def edit(self, change: Change) -> None:
        with self.store.transaction():
            timetable_edit.edit(
                self.store,
                self.clock.now(),
                "C1",
                [change],
                "试",
                room=ROOM,
                policies=POLICIES,
                simulated=False,
            )

    def plan(self, session_id: str) -> LessonPlan:
        found = table.session(self.store, session_id)
        assert found is not None
        return plan_of(found)


@pytest.fixture
def case(store: Store, clock: ManualClock) -> Case:
    return Case(store, clock)


def test_everybody_who_missed_an_hour_is_bound_to_an_hour_of_its_own(case: Case) -> None:
    made = case.bind(1, 2)
    b, c = case.roll.people["B"], case.roll.people["C"]
    assert sorted((each.person_id, each.missed_hour, each.hour) for each in made) == sorted(
        [(b, 1, 1), (b, 2, 2), (c, 1, 1), (c, 2, 2)]
    )
    (row,) = case.store.rows("SELECT data FROM fact WHERE type = 'session.make-up-bound'")
    assert len(json.loads(row["data"])["bindings"]) == 4
    assert record_digest(case.store, "C1").unsigned == 1, "the table says that it rests on this, too"
    assert "学员" not in row["data"]


def test_held_and_recorded_it_counts_for_who_was_bound_and_came(case: Case) -> None:
    case.bind(1, people="B")
    case.store.execute(
        "UPDATE session SET state = 'closed', opened_us = planned_start_us, closed_us = planned_end_us"
        " WHERE id = ?",
        (case.make_up,),
    )
    case.roll.answer(case.make_up, "B", 0)
    case.roll.answer(case.make_up, "C", 0)
    case.roll.judge(case.make_up, "met", "met")
    assert case.roll.states("B")[:2] == ["made_up", "absent"]
    assert case.roll.states("C")[:2] == ["absent", "absent"], "nobody bound it for C"


def test_where_nothing_was_missed_nothing_is_made_up(case: Case) -> None:
    assert "missed nothing there" in case.refused(1, people="A")
    assert "missed nothing there" in case.refused(1, people="BA"), "all or nothing"
    other = case.roll.lesson(f"{MISSED_DAY} 14:00")
    for letter in "ABC":
        case.roll.answer(other, letter, 0)
    assert "nobody missed it" in case.refused(1, missed=other)
    assert "no trainee of the class" in case.refused(1, people=case.roll.teacher[:1])


def test_an_hour_is_bound_once_and_an_hour_of_the_make_up_lesson_stands_for_one(case: Case) -> None:
    case.bind(1, people="B")
    assert "is bound already" in case.refused(1, people="B")
    case.bind(2, people="B")
    more = case.roll.lesson("2025-10-11 08:00")
    assert "all 2 class hours" in case.refused(1, people="B", missed=more)
    case.bind(1, people="C", missed=more)


def test_an_hour_whose_make_up_lesson_was_not_held_is_free_again(case: Case) -> None:
    case.bind(1, people="B")
    with case.store.transaction():
        table.set_cancelled(case.store, case.make_up, 1, "not_held")
    later = case.roll.lesson("2025-10-21 14:00", kind="make_up", state="planned")
    (made,) = case.bind(1, people="B", by=later)
    assert [each.session_id for each in make_ups.made_up(case.store, "C1")] == [later] == [made.session_id]


@pytest.mark.parametrize(("final", "fits"), [("15:30", True), ("15:29", False)])
def test_before_the_final_examination_and_not_after(case: Case, final: str, fits: bool) -> None:
    case.roll.lesson(f"{MISSED_DAY} 18:00", hours=1, kind="examination")  # one on the way is not the final
    case.roll.lesson(f"{MAKE_UP_DAY} {final}", hours=1, kind="examination", state="planned")
    if fits:
        assert len(case.bind(1)) == 2
    else:
        assert "before the final examination" in case.refused(1)


def test_nothing_is_moved_so_that_a_make_up_lesson_stands_after_the_final(case: Case) -> None:
    final = case.roll.lesson(f"{FINAL_DAY} 08:00", kind="examination", state="planned")
    case.bind(1)
    for session_id, moment in ((case.make_up, "2025-10-31 08:00"), (final, "2025-10-19 08:00")):
        plan = case.plan(session_id)
        with pytest.raises(TimetableError, match="before the final examination"):
            case.edit(Change(plan, plan.moved(at(moment)), session_id))
    plan = case.plan(case.make_up)
    case.edit(Change(plan, plan.moved(at("2025-10-28 14:00")), case.make_up))


def test_what_it_stands_for_holds_its_kind_and_class_hours(case: Case) -> None:
    case.bind(1, 2, people="B")
    plan = case.plan(case.make_up)
    half = LessonPlan(ROOM, "make_up", plan.start_us, plan.start_us + 45 * 60_000_000, 1)
    other = LessonPlan(ROOM, "theory", plan.start_us, plan.end_us, 2)
    for after in (half, other):
        with pytest.raises(TimetableError, match="stands for 2 missed hours"):
            case.edit(Change(plan, after, case.make_up))


def test_called_off_it_stands_for_nothing_and_says_so(case: Case) -> None:
    case.bind(1)
    case.edit(Change(case.plan(case.make_up), None, case.make_up))
    assert make_ups.made_up(case.store, "C1") == []
    (row,) = case.store.rows("SELECT data FROM fact WHERE type = 'session.make-up-released'")
    assert len(json.loads(row["data"])["bindings"]) == 2


def test_hours_that_cannot_be_made_up(case: Case) -> None:
    examination = case.roll.lesson("2025-10-12 08:00", kind="examination")
    case.roll.lesson(f"{FINAL_DAY} 08:00", kind="examination", state="planned")
    assert "neither is made up again" in case.refused(1, missed=examination)
    assert "neither is made up again" in case.refused(1, missed=case.make_up)
    coming = case.roll.lesson("2025-10-16 08:00", state="planned")
    assert "nothing was missed yet" in case.refused(1, missed=coming)
    off = case.roll.lesson("2025-10-13 08:00", state="cancelled")
    assert "nothing was missed" in case.refused(1, missed=off)
    assert "has no class hour 3" in case.refused(3)
    assert "no such lesson" in case.refused(1, missed="0" * 36)
    assert "is no make-up lesson" in case.refused(1, by=case.missed)
    early = case.roll.lesson("2025-10-09 14:00", kind="make_up")
    assert "begins before it was over" in case.refused(1, by=early)


def test_where_no_notice_knows_make_up_lessons_none_counts(case: Case) -> None:
    case.store.execute("UPDATE class SET notices = json_array('jiaozuo-2021')")
    assert "no notice of this class" in case.refused(1)


def test_nothing_was_missed_in_a_lesson_opened_under_a_wrong_clock(case: Case) -> None:
    case.store.execute("UPDATE session SET close_reason = 'clock_was_wrong' WHERE id = ?", (case.missed,))
    assert "wrong clock" in case.refused(1)


def test_a_missed_hour_that_is_made_up_stays_an_hour_of_its_lesson(case: Case) -> None:
    case.store.execute(
        "UPDATE session SET state = 'open', closed_us = NULL WHERE id = ?", (case.missed,)
    )  # it overruns
    case.clock.wall_us = case.plan(case.missed).end_us
    case.bind(2, people="B")
    before = case.plan(case.missed)
    late = replace(before, class_hours=1)
    with pytest.raises(TimetableError) as caught:
        case.edit(Change(before, late, case.missed))
    assert "made up" in str(caught.value.problems)


def orders_of(case: Case, *orders: dict[str, object]) -> list[int]:
    """A message's orders; how many trainee class hours each bound or released."""
    texts = [json.dumps({"class": "C1", "salt": "at-random-0123456789ab", **order}) for order in orders]
    with case.store.transaction():
        said = carry_out_orders(case.store, case.clock.now(), texts, room=ROOM, simulated=False)
    return [each["hours"] for each in said]


def test_however_many_orders_a_message_has_the_class_is_reckoned_once(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under the write lock: a class of eighty anew for each kept every other process from the database."""
    reckonings = []

    def counted(*arguments: Any, **named: Any) -> ClassAttendance:
        reckonings.append(arguments)
        return attendance_of(*arguments, **named)

    monkeypatch.setattr(reckoned, "attendance_of", counted)
    orders: list[dict[str, object]] = []
    for day in range(1, 6):
        missed, instead = f"2025-10-{day:02d} 08:00", f"2025-11-{day:02d} 14:00"
        case.roll.lesson(missed)
        case.roll.lesson(instead, kind="make_up", state="planned")
        orders.append({"action": "make_up", "lesson": instead, "missed": [f"{missed}:1", f"{missed}:2"]})
    assert orders_of(case, *orders) == [6] * 5
    assert len(reckonings) == 1


def test_within_one_message_an_hour_that_is_released_can_be_made_up_elsewhere(case: Case) -> None:
    """B came to the make-up lesson that was held, so nothing is missed until that is taken back."""
    case.bind(1, people="B")
    case.store.execute(
        "UPDATE session SET state = 'closed', opened_us = planned_start_us, closed_us = planned_end_us"
        " WHERE id = ?",
        (case.make_up,),
    )
    case.roll.answer(case.make_up, "B", 0)
    case.roll.judge(case.make_up, "met", "met")
    case.roll.lesson("2025-10-25 14:00", kind="make_up", state="planned")
    case.clock.wall_us = at("2025-10-21 12:00")
    order: dict[str, object] = {
        "action": "make_up",
        "lesson": "2025-10-25 14:00",
        "missed": [f"{MISSED_DAY} 08:00:1"],
        "people": [case.roll.people["B"]],
    }
    with pytest.raises(ConfigurationError, match="missed nothing there: made_up"):
        orders_of(case, order)
    other = {**order, "people": [case.roll.people["C"]]}
    release: dict[str, object] = {"action": "release", "lesson": f"{MAKE_UP_DAY} 14:00"}
    assert orders_of(case, other, release, order) == [1, 1, 1]

"""A lesson that began late and overran is put right to the times at which it was held, by its recording."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.classes.corrections import Wanted, correct
from agent.classes.held import HourAsHeld, hours_as_held
from agent.classes.lesson_plan import TimetableError, plan_of
from agent.classes.orders import Desk as OrderDesk
from agent.classes.orders import Order, carry_out
from agent.classes.timetable_edit import Change, edit
from agent.classes.timetable_file import TimetableFile, merge
from agent.policy import CHECKOUT_FOLDER, load_policies
from agent.store import classes as table
from agent.store import timetable_edits
from agent.store.attendance_records import Statement, insert_statement
from agent.store.classes import Session
from agent.store.database import Store, Value
from tests.classes.attending import MINUTE, ROOM, Roll, at
from tests.clocks import ManualClock
from tests.evidence.schemas import problems_of_facts

POLICIES = load_policies(CHECKOUT_FOLDER)
DAY = "2025-10-09"
DAY_US = 86_400_000_000

pytestmark = pytest.mark.rule("R10")


class Late:
    """Planned 08:30 to 10:00, two class hours; opened by the timetable, begun at 09:00, closed at 10:40 when
    the room was empty for ten minutes. A came at 08:55, B at 09:40; filmed from 08:15 to 10:45."""

    def __init__(self, store: Store, clock: ManualClock) -> None:
        self.roll, self.store, self.clock = Roll(store), store, clock
        clock.wall_us = at(f"{DAY} 12:00")
        self.id = self.roll.lesson(f"{DAY} 08:30")
        self.close("08:15", "10:40")
        self.roll.answer(self.id, "A", 25)
        self.roll.answer(self.id, "B", 70)
        self.roll.film(self.id, -15, 135, ROOM)
        self.roll.count(self.id, 0, *range(-10, 30))
        self.roll.count(self.id, 2, *range(30, 120))

    def close(self, opened: str, closed: str) -> None:
        self.store.execute(
            "UPDATE session SET opened_us = ?, closed_us = ? WHERE id = ?",
            (at(f"{DAY} {opened}"), at(f"{DAY} {closed}"), self.id),
        )

    def order(self, action: str, **more: str) -> list[str]:
        lesson = {} if action in ("undo", "add") else {"lesson": self.id}
        wanted = Order.model_validate({"class": "C1", "action": action, "reason": "试", **lesson, **more})
        with self.store.transaction():
            return carry_out(self.store, self.clock.now(), wanted, OrderDesk(ROOM, POLICIES, simulated=True))

    def held(self, start: str = "09:00", end: str = "10:30", **more: str) -> list[str]:
        return self.order("held", start=start, end=end, **more)

    def refused(self, action: str = "held", start: str = "09:00", end: str = "10:30", **more: str) -> str:
        before = self.session
        with pytest.raises(TimetableError) as caught:
            self.order(action, start=start, end=end, **more)
        assert self.session == before, "something of a refused edit was kept"
        return "\n".join(caught.value.problems)

    @property
    def session(self) -> Session:
        found = table.session(self.store, self.id)
        assert found is not None
        return found

    def hours(self) -> list[HourAsHeld]:
        return list(hours_as_held(self.store, self.session, 40 * MINUTE, self.clock.wall_us))


@pytest.fixture
def late(store: Store, clock: ManualClock) -> Late:
    return Late(store, clock)


def test_two_class_hours_of_45_minutes_and_not_one_of_15_and_one_of_60(late: Late) -> None:
    assert [(each.standing, round(each.held_us / MINUTE)) for each in late.hours()] == [
        ("short", 16),
        ("held", 45),
    ]
    assert late.roll.states("A") == ["absent", "attended"]
    late.held()
    assert [(each.standing, each.held_us) for each in late.hours()] == [("held", 45 * MINUTE)] * 2
    assert late.roll.states("A") == ["attended", "attended"]
    assert late.roll.states("B") == ["absent", "attended"], "who came for the second alone"
    assert late.session.state == "closed" and late.session.class_hours == 2


@pytest.mark.promise("I4")
def test_old_and_new_times_and_the_recording_are_on_record_and_it_is_taken_back(late: Late) -> None:
    before = plan_of(late.session)
    late.held()
    (row,) = timetable_edits.edits_of(late.store, "C1")
    (fact,) = late.store.rows("SELECT data FROM fact WHERE type = 'session.plan-changed'")
    assert f'"start_us": {before.start_us}' in fact["data"] and '"segments": [{"run"' in fact["data"]
    assert problems_of_facts(late.store) == []
    late.order("undo", edit=row.edit_id)
    assert plan_of(late.session) == before


def test_only_between_opening_and_closing_and_only_with_both_ends_on_video(late: Late) -> None:
    assert "08:15" in (said := late.refused(start="08:10", end="09:40")) and "10:40" in said
    assert "which the device recorded" in late.refused(start="09:20", end="10:50")
    late.close("08:15", "11:00")
    assert "no recording of 09:20 or of 10:50" in late.refused(start="09:20", end="10:50")
    late.store.execute("UPDATE segment SET expired_us = 1")
    assert "no recording" in late.refused()


def test_the_number_of_class_hours_the_room_and_the_kind_stay(late: Late) -> None:
    plan = plan_of(late.session)
    for after in (replace(plan, class_hours=3), replace(plan, kind="practical"), None):
        with pytest.raises(TimetableError, match="was held"), late.store.transaction():
            edit(
                late.store,
                late.clock.now(),
                "C1",
                [Change(plan, after, late.id, as_held=True)],
                "试",
                room=ROOM,
                policies=POLICIES,
                simulated=True,
            )


def test_within_a_fortnight_and_before_the_attendance_is_stated_whole(late: Late) -> None:
    late.clock.wall_us = late.session.closed_us + 14 * DAY_US + MINUTE  # type: ignore[operator]
    assert "attendance correct" in late.refused()
    late.clock.wall_us -= 2 * MINUTE
    statement = Statement("s", "C1", "training", 0, None, (), {"rules": {}}, {})
    with late.store.transaction():
        insert_statement(late.store, statement)
    assert "stated whole" in late.refused()
    late.store.execute("UPDATE attendance_statement SET part = 'opening'")
    late.held()


def test_what_people_decided_over_its_class_hours_is_taken_back_first(late: Late) -> None:
    teacher, video_us = late.roll.teacher, (at(f"{DAY} 08:40"), at(f"{DAY} 08:41"))
    for state in ("excused", "withdrawn"):
        wanted = Wanted(late.id, 1, late.roll.people["C"], state, "假", video_us)
        stamp = late.clock.now()
        correct(late.store, stamp, wanted, teacher_id=teacher, account="hr", simulated=True)
        if state == "excused":
            assert "--as withdrawn" in late.refused()
    verdict: dict[str, Value] = {"id": "v", "session_id": late.id, "hour": 1, "verdict": "shown"}
    verdict |= {"decided_by": "hr", "reason": "看过", "stated_us": 0, "simulated": 0}
    late.store.insert("visibility_verdict", verdict | {"because": "[]", "data": "{}", "basis": "{}"})
    assert "take that decision back first" in late.refused()
    late.store.execute("UPDATE visibility_verdict SET decided_by = 'device', reason = ''")
    late.held()


def test_a_lesson_that_is_on_or_planned_or_entered_afterwards_is_not_put_right_so(late: Late) -> None:
    late.store.execute("UPDATE session SET close_reason = 'entered_afterwards'")
    assert "class unbind" in late.refused()
    late.store.execute("UPDATE session SET state = 'open', close_reason = NULL")
    assert "is not over" in late.refused()
    late.store.execute("UPDATE session SET state = 'cancelled'")
    assert "called off" in late.refused()


def test_a_held_lesson_is_still_not_moved_and_the_refusal_says_what_can_be_done(late: Late) -> None:
    for action in ("move", "extend", "cancel"):
        said = late.refused(action, day=DAY) if action == "move" else late.refused(action)
        assert "timetable held" in said and "attendance correct" in said
    late.store.execute("UPDATE session SET state = 'planned'")
    late.order("move", day="2025-10-10", start="08:30")
    (row,) = timetable_edits.edits_of(late.store, "C1")
    late.store.execute("UPDATE session SET state = 'closed', closed_us = ?", (row.edited_us + MINUTE,))
    late.clock.advance(3600)
    with pytest.raises(TimetableError, match="is over and stays as it is"):
        late.order("undo", edit=row.edit_id)


def test_two_lessons_at_once_are_not_made_by_it(late: Late) -> None:
    other = late.roll.lesson(f"{DAY} 10:15", state="planned", room="elsewhere")
    assert "another lesson then" in late.refused()
    late.store.execute("UPDATE session SET state = 'cancelled' WHERE id = ?", (other,))
    late.held()


def test_files_that_have_it_as_it_was_planned_may_come_again(late: Late) -> None:
    planned = plan_of(late.session)
    late.held()
    file = TimetableFile((("row 2", planned),), "ab" * 32)
    result = merge(late.store, "C1", file, keep_others=False)
    assert (result.changes, result.problems, result.unchanged) == ([], [], 1)

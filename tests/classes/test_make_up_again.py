"""Who missed the make-up lesson, or whose make-up was not filmed whole, is given another (R5)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agent.classes import make_up
from agent.classes.lesson_plan import TimetableError
from agent.store import make_ups
from agent.store.database import Store
from tests.classes.attending import MINUTE
from tests.classes.test_make_up import Case
from tests.clocks import ManualClock

pytestmark = pytest.mark.rule("R5")


class Second(Case):
    """B and C are bound to the make-up lesson of two class hours, which was held on video; C came to it.
    Another is planned."""

    def __init__(self, store: Store, clock: ManualClock) -> None:
        super().__init__(store, clock)
        self.bind(1, 2)
        self.another = self.roll.lesson("2025-10-25 14:00", kind="make_up", state="planned")

    def hold(self, session_id: str, came: str, *verdicts: str) -> None:
        self.store.execute(
            "UPDATE session SET state = 'closed', opened_us = planned_start_us, closed_us = planned_end_us"
            " WHERE id = ?",
            (session_id,),
        )
        for letter in came:
            self.roll.answer(session_id, letter, 0)
        if verdicts:
            self.roll.judge(session_id, *verdicts)
        self.clock.wall_us = max(self.clock.wall_us, self.plan(session_id).end_us + 60 * MINUTE)

    def release(self, people: str | None) -> int:
        ids = None if people is None else [self.roll.people[each] for each in people]
        with self.store.transaction():
            return make_up.release_of(self.store, self.clock.now(), self.make_up, people=ids, simulated=False)

    def facts(self, kind: str) -> list[tuple[str, dict[str, Any]]]:
        rows = self.store.rows("SELECT session_id, data FROM fact WHERE type = ? ORDER BY id", (kind,))
        return [(row["session_id"], json.loads(row["data"])) for row in rows]

    def first_two(self, letter: str) -> list[str]:
        return list(self.roll.states(letter)[:2])


@pytest.fixture
def case(store: Store, clock: ManualClock) -> Second:
    return Second(store, clock)


def test_who_missed_the_make_up_lesson_is_given_another_and_nobody_else_is_touched(case: Second) -> None:
    case.hold(case.make_up, "C", "met", "met")
    made = case.bind(1, 2, by=case.another)
    assert {each.person_id for each in made} == {case.roll.people["B"]} and len(made) == 2
    assert case.first_two("C") == ["made_up", "made_up"]
    ((session_id, data),) = case.facts("session.make-up-released")
    assert session_id == case.make_up, "the log keeps that B was asked to it"
    assert {each["person"] for each in data["bindings"]} == {case.roll.people["B"]}
    case.hold(case.another, "B", "met", "met")
    assert case.first_two("B") == case.first_two("C") == ["made_up", "made_up"]
    assert "missed nothing there: made_up" in case.refused(1, people="B", by=case.make_up)


def test_a_make_up_hour_that_was_not_filmed_whole_is_free_again_hour_by_hour(case: Second) -> None:
    case.hold(case.make_up, "C", "not_met", "met")
    assert case.first_two("C") == ["absent", "made_up"]
    (made,) = case.bind(1, people="C", by=case.another)
    assert (made.missed_hour, made.hour) == (1, 1)
    assert "missed nothing there: made_up" in case.refused(2, people="C", by=case.another)


def test_two_make_up_lessons_that_both_would_count_count_once(case: Second) -> None:
    """The first one's footage came back after the hour had been bound to another."""
    case.hold(case.make_up, "C", "not_met", "not_met")
    case.bind(1, 2, people="C", by=case.another)
    case.roll.judge(case.make_up, "met", "met")
    case.hold(case.another, "C", "met", "met")
    row = next(each for each in case.roll.attendance().trainees if each.person.id == case.roll.people["C"])
    assert (row.required, row.attended.at_most, row.made_up) == (2, 2, 2)


def test_what_is_to_come_or_waits_for_a_word_is_not_free_and_the_refusal_says_what_it_is(
    case: Second,
) -> None:
    said = case.refused(1, by=case.another)
    assert "nobody missed it" not in said and "没有人缺课" not in said
    assert "2025-10-20 14:00" in said and "still to come" in said and "--release --people" in said
    case.hold(case.make_up, "BC")
    for said in (case.refused(1, by=case.another), case.refused(1, people="C", by=case.another)):
        assert "nobody missed it" not in said
        assert "2025-10-20 14:00" in said and "not decided yet" in said and "--release --people" in said


def test_who_missed_it_is_not_bound_to_that_very_lesson_again(case: Second) -> None:
    case.hold(case.make_up, "C", "met", "met")
    said = case.refused(1, people="B")
    assert "did not count" in said and "timetable add --kind make_up" in said
    said = case.refused(1)
    assert "nobody missed it" not in said and "did not count" in said


def test_one_trainee_is_released_and_the_others_stay_bound(case: Second) -> None:
    assert case.release("B") == 2
    assert {each.person_id for each in make_ups.bound_to(case.store, case.make_up)} == {case.roll.people["C"]}
    ((_, data),) = case.facts("session.make-up-released")
    assert [each["person"] for each in data["bindings"]] == [case.roll.people["B"]] * 2
    with pytest.raises(TimetableError, match="not bound to this make-up lesson"):
        case.release("B")
    assert len(case.bind(1, 2, people="B", by=case.another)) == 2
    assert case.release(None) == 2

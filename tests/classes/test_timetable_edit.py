"""Edits of a timetable: all or nothing, with reason and record, and taken back by another edit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.classes.assessment import plan_of_class
from agent.classes.lesson_plan import LessonPlan, TimetableError, plan_of
from agent.classes.timetable_edit import Change
from agent.classes.timetable_file import TimetableFile, merge
from agent.paths import Paths
from agent.store import classes as table
from agent.store import timetable_edits
from agent.store.database import Store
from tests.classes.desk import DAY, HOUR, MINUTE, Desk
from tests.classes.documents import class_content, id_number, take_in
from tests.clocks import ManualClock


@pytest.fixture
def desk(store: Store, paths: Paths, clock: ManualClock) -> Desk:
    return Desk(store, paths, clock)


def lesson(start_us: int, minutes: int = 180, hours: int = 4, kind: str = "theory") -> LessonPlan:
    return LessonPlan("room-101", kind, start_us, start_us + minutes * MINUTE, hours)  # type: ignore[arg-type]


def test_a_lesson_is_moved_with_its_reason_and_a_record(desk: Desk) -> None:
    done = desk.move(desk.practical, DAY)
    after = desk.now(desk.practical.id)
    assert after.planned_start_us == desk.practical.planned_start_us + DAY
    (row,) = timetable_edits.edits_of(desk.store, "dgjc-1")
    assert (row.edit_id, row.reason, row.undoes) == (done.edit_id, "教师请假", None)
    (fact,) = desk.facts("session.plan-changed")
    assert (fact["action"], fact["before"]["start_us"], fact["after"]["start_us"]) == (
        "moved",
        desk.practical.planned_start_us,
        after.planned_start_us,
    )
    assert "教师请假" not in json.dumps(fact, ensure_ascii=False), "people write names into reasons (I6)"


def test_breaks_move_with_their_lesson(desk: Desk) -> None:
    plan = plan_of(desk.practical)
    pauses = ((plan.start_us + 90 * MINUTE, plan.start_us + 100 * MINUTE),)
    with_breaks = replace(plan, breaks=pauses)
    desk.do(Change(plan, with_breaks, desk.practical.id))
    desk.move(desk.now(desk.practical.id), DAY)
    moved = desk.now(desk.practical.id)
    assert moved.breaks == tuple((a + DAY, b + DAY) for a, b in pauses)


def test_each_kind_of_edit_is_taken_back_by_another(desk: Desk) -> None:
    before = [plan_of(each) for each in table.sessions(desk.store, class_id="dgjc-1")]
    plan = plan_of(desk.theory)
    added = desk.do(Change(None, lesson(plan.start_us + 2 * DAY)))
    moved = desk.move(desk.theory, HOUR // 2)
    extended = desk.do(
        Change(
            plan_of(desk.practical),
            replace(plan_of(desk.practical), end_us=desk.practical.planned_end_us + HOUR),
            desk.practical.id,
        )
    )
    cancelled = desk.do(Change(plan_of(desk.now(desk.practical.id)), None, desk.practical.id))
    for edit in (cancelled, moved, added):
        taken = desk.undo(edit.edit_id[:8])
        assert taken.edit_id != edit.edit_id
    alive = table.sessions(desk.store, class_id="dgjc-1", states=("planned",))
    ends = {each.kind: each.planned_end_us for each in alive}
    assert ends["practical"] == desk.practical.planned_end_us + HOUR, "it came back as it was called off"
    with pytest.raises(TimetableError, match="已取消，不能改"):
        desk.undo(extended.edit_id)  # of the lesson that was called off; the one that came back is another
    assert [plan_of(each) for each in alive if each.kind == "theory"] == [before[0]]
    with pytest.raises(TimetableError, match="was taken back by"):
        desk.undo(added.edit_id)
    facts = desk.facts("session.plan-changed")
    assert [fact["undoes"] is not None for fact in facts] == [False] * 4 + [True] * 3


def test_an_undo_finds_the_room_taken_since(desk: Desk) -> None:
    moved = desk.move(desk.practical, DAY)
    desk.do(Change(None, lesson(desk.practical.planned_start_us + HOUR, 40, 1)))
    with pytest.raises(TimetableError, match="the room is taken by"):
        desk.undo(moved.edit_id)


@pytest.mark.parametrize("minutes", [-120, 180])
def test_lessons_that_touch_do_not_overlap(desk: Desk, minutes: int) -> None:
    start_us = desk.practical.planned_start_us + minutes * MINUTE
    nearer_us = start_us + (1 if minutes < 0 else -1)
    assert "the room is taken by" in desk.refused(Change(None, lesson(nearer_us, 120, 2)))
    desk.do(Change(None, lesson(start_us, 120, 2)))


def test_two_lessons_of_one_edit_in_one_room_are_refused(desk: Desk) -> None:
    start_us = desk.practical.planned_start_us + DAY
    problem = desk.refused(Change(None, lesson(start_us)), Change(None, lesson(start_us + HOUR)))
    assert problem.count("the room is taken by") == 1, "each pair once"


def test_a_class_is_in_one_place_at_a_time_and_another_rooms_lesson_of_its_own_counts(desk: Desk) -> None:
    content = class_content()
    content["class"]["other_rooms"] = ["room-102"]
    take_in(desk.store, desk.vault, desk.clock, content)
    elsewhere = replace(lesson(desk.practical.planned_start_us), room="room-102")
    assert "the class has another lesson then" in desk.refused(Change(None, elsewhere))
    assert "room-103" in desk.refused(Change(None, replace(elsewhere, room="room-103")))


def test_the_only_teacher_of_two_classes_is_in_one_place_at_a_time(desk: Desk) -> None:
    content = class_content()
    teacher = {"name": "教师丁", "id_number": id_number(9)}
    content["teachers"] = [teacher]
    take_in(desk.store, desk.vault, desk.clock, content)
    other = class_content()
    other["class"] |= {"id": "dgjc-2", "other_rooms": ["room-102"]}
    other["trainees"], other["sessions"] = [{"name": "学员戊"}], []
    other["teachers"] = [teacher]
    take_in(desk.store, desk.vault, desk.clock, other)
    plan = replace(lesson(desk.practical.planned_start_us), room="room-102")
    said = desk.refused(Change(None, plan), class_id="dgjc-2")
    assert "the only teacher of both classes" in said and teacher["id_number"] not in said
    other["teachers"].append({"name": "教师己"})
    take_in(desk.store, desk.vault, desk.clock, other)
    done = desk.do(Change(None, plan), class_id="dgjc-2")
    assert any("1 teachers belong to another lesson" in line for line in done.warnings)


def test_the_past_is_entered_otherwise(desk: Desk) -> None:
    now_us = desk.clock.wall_us
    assert "class bind" in desk.refused(Change(None, lesson(now_us, 40, 1)))
    assert "class bind" in desk.refused(
        Change(plan_of(desk.theory), plan_of(desk.theory).moved(now_us - HOUR), desk.theory.id)
    )
    done = desk.do(Change(None, lesson(now_us + 1, 20, 1)))
    assert done.warnings == ()


def test_under_a_doubtful_clock_the_past_is_said_and_refuses_nothing(desk: Desk) -> None:
    desk.clock.clock_state = "unsynchronised"
    done = desk.do(Change(None, lesson(desk.clock.wall_us - HOUR, 40, 1)))
    assert any("not synchronised" in line for line in done.warnings)


def test_of_a_lesson_that_is_on_only_the_end_changes(desk: Desk) -> None:
    with desk.store.transaction():
        table.set_open(desk.store, desk.theory.id, desk.clock.wall_us)
    desk.clock.advance(2 * 3600)
    plan = plan_of(desk.theory)
    assert "only its end" in desk.refused(Change(plan, plan.moved(plan.start_us + HOUR), desk.theory.id))
    assert "cannot be called off" in desk.refused(Change(plan, None, desk.theory.id))
    assert "over already" in desk.refused(
        Change(plan, replace(plan, end_us=desk.clock.wall_us - 1, class_hours=1), desk.theory.id)
    )
    longer = replace(plan, end_us=plan.end_us + 45 * MINUTE, class_hours=5)
    desk.do(Change(plan, longer, desk.theory.id))
    assert plan_of(desk.now(desk.theory.id)) == longer, "it overruns by a class hour, and says so"


def test_what_was_held_or_called_off_stays(desk: Desk) -> None:
    with desk.store.transaction():
        table.set_cancelled(desk.store, desk.theory.id, 1, "not_held")
        table.set_open(desk.store, desk.practical.id, 1)
        table.set_closed(desk.store, desk.practical.id, 2, "planned_end")
    for session in (desk.theory, desk.practical):
        plan = plan_of(session)
        assert "stays as it is" in desk.refused(Change(plan, plan.moved(plan.start_us + DAY), session.id))


def test_what_somebody_else_changed_since_is_not_changed_over(desk: Desk) -> None:
    stale = plan_of(desk.practical)
    desk.move(desk.practical, DAY)
    assert "was changed since" in desk.refused(
        Change(stale, stale.moved(stale.start_us + HOUR), desk.practical.id)
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"end_us": 0}, "within 12 hours"),
        ({"class_hours": 25}, "expected 1 to 24"),
        ({"breaks": ((5, 6),)}, "in order"),
    ],
)
def test_no_lesson_is_planned_so(desk: Desk, change: dict[str, Any], says: str) -> None:
    plan = replace(lesson(desk.practical.planned_start_us + DAY), **change)
    assert says in desk.refused(Change(None, plan))


def test_outside_of_the_classs_two_years_and_without_a_reason(desk: Desk) -> None:
    far = lesson(desk.practical.planned_start_us + 800 * DAY)
    assert "two years" in desk.refused(Change(None, far))
    assert "two years" in desk.refused(Change(None, lesson(-70 * 365 * DAY))), "1900"
    near = lesson(desk.practical.planned_start_us + DAY)
    assert "--reason" in desk.refused(Change(None, near), reason=" \n ")
    assert "--reason" in desk.refused(Change(None, near), reason="长" * 501)
    assert "no such class" in desk.refused(Change(None, near), class_id="nobody")


@pytest.mark.rule("R10")
def test_the_classs_warnings_follow_its_timetable(desk: Desk) -> None:
    plan = lesson(desk.practical.planned_start_us + DAY, 39, 1)
    done = desk.do(Change(None, plan))

    def rules() -> set[str]:
        found = table.training_class(desk.store, "dgjc-1")
        assert found is not None
        return {each["rule"] for each in found.warnings}

    assert "R10" in rules()
    desk.undo(done.edit_id)
    assert "R10" not in rules()


def test_a_problem_names_the_place_in_the_file(desk: Desk, tmp_path: Path) -> None:
    clash = Change(None, lesson(desk.practical.planned_start_us), place="课程表.csv 第 7 行 / row 7")
    assert desk.refused(clash).startswith("课程表.csv 第 7 行 / row 7: ")


@pytest.mark.parametrize("new_id", ["0", "z"])
def test_a_lesson_planned_again_after_a_wrong_clock_is_changed_like_any_other(
    desk: Desk, new_id: str
) -> None:
    with desk.store.transaction():
        table.set_open(desk.store, desk.theory.id, desk.clock.wall_us)
        table.set_closed(desk.store, desk.theory.id, desk.clock.wall_us, "clock_was_wrong")
        table.plan_again(desk.store, desk.theory, new_id)
    plan = plan_of(desk.theory)
    longer = replace(plan, end_us=plan.end_us + 10 * MINUTE)
    file = TimetableFile((("f", longer), ("f", plan_of(desk.practical))), "ab" * 32)
    merged = merge(desk.store, "dgjc-1", file, keep_others=False)
    assert not merged.problems and [each.session_id for each in merged.changes] == [new_id]
    desk.do(*merged.changes)
    assert plan_of(desk.now(new_id)) == longer
    training_class = table.training_class(desk.store, "dgjc-1")
    assert training_class is not None
    lessons = plan_of_class(training_class, [], table.sessions(desk.store, class_id="dgjc-1")).lessons
    assert sum(each.class_hours for each in lessons) == 8, "its class hours count once"

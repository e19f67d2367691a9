"""A class file that comes again meets the edits made since: they stand, or it is refused with their names."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from agent.classes.lesson_plan import plan_of, said
from agent.classes.problems import ClassFileError
from agent.classes.timetable_edit import Change
from agent.classes.undo import undo_import
from agent.paths import Paths
from agent.store import classes as table
from agent.store import timetable_edits
from agent.store.database import Store
from tests.classes.attending import Roll
from tests.classes.desk import DAY, HOUR, MINUTE, Desk
from tests.classes.documents import class_content
from tests.clocks import ManualClock


@pytest.fixture
def desk(store: Store, paths: Paths, clock: ManualClock) -> Desk:
    return Desk(store, paths, clock)


def with_another_name(**more: Any) -> dict[str, Any]:
    """What a class file comes again for."""
    content = class_content()
    content["trainees"][2]["name"] = "学员丙丙"
    return content | more


def later(plan: Any, by_us: int) -> Any:
    return plan.moved(plan.start_us + by_us)


def test_what_was_moved_changed_added_and_called_off_stays_so(desk: Desk) -> None:
    theory, practical = plan_of(desk.theory), plan_of(desk.practical)
    added = later(practical, 2 * DAY)
    desk.do(
        Change(theory, None, desk.theory.id),
        Change(practical, later(practical, DAY), desk.practical.id),
        Change(None, added),
    )
    before = desk.plans()
    report = desk.take(with_another_name())
    assert desk.plans() == before == [said(later(practical, DAY)), said(added)]
    assert (report.people_added, report.sessions_kept_as_edited) == (1, 3)
    assert (report.sessions_added, report.sessions_changed, report.sessions_cancelled) == (0, 0, 0)
    (edit,) = {row["edit_id"][:8] for row in desk.store.rows("SELECT edit_id FROM timetable_edit")}
    assert all(edit in line for line in report.edits_kept)
    assert desk.facts("class.imported")[-1]["sessions_kept_as_edited"] == 3
    assert any("0 of 16 theory" in finding.en for finding in report.findings), "of the timetable as it is"
    assert desk.take(with_another_name()).sessions_kept_as_edited == 3, "and each time that it comes"
    assert desk.plans() == before


def test_a_lesson_that_was_moved_twice_is_known_by_each_of_its_plans(desk: Desk) -> None:
    desk.move(desk.practical, DAY)
    desk.move(desk.now(desk.practical.id), DAY)
    before = desk.plans()
    content = class_content()
    content["sessions"][1] |= {"start": "2026-11-22T14:00:00", "end": "2026-11-22T17:00:00"}
    assert desk.take(content).sessions_kept_as_edited == 1
    assert desk.plans() == before


def test_a_file_that_has_the_edits_in_it_is_simply_right(desk: Desk) -> None:
    desk.move(desk.practical, DAY)
    content = class_content()
    content["sessions"][1] |= {"start": "2026-11-22T14:00:00", "end": "2026-11-22T17:00:00"}
    report = desk.take(content)
    assert report.sessions_kept_as_edited == report.sessions_added == report.sessions_cancelled == 0


def test_a_lesson_that_was_moved_to_where_a_cancelled_one_stood_is_not_entered_again(desk: Desk) -> None:
    """Both have their row in the old file, and neither row is the other's lesson."""
    first = desk.practical
    second = later(plan_of(first), DAY)
    desk.do(Change(None, second))
    content = class_content()
    practical = content["sessions"][1]
    content["sessions"].append(
        practical | {key: practical[key].replace("2026-11-21", "2026-11-22") for key in ("start", "end")}
    )
    assert desk.take(content).sessions_added == 0, "the file has both, as they are planned"
    (moved,) = (
        each
        for each in table.sessions(desk.store, class_id="dgjc-1", states=("planned",))
        if plan_of(each) == second
    )
    desk.do(Change(plan_of(first), None, first.id))
    desk.move(moved, -DAY)
    before = desk.plans()
    report = desk.take(content)
    assert desk.plans() == before
    assert (report.sessions_added, report.sessions_kept_as_edited) == (0, 2)


def test_two_lessons_that_changed_places_are_the_two_that_they_were(desk: Desk) -> None:
    theory, practical = plan_of(desk.theory), plan_of(desk.practical)
    desk.do(
        Change(theory, later(theory, practical.start_us - theory.start_us), desk.theory.id),
        Change(practical, later(practical, theory.start_us - practical.start_us), desk.practical.id),
    )
    before = desk.plans()
    assert desk.take(class_content()).sessions_kept_as_edited == 2
    assert desk.plans() == before


@pytest.mark.parametrize("row", ["longer", "missing"])
def test_a_row_that_is_at_odds_with_an_edit_refuses_the_file_and_names_it(desk: Desk, row: str) -> None:
    edit = desk.move(desk.practical, DAY)
    content = with_another_name()
    if row == "longer":
        content["sessions"][1]["end"] = "2026-11-21T17:30:00"
    else:
        del content["sessions"][1]
    before = desk.rows()
    with pytest.raises(ClassFileError) as caught:
        desk.take(content)
    assert desk.rows() == before
    (problem,) = caught.value.problems
    assert edit.edit_id[:8] in problem and said(plan_of(desk.now(desk.practical.id))) in problem
    assert "--over-edits" in problem and "教师请假" not in problem, "reasons stay where they are (I6)"


def test_a_lesson_of_the_file_in_the_place_of_one_that_was_moved_there_is_refused(desk: Desk) -> None:
    desk.move(desk.practical, DAY)
    content = class_content()
    new = content["sessions"][1] | {"start": "2026-11-22T16:00:00", "end": "2026-11-22T18:00:00"}
    content["sessions"].append(new | {"class_hours": 2})
    with pytest.raises(ClassFileError, match="教室已排给"):
        desk.take(content)


def test_the_file_replaces_the_edits_when_hr_say_so_and_later_ones_too(desk: Desk) -> None:
    theory, practical = plan_of(desk.theory), plan_of(desk.practical)
    desk.do(Change(theory, None, desk.theory.id), Change(practical, later(practical, DAY), desk.practical.id))
    before = desk.plans()
    report = desk.take(class_content(), over_edits=True)
    assert report.sessions_kept_as_edited == 0
    assert desk.plans() == [said(theory), said(practical)]
    assert desk.take(class_content()).sessions_kept_as_edited == 0, "the edits are over"
    assert desk.plans() == [said(theory), said(practical)]
    assert desk.plans() != before


def test_taking_the_replacing_import_back_brings_the_edits_back(desk: Desk) -> None:
    desk.move(desk.practical, DAY)
    before = desk.plans()
    desk.take(class_content(), over_edits=True)
    assert desk.plans() != before
    undo_import(desk.store, desk.vault, desk.clock.now(), "dgjc-1", simulated=True)
    assert desk.plans() == before
    assert desk.take(class_content()).sessions_kept_as_edited == 1


def test_a_lesson_that_overran_keeps_the_end_that_it_was_given(desk: Desk) -> None:
    with desk.store.transaction():
        table.set_open(desk.store, desk.theory.id, desk.clock.wall_us)
    plan = plan_of(desk.theory)
    longer = type(plan)(plan.room, plan.kind, plan.start_us, plan.end_us + 20 * MINUTE, plan.class_hours)
    desk.do(Change(plan, longer, desk.theory.id))
    desk.take(class_content())
    assert desk.now(desk.theory.id).planned_end_us == longer.end_us


def test_a_lesson_that_was_put_right_to_when_it_was_held_stays_so(desk: Desk) -> None:
    plan = plan_of(desk.theory)
    with desk.store.transaction():
        table.set_open(desk.store, desk.theory.id, plan.start_us - 15 * MINUTE)
        table.set_closed(desk.store, desk.theory.id, plan.end_us + 40 * MINUTE, "planned_end")
    desk.clock.wall_us = plan.end_us + HOUR
    Roll(desk.store).film(desk.theory.id, -15, 220, "room-101")
    held = type(plan)(
        plan.room, plan.kind, plan.start_us + 30 * MINUTE, plan.end_us + 30 * MINUTE, plan.class_hours
    )
    desk.do(Change(plan, held, desk.theory.id, as_held=True))
    before = desk.plans()
    for over_edits in (False, True):
        desk.take(with_another_name(), over_edits=over_edits)
        assert desk.plans() == before, "what was held is no file's to say"


@pytest.mark.parametrize("seed", range(6))
def test_the_same_file_changes_nothing_after_any_edits(desk: Desk, seed: int) -> None:
    """Whatever was edited and taken back: the file that made the timetable leaves it alone."""
    random = Random(seed)
    for _ in range(2):
        for _ in range(random.randint(1, 4)):
            planned = table.sessions(desk.store, class_id="dgjc-1", states=("planned",))
            free_us = max((each.planned_end_us for each in planned), default=desk.clock.wall_us) + HOUR
            act = random.choice(["move", "cancel", "add", "undo"])
            edits = timetable_edits.edits_of(desk.store, "dgjc-1")
            if act == "undo" and edits and timetable_edits.undone_by(desk.store, edits[0].edit_id) is None:
                desk.undo(edits[0].edit_id)
            elif act == "cancel" and planned:
                chosen = random.choice(planned)
                desk.do(Change(plan_of(chosen), None, chosen.id))
            elif act == "move" and planned:
                chosen = random.choice(planned)
                desk.move(chosen, free_us - chosen.planned_start_us)
            else:
                plan = plan_of(desk.theory)
                desk.do(Change(None, later(plan, free_us - plan.start_us)))
        before = desk.plans()
        desk.take(class_content())
        assert desk.plans() == before

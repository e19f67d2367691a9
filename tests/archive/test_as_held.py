"""What the archive states anew of a lesson that was put right to the times at which it was held."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.archive.continuity import ContinuityJudge
from agent.classes.lesson_plan import plan_of
from agent.classes.timetable_edit import Change, edit
from agent.clock import Stamp
from agent.policy import CHECKOUT_FOLDER, load_policies
from agent.store import classes as table
from agent.store.database import Store
from tests.archive.test_continuity import film_a_lesson, judge, judge_until, look_again
from tests.archive.test_visibility import Lesson, lesson, places_of
from tests.cli.test_continuity import SESSION, plan_session
from tests.clocks import ManualClock
from tests.recording.conftest import clip, clip_path, rig
from tests.recording.rig import Rig

__all__ = ["clip", "clip_path", "judge", "lesson", "rig"]

SECOND_US = 1_000_000
POLICIES = load_policies(CHECKOUT_FOLDER)


def enter(store: Store, stamp: Stamp, start_us: int, end_us: int) -> None:
    """HR staff enter when the lesson was really held."""
    session = table.session(store, SESSION)
    assert session is not None
    plan = plan_of(session)
    change = Change(plan, replace(plan, start_us=start_us, end_us=end_us), SESSION, as_held=True)
    with store.transaction():
        edit(
            store,
            stamp,
            "c-1",
            [change],
            "晚开课",
            room=session.room,
            policies=POLICIES,
            simulated=True,
        )


@pytest.mark.rule("R2")
def test_the_video_of_its_class_hours_is_judged_anew(
    rig: Rig, clock: ManualClock, judge: ContinuityJudge
) -> None:
    """Planned six seconds before anything was filmed, held for ten seconds on video."""
    start_us, end_us = film_a_lesson(rig)
    plan_session(rig, start_us - 6 * SECOND_US, start_us + 4 * SECOND_US, hours=2)
    rig.store.execute("UPDATE session SET closed_us = ?", (end_us,))
    clock.advance(60)
    (first,) = judge_until(rig, judge, 1)
    assert [hour["verdict"] for hour in first.data["hours"]] == ["not_met", "not_met"]
    enter(rig.store, clock.now(), start_us + SECOND_US, start_us + 11 * SECOND_US)
    _, second = look_again(rig, judge)
    assert [hour["verdict"] for hour in second.data["hours"]] == ["met", "met"]
    assert second.supersedes == first.id and "lesson_changed" in second.because
    judge.close()


@pytest.mark.rule("R6")
def test_whether_its_class_hour_showed_everybody_is_judged_anew(lesson: Lesson) -> None:
    """Planned so that a minute of it was counted; held for five minutes."""
    row = lesson.store.one("SELECT planned_start_us AS start_us, planned_end_us AS end_us FROM session")
    start_us, end_us = row["start_us"], row["end_us"]
    lesson.store.execute(
        "UPDATE session SET planned_start_us = ?, planned_end_us = ?, opened_us = planned_start_us",
        (start_us - 240 * SECOND_US, start_us + 60 * SECOND_US),
    )
    lesson.check_in(10)
    lesson.count(11, places_of(lesson))
    assert lesson.judged().device.verdict == "uncertain"
    enter(lesson.store, lesson.clock.now(), start_us, end_us)
    lesson.clock.advance(601)
    second = lesson.judged(2).device
    assert (second.verdict, second.data["start_us"]) == ("shown", start_us)
    assert "lesson_changed" in second.because

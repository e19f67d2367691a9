"""Counts that were never made are made from the recording; then the verdict is that of a watch that
lived."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from agent.archive.catch_up import AGAIN_NS, OLDEST_US, CatchUp
from agent.archive.part import Word
from agent.archive.recounter import Trouble
from agent.archive.rounds import LATEST_US, RECENT_NS
from agent.store import visibility
from agent.store.catch_up import Ended, stated_end
from agent.store.clock_log import Comparison, insert_comparison
from agent.timekeeping.watch import ClockWatch, Instruments
from agent.visibility.watcher import Watcher
from tests.archive.catching import (
    NONE_REFUSED,
    PEOPLE,
    InThisProcess,
    Lesson,
    SeatedPeople,
    hold,
    lesson,
    slow_clip,
)
from tests.cli.test_continuity import SESSION
from tests.recording.rig import ORIGIN
from tests.visibility.people import DETECTOR
from tests.waiting import wait_until

__all__ = ["hold", "lesson", "slow_clip"]

RULE = pytest.mark.rule("R6")


def without_ids(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key != "looks_caught_up"}


@RULE
def test_the_verdict_is_that_of_a_watch_that_never_died(hold: Callable[[], Lesson]) -> None:
    """Dead for a minute and a half, alive for a moment, dead to the end: the same pictures are counted at
    last, and say the same to the last digit."""
    lived, died = hold(), hold()
    lived.play(180)
    lived.finish()
    died.play(40)
    died.play(90, watched=False)
    died.play(20, watcher=Watcher(died.paths, ORIGIN.room, died.counter, died.rig.clock, simulated=True))
    died.play(30, watched=False)
    died.finish()
    before = died.looks()
    assert len(before) == 14
    for each in (lived, died):
        each.catch_up()
    assert [look[1:] for look in died.looks()] == [look[1:] for look in lived.looks()]
    assert set(before) < set(died.looks()), "what was counted at once stays"
    told = died.judged().device
    assert without_ids(told.data) == without_ids(lived.judged().device.data)
    assert (told.verdict, told.data["looks"], told.data["looks_caught_up"]) == ("shown", 37, 23)
    assert stated_end(died.store, SESSION) == Ended(DETECTOR, 23, NONE_REFUSED, 0)
    assert stated_end(lived.store, SESSION) is None and lived.recounter.asked == []


def test_each_count_made_afterwards_says_so_and_is_stated(lesson: Lesson) -> None:
    lesson.play(60, watched=False)
    lesson.finish()
    lesson.catch_up()
    made = lesson.caught_up()
    assert len(made) == 13 and {row["caught_up_us"] > row["at_us"] for row in made} == {True}
    assert {(row["session_id"], row["expected"], row["simulated"]) for row in made} == {
        (SESSION, PEOPLE - 1, 1)
    }
    stated = lesson.facts("visibility.heads-counted")
    assert {each["caught_up"] for each in stated} == {True}
    assert sum(each["pictures"] for each in stated) == len(made)


def test_killed_at_any_moment_it_goes_on_and_counts_nothing_twice(hold: Callable[[], Lesson]) -> None:
    """Each process ends after one step: what it had counted and not kept is gone."""
    whole, torn = hold(), hold()
    for each in (whole, torn):
        each.play(20)
        each.play(80, watched=False)
        each.finish()
    whole.catch_up()
    parts = 0
    while not torn.facts("visibility.catch-up-ended"):
        part = CatchUp(torn.context, torn.recounter)
        for _ in range(2 + parts % 4):
            part.step(torn.store, torn.rig.clock.now())
            wait_until(lambda one=part: one.is_idle, 20, "the pictures are counted")  # type: ignore[misc]
            torn.rig.clock.advance(20)
        parts += 1
        assert parts < 100
    assert [look[1:] for look in torn.looks()] == [look[1:] for look in whole.looks()]
    stated = torn.facts("visibility.heads-counted")
    assert sum(each["pictures"] for each in stated if each["caught_up"]) == len(torn.caught_up()) == 16


@RULE
def test_a_verdict_of_fewer_pictures_is_superseded_and_says_why(lesson: Lesson) -> None:
    """Nobody could count at first: the class hour is judged by what there was. Then somebody can."""
    lesson.play(30)
    lesson.play(150, watched=False)
    lesson.finish()
    missing = Trouble("model", "请安装", "no weights")
    lesson.recounter.meets = lambda wanted: missing
    word = Word()
    while word.state != "fault":
        word = lesson.catching.step(lesson.store, lesson.rig.clock.now())
    assert "补数暂停" in word.zh and "请安装" in word.zh and "no weights" in word.en
    first = lesson.judged()
    assert (first.verdict, first.device.data["reason"]) == ("uncertain", "too_few_pictures")
    lesson.recounter.meets = lambda wanted: None
    lesson.rig.clock.advance(AGAIN_NS / 1e9)
    lesson.catch_up()
    lesson.rig.clock.advance(RECENT_NS / 1e9)
    second = lesson.judged(2)
    assert (second.verdict, second.in_force.supersedes) == ("shown", first.in_force.id)
    assert second.in_force.because == ("pictures_caught_up",)


def test_a_class_hour_waits_for_its_pictures_and_not_for_ever(lesson: Lesson) -> None:
    lesson.play(150, watched=False)
    lesson.finish()
    lesson.recounter.meets = lambda wanted: Trouble("disk", "", "")
    lesson.catching.step(lesson.store, lesson.rig.clock.now())
    wait_until(lambda: lesson.catching.awaited_hours(lesson.store, lesson.session) == {1}, 5, "it is awaited")
    for _ in range(5):
        lesson.judge.step(lesson.store, lesson.rig.clock.now())
        lesson.rig.clock.advance(30)
    assert visibility.stated(lesson.store, SESSION) == []
    lesson.rig.clock.advance(LATEST_US / 1e6)
    assert lesson.judged().device.data["reason"] == "no_pictures"


@RULE
def test_a_counter_put_in_anothers_place_counts_the_rest_from_the_recording(lesson: Lesson) -> None:
    other = Watcher(
        lesson.paths, ORIGIN.room, SeatedPeople("of-another-release"), lesson.rig.clock, simulated=True
    )
    lesson.play(90, watcher=other)
    lesson.play(90)
    lesson.finish()
    lesson.catch_up()
    found = lesson.judged().device
    assert (found.verdict, found.data["detector"], found.data["looks_caught_up"]) == ("shown", DETECTOR, 18)
    assert len(lesson.store.rows("SELECT 1 FROM head_count WHERE detector <> ?", (DETECTOR,))) == 19


def test_what_one_counter_counted_whole_is_not_counted_again_by_the_next(lesson: Lesson) -> None:
    lesson.play(60)
    lesson.finish()
    successor = InThisProcess(SeatedPeople("of-another-release"))
    part = CatchUp(lesson.context, successor)
    lesson.recounter = successor
    lesson.catch_up(part)
    assert successor.asked == [] and lesson.caught_up() == []
    part.close()


@RULE
def test_a_clock_corrected_between_moves_what_was_counted_at_once_and_afterwards_alike(
    lesson: Lesson,
) -> None:
    """The clock was two hours behind: counted at once for a lesson of that time, and truly of another."""
    clock, two_hours_s = lesson.rig.clock, 7200
    watch = ClockWatch(Instruments(lambda: 10_000, lambda: None), simulated=True)
    clock.clock_state = "unsynchronised"
    watch.look(lesson.store, clock.now())
    lesson.play(60)
    lesson.play(120, watched=False)
    lesson.finish()
    lesson.store.execute(
        "UPDATE session SET planned_start_us = planned_start_us + :ahead,"
        " planned_end_us = planned_end_us + :ahead",
        {"ahead": two_hours_s * 1_000_000},
    )
    lesson.catch_up()
    assert lesson.caught_up() == [], "by its stamps that lesson was not filmed"
    watch.look(lesson.store, clock.now())
    clock.step_wall(two_hours_s)
    clock.clock_state = "synchronised"
    for _ in range(3):
        clock.advance(1)
        watch.look(lesson.store, clock.now())
    clock.advance(RECENT_NS / 1e9)
    lesson.catch_up()
    found = lesson.judged().device
    assert (found.verdict, found.data["looks"], found.data["looks_caught_up"]) == ("shown", 37, 24)


def test_a_lesson_too_long_ago_is_given_up_and_that_is_said(lesson: Lesson) -> None:
    lesson.play(30, watched=False)
    lesson.finish()
    lesson.rig.clock.advance(OLDEST_US / 1e6)
    lesson.catch_up()
    assert lesson.recounter.asked == []
    (ended,) = lesson.facts("visibility.catch-up-ended")
    assert (ended["made"], ended["left"], ended["reason"]) == (0, 7, "too_old")


@pytest.mark.promise("I8")
def test_it_is_given_up_by_a_clock_that_somebody_answers_for_alone(lesson: Lesson) -> None:
    """A place without network, where HR's comparison is the word for the clock; until then it may be a clock
    that was set ahead."""
    lesson.play(30, watched=False)
    lesson.finish()
    clock = lesson.rig.clock
    clock.clock_state = "unsynchronised"
    clock.advance(OLDEST_US / 1e6)
    lesson.catch_up()
    assert lesson.recounter.asked == [] and lesson.facts("visibility.catch-up-ended") == []
    half_an_hour_us = 1_800_000_000
    with lesson.store.transaction():
        insert_comparison(
            lesson.store,
            Comparison(
                clock.boot_id, clock.monotonic_ns, clock.wall_us, clock.wall_us, half_an_hour_us, None
            ),
        )
    lesson.catch_up(CatchUp(lesson.context, lesson.recounter))
    assert lesson.facts("visibility.catch-up-ended") == [], "the clock may be wrong by as much"
    clock.advance(half_an_hour_us * 2 / 1e6)
    lesson.catch_up(CatchUp(lesson.context, lesson.recounter))
    (ended,) = lesson.facts("visibility.catch-up-ended")
    assert (ended["left"], ended["reason"]) == (7, "too_old")


def test_where_no_lesson_was_nobody_asks_who_counts(lesson: Lesson) -> None:
    lesson.store.execute("DELETE FROM check_in")
    lesson.store.execute("DELETE FROM session")
    for _ in range(3):
        assert lesson.catching.step(lesson.store, lesson.rig.clock.now()) == Word()
        lesson.rig.clock.advance(60)
    assert lesson.recounter.identified == 0

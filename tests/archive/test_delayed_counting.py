"""Who delays the counting chooses neither which pictures people count nor what a class hour's verdict rests
on (R6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from agent.archive import drawing
from agent.archive.recounter import Trouble
from agent.archive.rounds import ALL_NS, LATEST_US, RECENT_NS, RECENT_US
from agent.archive.visibility_material import collect
from agent.archive.waiting import ANEW_US
from agent.store import visibility
from agent.store.catch_up import stated_end
from agent.visibility.asked_hours import asked_hours
from agent.visibility.blindness import is_blind
from agent.visibility.evidence import evidence_of
from agent.visibility.trust import give
from tests.archive.catching import EVERY_S, Lesson, SeatedPeople, hold, lesson, slow_clip
from tests.cli.test_continuity import SESSION
from tests.recording.rig import ORIGIN
from tests.visibility.counted_hours import DAY_US, DETECTOR, CountedRoom, bears_nothing
from tests.waiting import wait_until

__all__ = ["hold", "lesson", "slow_clip"]

RULE = pytest.mark.rule("R6")
LATE = pytest.mark.parametrize("watched_s", [0, 20], ids=["nobody", "a moment"])


@pytest.fixture
def begin(hold: Callable[[], Lesson], monkeypatch: pytest.MonkeyPatch) -> Callable[[], Lesson]:
    """A lesson counted by weights that bear no verdict everywhere."""
    bears_nothing(monkeypatch)
    monkeypatch.setattr(SeatedPeople.__init__, "__defaults__", (DETECTOR,))
    return hold


def counted_room(lesson: Lesson, camera: str = "rear/file/1280x720") -> CountedRoom:
    """Its room, where HR staff count."""
    room = CountedRoom(lesson.store, lesson.paths, lesson.rig.clock, ORIGIN.room, camera=camera)
    room.configure(revision=2)
    room.calibrate(lesson.start_us - 30 * DAY_US)
    return room


def late(lesson: Lesson) -> dict[str, Any]:
    """What is stated when half an hour is over."""
    lesson.rig.clock.advance(LATEST_US / 1e6)
    lesson.judged()
    (stated,) = lesson.facts("visibility.judged")
    return stated


def look_again(lesson: Lesson) -> list[dict[str, Any]]:
    """Everything stated after the next time that it is looked at."""
    lesson.rig.clock.advance(RECENT_NS / 1e9 + 1)
    for _ in range(3):
        lesson.judge.step(lesson.store, lesson.rig.clock.now())
        wait_until(lambda: lesson.judge.is_idle, 20, "it is reckoned")
    return lesson.facts("visibility.judged")


def unjudged(lesson: Lesson) -> list[int]:
    return [each.number for each in evidence_of(lesson.store, ORIGIN.room).unjudged]


@RULE
@LATE
def test_pictures_are_drawn_when_all_are_counted_and_not_before(
    begin: Callable[[], Lesson], watched_s: int
) -> None:
    """The weights are away, or the watch is ended after a moment, and counted is later than half an hour."""
    lesson = begin()
    counted_room(lesson)
    lesson.play(watched_s, watched=watched_s > 0)
    lesson.play(180 - watched_s, watched=False)
    lesson.finish()
    first = late(lesson)
    assert first["reason"] in ("no_pictures", "detector_not_for_verdicts") and first["drawn"] == []
    assert is_blind(lesson.store, SESSION) and unjudged(lesson) == [1]
    lesson.catch_up()
    *_, last = look_again(lesson)
    assert (last["proposal"]["verdict"], last["looks"], len(last["drawn"])) == ("shown", 37, 2)
    material = collect(lesson.store, lesson.session)
    lots = sorted(material.counted, key=lambda at_us: drawing.lot_of(material.counted[at_us]))
    assert lots[0] in [each["at_us"] for each in last["drawn"]], "by the lot of all that there is"
    assert len(asked_hours(lesson.store)) == 1 and unjudged(lesson) == []
    assert is_blind(lesson.store, SESSION), "they are to be counted"
    assert len(look_again(lesson)) == 2, "drawn once"


@RULE
def test_in_a_trusted_room_no_verdict_is_borne_for_good_that_nobody_may_check(
    begin: Callable[[], Lesson], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "ONE_IN", 1)
    lesson = begin()
    lesson.play(25, watched=False)
    run = lesson.store.rows("SELECT camera, driver, width, height FROM run")[0]
    room = counted_room(lesson, f"{run['camera']}/{run['driver']}/{run['width']}x{run['height']}")
    room.ask_many(before_us=lesson.start_us)
    room.count()
    lesson.store.execute("UPDATE session SET state = 'planned', opened_us = NULL WHERE id = ?", (SESSION,))
    order = give(lesson.store, lesson.rig.clock.now(), ORIGIN.room)
    start_us = lesson.rig.clock.wall_us + EVERY_S * 1_000_000
    lesson.play(180, watched=False)
    lesson.rig.stop()
    end_us = lesson.rig.segments()[-1]["end_us"]
    lesson.store.execute(
        "UPDATE session SET state = 'closed', planned_start_us = :start, opened_us = :start,"
        " planned_end_us = :end, closed_us = :end WHERE id = :id",
        {"start": start_us, "end": end_us, "id": SESSION},
    )
    lesson.store.execute("UPDATE check_in SET at_us = ?", (start_us,))
    lesson.rig.clock.advance(120 + LATEST_US / 1e6)
    lesson.judged()
    lesson.catch_up()
    *_, last = look_again(lesson)
    assert (last["verdict"], last["trust"], len(last["drawn"])) == ("shown", order.id, 2)
    assert is_blind(lesson.store, SESSION)


@RULE
@pytest.mark.promise("I8")
def test_a_clock_that_runs_ahead_for_a_moment_ends_no_class_hour(begin: Callable[[], Lesson]) -> None:
    lesson = begin()
    counted_room(lesson)
    lesson.play(10)
    ahead = replace(lesson.rig.clock.now(), clock_state="unsynchronised")
    ahead = replace(ahead, wall_us=ahead.wall_us + 3 * 3600 * 1_000_000)
    for _ in range(3):
        lesson.judge.step(lesson.store, ahead)
        wait_until(lambda: lesson.judge.is_idle, 20, "it is reckoned")
        ahead = replace(ahead, monotonic_ns=ahead.monotonic_ns + RECENT_NS)
    assert lesson.facts("visibility.judged") == [] and is_blind(lesson.store, SESSION)
    lesson.play(180)
    lesson.finish()
    lesson.catch_up()
    (stated,) = look_again(lesson)
    assert (stated["proposal"]["verdict"], len(stated["drawn"])) == ("shown", 2)


@RULE
@pytest.mark.promise("I8")
def test_what_a_forged_time_service_had_stated_too_early_is_drawn_all_the_same(
    begin: Callable[[], Lesson],
) -> None:
    """Somebody answers for that clock; what it had stated of the first half minute is of no picture's lot."""
    lesson = begin()
    counted_room(lesson)
    lesson.play(30)
    ahead = lesson.rig.clock.now()
    ahead = replace(ahead, wall_us=ahead.wall_us + 3 * 3600 * 1_000_000)

    def is_stated() -> bool:
        lesson.judge.step(lesson.store, ahead)
        return lesson.judge.is_idle and lesson.facts("visibility.judged") != []

    wait_until(
        lambda: lesson.catching.step(lesson.store, lesson.rig.clock.now()) and is_stated(), 20, "it is"
    )
    (first,) = lesson.facts("visibility.judged")
    assert first["drawn"] == [] and is_blind(lesson.store, SESSION) and unjudged(lesson) == [1]
    lesson.play(180)
    lesson.finish()
    lesson.catch_up()
    *_, last = look_again(lesson)
    assert (last["proposal"]["verdict"], last["looks"] >= 37, len(last["drawn"])) == ("shown", True, 2)


@RULE
@LATE
def test_what_nobody_ever_counts_is_given_up_and_keeps_nothing_waiting(
    begin: Callable[[], Lesson], watched_s: int
) -> None:
    """After a fortnight it is drawn from what there is, or there is nothing to draw from."""
    lesson = begin()
    counted_room(lesson)
    lesson.recounter.meets = lambda wanted: Trouble("model", "请安装", "no weights")
    lesson.play(watched_s, watched=watched_s > 0)
    lesson.play(180 - watched_s, watched=False)
    lesson.finish()
    late(lesson)
    lesson.rig.clock.advance(RECENT_US / 1e6 - 3600)
    assert len(look_again(lesson)) == 1 and is_blind(lesson.store, SESSION)
    lesson.rig.clock.advance(ALL_NS / 1e9)
    *_, last = look_again(lesson)
    assert len(last["drawn"]) == (2 if watched_s else 0)
    assert unjudged(lesson) == [] and is_blind(lesson.store, SESSION) == bool(watched_s)


def count_some(lesson: Lesson, pictures: int) -> None:
    """Until so many were counted afterwards."""

    def are_counted() -> bool:
        lesson.catching.step(lesson.store, lesson.rig.clock.now())
        wait_until(lambda: lesson.catching.is_idle, 20, "they are counted")
        lesson.rig.clock.advance(20)
        return len(lesson.caught_up()) >= pictures

    wait_until(are_counted, 30, "so many are counted")


@RULE
def test_what_was_counted_is_judged_though_the_rest_is_given_up(lesson: Lesson) -> None:
    """Of twenty-eight checked in eight are there: a strike, whatever became of the last pictures."""
    lesson.check_in(20)
    lesson.play(20)
    lesson.play(280, watched=False)
    lesson.finish()
    assert late(lesson)["reason"] == "too_few_pictures"
    count_some(lesson, 36)
    lesson.rig.clock.advance(RECENT_US / 1e6 + 3600)
    lesson.catch_up()
    ended = stated_end(lesson.store, SESSION)
    assert ended is not None and ended.left
    lesson.rig.clock.advance(ALL_NS / 1e9)
    *_, last = look_again(lesson)
    assert (last["verdict"], last["because"]) == ("not_shown", ["pictures_caught_up"])
    assert visibility.strikes(lesson.store, "c-1").count == 1


@RULE
def test_a_verdict_waits_a_day_for_the_rest_and_not_for_ever(lesson: Lesson) -> None:
    lesson.check_in(20)
    lesson.play(20)
    lesson.play(280, watched=False)
    lesson.finish()
    late(lesson)
    count_some(lesson, 36)
    assert len(look_again(lesson)) == 1, "the rest is about to be counted"
    lesson.rig.clock.advance(ANEW_US / 1e6)
    _, second = look_again(lesson)
    assert (second["verdict"], second["because"]) == ("not_shown", ["pictures_caught_up"])
    lesson.catch_up()
    assert [each["looks_caught_up"] for each in look_again(lesson)] == [0, second["looks_caught_up"], 56]

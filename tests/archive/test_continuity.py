"""The record of a lesson's class hours, stated by the archive after the lesson."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agent.archive.continuity import ContinuityJudge
from agent.archive.rounds import ALL_NS, LATEST_US, RECENT_NS
from agent.paths import Paths
from agent.role import RoleContext
from agent.store import continuity
from agent.timekeeping.watch import ClockWatch, Instruments
from tests.cli.test_continuity import SESSION, plan_session
from tests.clocks import ManualClock
from tests.evidence.schemas import problems_of_facts
from tests.recording.conftest import clip, clip_path, rig
from tests.recording.rig import ORIGIN, Rig
from tests.waiting import wait_until
from tests.web.lesson import settings_for

__all__ = ["clip", "clip_path", "rig"]


@pytest.fixture
def judge(paths: Paths, clock: ManualClock) -> ContinuityJudge:
    return made_judge(paths, clock)


def made_judge(paths: Paths, clock: ManualClock) -> ContinuityJudge:
    settings = settings_for(paths, 1)
    node = settings.node.model_copy(update={"room": ORIGIN.room})
    return ContinuityJudge(RoleContext("archive", settings.model_copy(update={"node": node}), paths, clock))


def judged(rig: Rig) -> list[dict[str, Any]]:
    rows = rig.store.rows("SELECT session_id, data FROM fact WHERE type = 'session.continuity-judged'")
    assert {row["session_id"] for row in rows} <= {SESSION}
    return [json.loads(row["data"]) for row in rows]


@pytest.mark.rule("R2")
@pytest.mark.promise("I3")
def test_a_lesson_is_judged_once_when_the_index_has_reached_its_end(
    rig: Rig, clock: ManualClock, judge: ContinuityJudge
) -> None:
    rig.start()
    rig.connect()
    rig.play(6)
    rig.fault()
    rig.idle(3)
    rig.connect()
    rig.play(1.5)
    start_us = rig.segments()[0]["start_us"]
    plan_session(rig, start_us, start_us + 10_000_000, hours=2)
    judge.step(rig.store, clock.now())
    assert judged(rig) == [], "the last segment is not in the index yet"
    rig.play(6)
    rig.stop()
    clock.advance(60)

    def is_stated() -> bool:
        judge.step(rig.store, clock.now())
        return bool(judged(rig))

    wait_until(is_stated, 10, "the lesson is judged")
    (data,) = judged(rig)
    assert (data["verdict"], data["unexplained_us"], data["demand"]["rule"]) == ("not_met", 0, "R2")
    assert [hour["verdict"] for hour in data["hours"]] == ["met", "not_met"]
    assert [gap["reason"] for gap in data["hours"][1]["missing"]] == ["camera"]
    assert problems_of_facts(rig.store) == []
    clock.advance(60)
    judge.step(rig.store, clock.now())
    assert len(judged(rig)) == 1
    judge.close()


def test_a_lesson_of_which_nothing_came_is_judged_in_the_end(
    rig: Rig, clock: ManualClock, judge: ContinuityJudge
) -> None:
    end_us = clock.wall_us
    plan_session(rig, end_us - 3_600_000_000, end_us)
    clock.advance(60)
    judge.step(rig.store, clock.now())
    clock.advance(LATEST_US / 1_000_000)

    def is_stated() -> bool:
        judge.step(rig.store, clock.now())
        return bool(judged(rig))

    wait_until(is_stated, 10, "the lesson is judged")
    (data,) = judged(rig)
    assert (data["verdict"], data["unexplained_us"], data["files_read"]) == ("not_met", 0, 0)
    (missing,) = data["hours"][0]["missing"]
    assert missing["reason"] == "not_in_service", "no recorder was ever started here"
    assert problems_of_facts(rig.store) == []
    judge.close()


def stated(rig: Rig) -> list[continuity.Judgement]:
    """Table and facts say the same."""
    found = continuity.judgements(rig.store, SESSION)
    facts = judged(rig)
    assert [each.id for each in found] == [fact["judgement"] for fact in facts]
    assert problems_of_facts(rig.store) == []
    return found


def judge_until(rig: Rig, judge: ContinuityJudge, count: int) -> list[continuity.Judgement]:
    def is_stated() -> bool:
        judge.step(rig.store, rig.clock.now())
        return len(judged(rig)) >= count

    wait_until(is_stated, 10, f"{count} statements")
    return stated(rig)


def look_again(rig: Rig, judge: ContinuityJudge) -> list[continuity.Judgement]:
    """A whole round more; what it reads is read to the end."""
    rig.clock.advance(max(RECENT_NS, ALL_NS) / 1e9 + 1)
    judge.step(rig.store, rig.clock.now())  # begins the round and reads, if there is anything to read
    wait_until(lambda: judge.is_idle, 10, "the files are read")
    judge.step(rig.store, rig.clock.now())
    return stated(rig)


def film_a_lesson(rig: Rig) -> tuple[int, int]:
    """Ten seconds without a gap; returns when they lie by the device's clock."""
    rig.start()
    rig.connect()
    rig.play(14)
    rig.stop()
    rows = rig.segments()
    return rows[0]["start_us"], rows[-1]["end_us"]


@pytest.mark.rule("R2")
@pytest.mark.promise("I8")
def test_a_clock_that_is_corrected_later_supersedes_what_was_stated(
    rig: Rig, clock: ManualClock, judge: ContinuityJudge
) -> None:
    """The device's clock was two hours behind and nobody knew: by its stamps the lesson was not filmed."""
    watch = ClockWatch(Instruments(lambda: 10_000, lambda: None), simulated=True)
    clock.clock_state = "unsynchronised"
    watch.look(rig.store, clock.now())
    start_us, _ = film_a_lesson(rig)
    watch.look(rig.store, clock.now())
    two_hours_us = 7200 * 1_000_000
    plan_session(rig, start_us + two_hours_us + 1_000_000, start_us + two_hours_us + 11_000_000, hours=2)
    clock.advance(600)
    watch.look(rig.store, clock.now())
    clock.step_wall(7200)  # set by hand: not yet a clock that anybody vouches for
    watch.look(rig.store, clock.now())
    clock.advance(LATEST_US / 1e6)
    (first,) = judge_until(rig, judge, 1)
    assert (first.data["verdict"], first.supersedes, first.because) == ("not_met", None, ())

    clock.clock_state = "synchronised"
    for _ in range(2):
        clock.advance(1)
        watch.look(rig.store, clock.now())
    _, second = look_again(rig, judge)
    assert (second.data["verdict"], second.data["unexplained_us"]) == ("met", 0)
    assert second.supersedes == first.id
    assert second.because[0] == "clock_corrected"
    assert len(look_again(rig, judge)) == 2, "stated again although nothing changed"
    judge.close()


@pytest.mark.rule("R2")
def test_footage_that_comes_back_supersedes_and_footage_that_goes_does_not(
    rig: Rig, clock: ManualClock, judge: ContinuityJudge, paths: Paths
) -> None:
    start_us, end_us = film_a_lesson(rig)
    plan_session(rig, start_us, end_us, hours=1)
    away = paths.video / rig.segments()[2]["path"]
    aside = away.with_suffix(".away")
    away.rename(aside)
    clock.advance(60)
    (first,) = judge_until(rig, judge, 1)
    assert (first.data["verdict"], first.data["files_not_provable"]) == ("not_met", 1)
    assert len(look_again(rig, judge)) == 1, "it is still away"

    aside.rename(away)
    _, second = look_again(rig, judge)
    assert (second.data["verdict"], second.data["files_not_provable"]) == ("met", 0)
    assert (second.supersedes, second.because) == (first.id, ("files_returned",))

    for row in rig.segments():
        (paths.video / row["path"]).unlink()
    rig.store.execute("UPDATE gap SET end_us = end_us + 1")
    rig.store.execute("UPDATE session SET planned_end_us = planned_end_us - 1")  # something to look at
    assert len(look_again(rig, judge)) == 2, "a disk in the cupboard makes no lesson worse"
    judge.close()


@pytest.mark.rule("R2")
def test_microseconds_and_expired_footage_change_no_statement(
    rig: Rig, clock: ManualClock, judge: ContinuityJudge, paths: Paths
) -> None:
    start_us, end_us = film_a_lesson(rig)
    plan_session(rig, start_us + 1_000_000, end_us, hours=1)
    clock.advance(60)
    (first,) = judge_until(rig, judge, 1)
    rig.store.execute(
        "INSERT INTO clock_correction VALUES (?, 0, ?, ?, 3, 500, 'synchronised')",
        (clock.boot_id, 2**60, clock.wall_us - clock.monotonic_ns // 1000 + 3),
    )
    (same,) = look_again(rig, judge)
    assert same.data == first.data and same.basis != first.basis

    (paths.video / rig.segments()[0]["path"]).unlink()
    rig.store.execute("UPDATE segment SET expired_us = 1 WHERE sequence = 0")
    rig.store.execute("DELETE FROM clock_correction")
    assert len(look_again(rig, judge)) == 1, "when its retention ended a lesson was not made worse"
    judge.close()


@pytest.mark.rule("R2")
def test_killed_before_it_is_stated_a_correction_is_stated_once(
    rig: Rig, clock: ManualClock, judge: ContinuityJudge, paths: Paths
) -> None:
    start_us, end_us = film_a_lesson(rig)
    plan_session(rig, start_us, end_us, hours=1)
    row = dict(rig.store.rows("SELECT * FROM segment WHERE sequence = 2")[0])
    rig.store.execute("DELETE FROM segment WHERE sequence = 2")
    clock.advance(60)
    judge_until(rig, judge, 1)
    rig.store.insert("segment", row)
    clock.advance(RECENT_NS / 1e9 + 1)
    judge.step(rig.store, clock.now())
    judge.close()  # the process dies while its files are read

    again = made_judge(paths, clock)
    _, second = judge_until(rig, again, 2)
    assert second.because == ("footage_indexed",)
    assert len(look_again(rig, again)) == 2
    again.close()

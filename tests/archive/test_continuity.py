"""The record of a lesson's class hours, stated by the archive after the lesson."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agent.archive.continuity import LATEST_US, ContinuityJudge
from agent.paths import Paths
from agent.role import RoleContext
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
    assert (data["verdict"], data["unexplained_us"], data["files_read"]) == ("not_met", 3_600_000_000, 0)
    judge.close()

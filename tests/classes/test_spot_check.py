"""Random spot checks: who may be drawn, that nobody can foretell it, and what passes one (R17, R18)."""

from __future__ import annotations

import hashlib
import json
from collections import Counter

import pytest

from agent.checkin import entry_decisions
from agent.checkin.announcer import Announcer, Spoken
from agent.checkin.answers import AnswerBoard
from agent.checkin.outlet import Outlet
from agent.checkin.spot_check import Caller
from agent.classes import spot_check
from agent.classes.spot_check import SpotCheck, SpotCheckError, drawn_by
from agent.paths import Paths
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from tests.checkin.other_rows import ROOM, Lesson, face
from tests.clocks import ManualClock
from tests.waiting import wait_until


class Heard:
    """A voice that remembers what it said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def play(self, item: Spoken) -> None:
        self.said.append(item.text)

    def close(self) -> None: ...


@pytest.fixture
def lesson(store: Store, paths: Paths, clock: ManualClock) -> Lesson:
    return Lesson(store, paths, clock)


def draw(lesson: Lesson, minutes: int = 10) -> SpotCheck:
    return spot_check.draw(lesson.store, lesson.clock.now(), ROOM, minutes, "page", simulated=True)


def ended(lesson: Lesson) -> list[str]:
    return [data["result"] for _, data in lesson.facts("spot-check.ended")]


def expire(lesson: Lesson) -> int:
    return spot_check.expire(lesson.store, lesson.clock.now())


@pytest.mark.rule("R17", "R18")
def test_who_is_drawn_and_looks_into_the_camera_has_passed(lesson: Lesson) -> None:
    person, other = lesson.person("甲"), lesson.person("乙")
    lesson.look("accepted", person, face(1))
    check = draw(lesson)
    assert (check.person_id, check.name, check.result) == (person, "甲", None)
    lesson.look("accepted", other, face(2))
    assert ended(lesson) == [], "somebody else's look passes nothing"
    lesson.clock.advance(300)
    looked = lesson.look("accepted", person, face(1))
    assert looked.outcome == "already_checked_in"
    ((row, data),) = lesson.facts("spot-check.ended")
    assert (row["subject"], data["result"], data["check_in"]) == (
        f"person/{person}",
        "passed",
        looked.check_in_id,
    )
    assert 300 <= data["seconds"] <= 303
    assert expire(lesson) == 0


@pytest.mark.rule("R17", "R18")
def test_who_does_not_come_in_time_has_missed_it_whatever_the_wall_clock_says(lesson: Lesson) -> None:
    person = lesson.person()
    lesson.look("accepted", person)
    draw(lesson, minutes=5)
    lesson.clock.step_wall(3600)
    assert expire(lesson) == 0, "the wall clock was set, five minutes did not pass"
    lesson.clock.step_wall(-3600)
    lesson.clock.advance(301)
    lesson.look("accepted", person)
    assert ended(lesson) == [], "too late"
    assert expire(lesson) == 1
    assert ended(lesson) == ["missed"]


@pytest.mark.rule("R18")
def test_the_draw_is_fair_and_can_be_done_again_from_its_record(lesson: Lesson) -> None:
    people = sorted(lesson.person(str(number)) for number in range(3))
    for person in people:
        lesson.look("accepted", person)
    lesson.look("accepted", lesson.person("赵", "teacher"))
    lesson.person("没来")
    drawn = Counter[str]()
    for _ in range(60):
        drawn[draw(lesson).person_id] += 1
        lesson.store.execute("UPDATE spot_check SET result = 'void', ended_us = 1 WHERE result IS NULL")
    assert set(drawn) == set(people), "each of three is drawn in 60 draws, but for one chance in 10^10"
    for row, data in lesson.facts("spot-check.drawn"):
        assert data["candidates_sha256"] == hashlib.sha256("\n".join(people).encode()).hexdigest()
        assert row["subject"] == f"person/{drawn_by(data['seed'], people)}"
    assert len({data["seed"] for _, data in lesson.facts("spot-check.drawn")}) == 60


@pytest.mark.rule("R18")
def test_nobody_is_drawn_who_could_not_pass(lesson: Lesson) -> None:
    with pytest.raises(SpotCheckError, match="no trainee"):
        draw(lesson)
    lesson.look("accepted", lesson.person())
    for minutes in (0, 61, -1):
        with pytest.raises(SpotCheckError, match="minutes"):
            draw(lesson, minutes)
    draw(lesson)
    with pytest.raises(SpotCheckError, match="still running"):
        draw(lesson)
    lesson.store.execute("UPDATE session SET state = 'closed'")
    with pytest.raises(SpotCheckError, match="no session"):
        draw(lesson)
    assert len(lesson.facts("spot-check.drawn")) == 1


@pytest.mark.promise("I9")
@pytest.mark.parametrize("why", ["the lesson ended", "the device restarted", "the camera was away"])
def test_what_nobody_could_have_passed_is_void(lesson: Lesson, why: str) -> None:
    lesson.look("accepted", lesson.person())
    draw(lesson)
    if why == "the lesson ended":
        lesson.store.execute("UPDATE session SET state = 'closed'")
    elif why == "the device restarted":
        lesson.clock.boot_id = "00000000-0000-4000-8000-000000000002"
    else:
        with lesson.store.transaction():
            data = {"fault": "camera", "detail": ""}
            fact = Fact(FactType.CHECK_IN_UNAVAILABLE, "node", simulated=True, data=data)
            state_fact(lesson.store, lesson.clock.now(), fact)
        lesson.clock.advance(601)
    assert expire(lesson) == 1
    assert ended(lesson) == ["void"]


@pytest.mark.rule("R17")
def test_who_checks_in_by_pin_passes_by_pin_once_it_is_confirmed(lesson: Lesson) -> None:
    person = lesson.person()
    given = lesson.give_pin(person)
    entry_decisions.decide(lesson.store, lesson.clock.now(), lesson.noted(given), "confirmed", "hr", "")
    draw(lesson)
    lesson.clock.advance(60)
    entry = lesson.noted(given)
    lesson.clock.advance(700)
    assert expire(lesson) == 0, "came in time; people have not decided yet"
    entry_decisions.decide(lesson.store, lesson.clock.now(), entry, "confirmed", "hr", "")
    assert ended(lesson) == ["passed"]
    draw(lesson)
    lesson.clock.advance(60)
    entry = lesson.noted(given)
    entry_decisions.decide(lesson.store, lesson.clock.now(), entry, "rejected", "hr", "照片里没有人")
    lesson.clock.advance(700)
    assert expire(lesson) == 1
    assert ended(lesson) == ["passed", "missed"]


@pytest.mark.rule("R18")
def test_whoever_is_drawn_is_called_at_the_door_each_minute(lesson: Lesson) -> None:
    caller, voice = Caller(), Heard()
    outlet: Outlet[Spoken] = Outlet("voice", lambda: voice, OSError)
    announcer = Announcer(AnswerBoard(lesson.paths.answers), voice=outlet)
    announcer.names_from(lambda person: ("王小明", "trainee"))
    person = lesson.person("王小明")
    lesson.look("accepted", person)

    def call() -> bool:
        due = caller.due(lesson.store, lesson.session, lesson.clock.now())
        if due is not None:
            announcer.call(due, lesson.clock.now())
        return due is not None

    assert not call()
    draw(lesson, minutes=2)
    assert [call(), call()] == [True, False]
    wait_until(lambda: len(voice.said) == 1, 5, "the first call is heard")
    lesson.clock.advance(61)
    assert call()
    wait_until(lambda: len(voice.said) == 2, 5, "the second call is heard")
    outlet.close()
    said = json.loads(lesson.paths.answers.read_text(encoding="utf-8"))["answers"]
    assert [(one["kind"], one["name"], one["zh"]) for one in said] == [
        ("called", "王*明", "请在 2 分钟内看摄像头"),
        ("called", "王*明", "请在 1 分钟内看摄像头"),
    ]
    assert voice.said == ["王同学，请在 2 分钟内看摄像头", "王同学，请在 1 分钟内看摄像头"]
    lesson.clock.advance(1)
    lesson.look("accepted", person)
    lesson.clock.advance(61)
    assert not call(), "passed"
    assert caller.due(lesson.store, None, lesson.clock.now()) is None

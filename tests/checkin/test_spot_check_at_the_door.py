"""Whoever is drawn while standing at the door passes by the next look, and only by a live one (R18, I9)."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from agent.checkin.answers import AnswerKind
from agent.checkin.attendant import Attendant, Question, Reply
from agent.checkin.case import Case
from agent.checkin.deliberation import Conclusion, Finding
from agent.checkin.gallery import Gallery
from agent.checkin.liveness import Liveness, NoLivenessJudge
from agent.checkin.thresholds import CheckinThresholds
from agent.classes import spot_check
from agent.paths import Paths
from agent.store import classes
from agent.store.database import Store
from models.faces import DetectedFace
from models.images import Box
from tests.checkin.other_rows import ROOM, Lesson, face
from tests.clocks import ManualClock


@pytest.fixture
def lesson(store: Store, paths: Paths, clock: ManualClock) -> Lesson:
    return Lesson(store, paths, clock)


def attendant(lesson: Lesson) -> Attendant:
    return Attendant(
        lesson.journal,
        NoLivenessJudge(),
        CheckinThresholds(),
        engine="made-up",
        simulated=True,
        liveness_decides=True,
    )


def look(
    lesson: Lesson, door: Attendant, person: str, liveness: Literal["live", "unsure", "attack"] = "live"
) -> Reply | Question:
    """One conclusion about `person`, two seconds after the last."""
    lesson.clock.advance(2)
    image = np.zeros((240, 240, 3), np.uint8)
    point = (100.0, 100.0)
    seen = DetectedFace(Box(60, 60, 100, 120), 1.0, (point,) * 5, point, point, point)
    conclusion = Conclusion(Finding.NAMED, person, 0.3, 0.2, 2)
    case = Case(1, conclusion, ((image, seen),), (image, seen), face(1), Liveness(liveness, "made-up", 0.9))
    session = classes.open_session(lesson.store, ROOM)
    assert session is not None
    gallery = Gallery([], {person: "trainee"})
    return door.answer(case, session, gallery, lesson.clock.now())


@pytest.mark.rule("R18")
@pytest.mark.promise("I9")
def test_who_stands_at_the_door_passes_by_the_next_live_look(lesson: Lesson) -> None:
    person, door = lesson.person(), attendant(lesson)
    lesson.agree(person)
    first = look(lesson, door, person)
    assert isinstance(first, Reply)
    assert first.answer is AnswerKind.ACCEPTED
    look(lesson, door, person)
    spot_check.draw(lesson.store, lesson.clock.now(), ROOM, 5, "page", simulated=True)
    for doubtful in ("unsure", "attack"):
        look(lesson, door, person, doubtful)
        assert lesson.facts("spot-check.ended") == [], doubtful
    seen = look(lesson, door, person)
    assert [data["result"] for _, data in lesson.facts("spot-check.ended")] == ["passed"]
    assert isinstance(seen, Reply)
    assert seen.answer is AnswerKind.SEEN, "who was called is told that it is done"
    again = look(lesson, door, person)
    assert isinstance(again, Reply)
    assert again.answer is AnswerKind.ALREADY_CHECKED_IN
    outcomes = [data["outcome"] for _, data in lesson.facts("check-in.answered")]
    assert outcomes.count("already_checked_in") == 1, "after it the visit is one again"

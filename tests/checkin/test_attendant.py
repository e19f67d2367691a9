"""One visit is one answer: when a face without a name is somebody who was answered for just before."""

from __future__ import annotations

import numpy as np
import pytest

from agent.checkin.attendant import Attendant, Reply
from agent.checkin.case import Case
from agent.checkin.deliberation import Conclusion, Finding
from agent.checkin.gallery import Gallery
from agent.checkin.liveness import Liveness, NoLivenessJudge
from agent.checkin.thresholds import CheckinThresholds
from agent.paths import Paths
from agent.store import classes, suspicions
from agent.store.database import Store
from models.faces import DetectedFace, Template
from models.images import Box
from tests.checkin.other_rows import ROOM, Lesson
from tests.clocks import ManualClock

CUT = 0.49
LIMIT = CheckinThresholds().match_distance


@pytest.fixture
def lesson(store: Store, paths: Paths, clock: ManualClock) -> Lesson:
    return Lesson(store, paths, clock)


def away(distance: float) -> Template:
    """A template so far from that of the person who was accepted."""
    template = np.zeros(128, np.float32)
    template[0] = distance
    return template


def answer(
    lesson: Lesson, door: Attendant, person: str | None, template: Template, cut: float | None, track: int
) -> Reply:
    finding = Finding.UNKNOWN if person is None else Finding.NAMED
    image, point = np.zeros((240, 240, 3), np.uint8), (100.0, 100.0)
    seen = image, DetectedFace(Box(60, 60, 100, 120), 1.0, (point,) * 5, point, point, point)
    conclusion = Conclusion(finding, person, 0.3, 0.2, 4, cut)
    lesson.clock.advance(2)
    session = classes.open_session(lesson.store, ROOM)
    assert session is not None
    members = {} if person is None else {person: "trainee"}
    reply = door.answer(
        Case(track, conclusion, (seen,), seen, template, Liveness("live", "made-up", 0.9)),
        session,
        Gallery([], members),  # type: ignore[arg-type]
        lesson.clock.now(),
    )
    assert isinstance(reply, Reply)
    return reply


@pytest.fixture
def door(lesson: Lesson) -> Attendant:
    return Attendant(
        lesson.journal,
        NoLivenessJudge(),
        CheckinThresholds(),
        engine="made-up",
        simulated=True,
        liveness_decides=True,
    )


@pytest.mark.rule("R18")
@pytest.mark.promise("I9")
@pytest.mark.parametrize(
    ("distance", "cut", "is_stranger"),
    [
        (CUT - 0.01, CUT, False),
        (CUT + 0.01, CUT, True),
        (LIMIT - 0.01, None, False),
        (LIMIT + 0.01, None, True),
        (LIMIT + 0.01, LIMIT + 0.2, True),
    ],
    ids=["within the cut", "beyond it", "no cut", "beyond HR's limit", "a cut looser than HR's limit"],
)
def test_somebody_farther_than_the_cut_from_who_came_before_is_a_stranger(
    lesson: Lesson, door: Attendant, distance: float, cut: float | None, is_stranger: bool
) -> None:
    """The cut of the class, not only HR's limit: a stranger a little alike went without a record before."""
    person = lesson.person()
    lesson.agree(person)
    answer(lesson, door, person, away(0), CUT, track=1)
    answer(lesson, door, None, away(distance), cut, track=2)
    assert outcomes(lesson) == ["accepted", *["unknown"] * is_stranger]


@pytest.mark.rule("R18")
def test_looks_of_one_face_that_differ_are_one_visit_and_accuse_once(lesson: Lesson, door: Attendant) -> None:
    """Two poor looks of one face are farther apart than the cut far oftener than strangers are near."""
    person = lesson.person()
    lesson.agree(person)
    answer(lesson, door, person, away(0), CUT, track=1)
    answer(lesson, door, None, away(CUT + 0.01), CUT, track=1)
    assert outcomes(lesson) == ["accepted"], "who turns away on the same track is still there"
    answer(lesson, door, None, away(5), CUT, track=2)
    answer(lesson, door, None, away(5 + CUT + 0.01), CUT, track=3)
    assert outcomes(lesson) == ["accepted", "unknown"], "a stranger whose track broke is still that stranger"


@pytest.mark.rule("R7")
def test_one_stranger_who_comes_again_is_one_suspicion_however_poor_the_looks(
    lesson: Lesson, door: Attendant
) -> None:
    """Three visits, each look farther from the last than the class's cut: R7's alarm was one person."""
    for visit in range(3):
        answer(lesson, door, None, away(5 + visit * (CUT + 0.01)), CUT, track=visit)
        lesson.clock.advance(60)
    assert outcomes(lesson) == ["unknown"] * 3
    answer(lesson, door, None, away(8), CUT, track=9)
    times = [one.times for one in suspicions.suspicions(lesson.store)]
    assert sorted(times) == [1, 3], "and somebody else is another"


def outcomes(lesson: Lesson) -> list[str]:
    return [data["outcome"] for _, data in lesson.facts("check-in.answered")]

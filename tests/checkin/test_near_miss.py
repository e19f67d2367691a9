"""Whoever is nearly recognised is looked at again before being sent the other way, and named by no less."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from agent.checkin.deliberation import NEARLY, Deliberation, Finding
from agent.checkin.gallery import Match
from agent.checkin.liveness import NoLivenessJudge
from agent.checkin.pipeline import FrameReport, Pipeline
from agent.checkin.subject import HESITATE_NS
from models.faces import DetectedFace, FaceEngine, Template
from models.images import BGRImage
from tests.checkin.doorway import Standing, empty, visit
from tests.checkin.test_liveness import ATTACK
from tests.checkin.test_liveness import Scripted as AttackJudge
from tests.checkin.test_matching import LIMITS, face, gallery, look

STEP_NS = 100_000_000
LONG = HESITATE_NS // STEP_NS + 15
PEOPLE = gallery(range(40))
NEARLY_P003, CLEARLY_P003, STRANGER = 0.31, 0.8, 0.0
"""How much of a look is p003's face."""


class Scripted:
    """Finds faces as the real engine does; how far each template is p003's says the test. Its means name
    nobody, as no engine's of this name were measured."""

    name = "scripted-v1"

    def __init__(self, finder: FaceEngine, share_of: Callable[[int], float]) -> None:
        self._finder, self._share_of = finder, share_of
        self.template_length = len(face(0))
        self.duplicate_distance = finder.duplicate_distance
        self.one_person_distance = finder.one_person_distance
        self.max_yaw_degrees = finder.max_yaw_degrees
        self.max_enrolment_yaw_degrees = finder.max_enrolment_yaw_degrees
        self.looks = 0

    def detect(self, image: BGRImage) -> list[DetectedFace]:
        return self._finder.detect(image)

    def template(self, image: BGRImage, face: DetectedFace) -> Template:
        self.looks += 1
        return look(3, self.looks, share=self._share_of(self.looks))


def watch(pipeline: Pipeline, pictures: Iterable[BGRImage]) -> list[FrameReport]:
    return [pipeline.process(image, number * STEP_NS, PEOPLE) for number, image in enumerate(pictures)]


def standing(engine: FaceEngine, share_of: Callable[[int], float], pictures: int = LONG) -> list[FrameReport]:
    pipeline = Pipeline(Scripted(engine, share_of), NoLivenessJudge(), LIMITS)
    return watch(pipeline, visit(Standing("obama3.jpg"), pictures=pictures))


def told(reports: list[FrameReport]) -> list[tuple[int, Finding, str | None]]:
    return [
        (number, case.conclusion.finding, case.conclusion.person_id)
        for number, report in enumerate(reports)
        for case in report.cases
    ]


def test_somebody_whom_the_first_frames_show_badly_is_named_without_being_turned_away(
    engine: FaceEngine,
) -> None:
    reports = standing(engine, lambda number: NEARLY_P003 if number <= 5 else CLEARLY_P003)
    ((_, finding, person_id),) = told(reports)
    assert (finding, person_id) == (Finding.NAMED, "p003")


def test_who_stays_nearly_somebody_is_told_unknown_once_and_in_time(engine: FaceEngine) -> None:
    quick = told(standing(engine, lambda _: STRANGER))
    slow = told(standing(engine, lambda _: NEARLY_P003))
    ((before, *_),) = quick
    ((after, finding, person_id),) = slow
    assert (finding, person_id) == (Finding.UNKNOWN, None)
    assert HESITATE_NS <= (after - before) * STEP_NS <= HESITATE_NS + 2 * STEP_NS


def test_who_leaves_while_the_door_hesitates_is_recorded_all_the_same(engine: FaceEngine) -> None:
    pipeline = Pipeline(Scripted(engine, lambda _: NEARLY_P003), NoLivenessJudge(), LIMITS)
    reports = watch(pipeline, [*visit(Standing("obama3.jpg"), pictures=14), *empty(20)])
    ((at, finding, _),) = told(reports)
    assert finding is Finding.UNKNOWN
    assert at > 14
    assert pipeline.hesitant == set()


def test_while_it_hesitates_the_door_asks_to_look_into_the_camera(engine: FaceEngine) -> None:
    pipeline = Pipeline(Scripted(engine, lambda _: NEARLY_P003), NoLivenessJudge(), LIMITS)
    (track_id,) = {face.track_id for face in watch(pipeline, visit(Standing("obama3.jpg")))[-1].faces}
    assert pipeline.hesitant == {track_id}


@pytest.mark.promise("I9")
def test_a_picture_held_up_is_not_waited_for(engine: FaceEngine) -> None:
    pipeline = Pipeline(Scripted(engine, lambda _: NEARLY_P003), AttackJudge(ATTACK), LIMITS)
    reports = watch(pipeline, visit(Standing("obama3.jpg"), pictures=15))
    (case,) = [case for report in reports for case in report.cases]
    assert case.liveness.outcome == "attack"


NEAR_MISS = Match("ann", 0.53, 0.1, is_near=False, is_named=False, cut=0.5, margin_needed=0.04)
FAR = replace(NEAR_MISS, distance=0.5 + NEARLY)
ANN = replace(NEAR_MISS, distance=0.3, is_near=True, is_named=True)
BOB = replace(ANN, person_id="bob")


@pytest.mark.promise("I9")
@pytest.mark.parametrize(
    ("frames", "nearly"),
    [
        pytest.param([NEAR_MISS] * 4, "ann", id="beyond-the-cut"),
        pytest.param([FAR] * 4, None, id="far-beyond"),
        pytest.param([replace(NEAR_MISS, distance=0.45, is_near=True)] * 4, "ann", id="between-two"),
        pytest.param([ANN, BOB], None, id="two-are-named"),
        pytest.param([ANN, ANN], None, id="named"),
    ],
)
def test_nearly_is_neither_far_nor_two_people(frames: list[Match], nearly: str | None) -> None:
    deliberation = Deliberation(LIMITS)
    (conclusion,) = [found for found in map(deliberation.add, frames) if found is not None]
    assert conclusion.nearly == nearly

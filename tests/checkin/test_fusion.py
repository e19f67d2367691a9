"""Several frames of one face as one: whom their mean names, and whom it does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.checkin.deliberation import Deliberation, Finding
from agent.checkin.fusion import MEASURED_ENGINES, Fusion
from agent.checkin.gallery import NOBODY, Match
from agent.checkin.liveness import NoLivenessJudge
from agent.checkin.matching import StoredTemplate
from agent.checkin.pipeline import Pipeline
from models.faces import DetectedFace, FaceEngine, Template
from models.images import BGRImage
from tests.checkin.doorway import Standing, visit
from tests.checkin.test_matching import ENGINE, LIMITS, NORM, Values, face, gallery, look

ANN = Match("ann", 0.56, 0.05, is_near=False, is_named=False, cut=0.5, margin_needed=0.04)
"""A frame beyond the cut whose nearest is ann."""
BOB = replace(ANN, person_id="bob")
MEAN = Match("ann", 0.45, 0.08, is_near=True, is_named=True, cut=0.48, margin_needed=0.04)


def findings(*frames: tuple[Match, Match], quality: float = 1.0) -> list[tuple[Finding, str | None]]:
    """What comes of frames, each with the mean so far."""
    deliberation = Deliberation(LIMITS)
    added = [deliberation.add(frame, quality, mean) for frame, mean in frames]
    return [(conclusion.finding, conclusion.person_id) for conclusion in added if conclusion]


def mean_of(*frames: Values) -> Values:
    fusion = Fusion()
    return [fusion.add(frame, 1.0, number) for number, frame in enumerate(frames)][-1]


def test_frames_of_which_none_is_recognised_are_together() -> None:
    this = gallery(range(40))
    frames = [look(3, number, share=0.31) for number in range(3)]
    assert not any(this.match(frame, LIMITS).is_named for frame in frames)
    match = this.match(mean_of(*frames), LIMITS, is_mean=True)
    assert (match.person_id, match.is_named) == ("p003", True)


@pytest.mark.promise("I9")
@settings(max_examples=25)
@given(st.integers(0, 1000), st.integers(2, 6), st.floats(0.0, 0.6))
def test_a_mean_is_held_to_nearer_limits_than_a_frame(seed: int, frames: int, alike: float) -> None:
    this = gallery(range(20), range(20, 30))
    seen = [look(5000 + seed, number, share=alike) for number in range(frames)]
    mean = mean_of(*seen)
    as_frame, as_mean = this.match(mean, LIMITS), this.match(mean, LIMITS, is_mean=True)
    assert as_frame.cut and as_mean.cut
    assert as_mean.cut < as_frame.cut
    assert as_frame.is_named or not as_mean.is_named


@pytest.mark.promise("I9")
def test_the_mean_of_strangers_frames_names_nobody() -> None:
    this = gallery(range(40))
    means = [mean_of(*[look(5000 + n, frame, share=0.8) for frame in range(4)]) for n in range(150)]
    assert not any(this.match(mean, LIMITS, is_mean=True).is_named for mean in means)


def test_a_mean_is_as_long_as_its_frames_and_forgets_those_of_before() -> None:
    fusion = Fusion()
    fusion.add(face(1), 1.0, 0)
    mean = fusion.add(face(2), 1.0, 1)
    assert np.linalg.norm(mean) == pytest.approx(NORM, rel=1e-5)
    assert fusion.add(face(3), 1.0, 0) == pytest.approx(face(3), abs=1e-6)
    assert fusion.add(face(4), 1.0, 1) == pytest.approx(mean_of(face(3), face(4)), abs=1e-6)


def test_a_good_frame_weighs_more_and_the_poorest_not_nothing() -> None:
    fusion = Fusion()
    fusion.add(face(1), 0.9, 0)
    mean = fusion.add(face(2), 0.1, 1)
    assert np.linalg.norm(mean - face(1)) < np.linalg.norm(mean - face(2))
    worthless = Fusion()
    worthless.add(face(1), 1.0, 0)
    assert np.linalg.norm(worthless.add(face(2), 0.0, 1) - face(1)) > 1e-3


@pytest.mark.promise("I9")
def test_the_mean_names_whom_most_frames_have_nearest_and_nobody_else() -> None:
    assert findings((ANN, MEAN), (ANN, MEAN)) == [(Finding.NAMED, "ann")]
    assert findings((ANN, MEAN)) == []  # one frame is no mean
    assert findings((BOB, MEAN), (ANN, MEAN)) == []
    assert findings((ANN, MEAN), (BOB, MEAN)) == []
    assert findings((BOB, MEAN), (ANN, MEAN), (ANN, MEAN)) == [(Finding.NAMED, "ann")]
    # The last frame is the evidence: it must be of whom it names.
    assert findings((ANN, NOBODY), (ANN, NOBODY), (BOB, MEAN)) == []


@pytest.mark.promise("I9")
def test_no_mean_speaks_against_a_frame_that_names_somebody_else() -> None:
    names_bob = replace(BOB, is_near=True, is_named=True)
    assert findings((names_bob, MEAN), (ANN, MEAN), (ANN, MEAN)) == []
    names_ann = replace(ANN, is_near=True, is_named=True)
    assert findings((names_bob, MEAN), (names_ann, MEAN)) == [(Finding.AMBIGUOUS, None)]


@pytest.mark.promise("I9")
def test_a_mean_needs_a_frame_more_where_two_people_look_alike() -> None:
    twin = StoredTemplate("twin", "p700", face(700, like=3, share=0.62))
    this = gallery(range(20), range(0), twin)
    seen = [look(3, number, share=0.75) for number in range(3)]
    alike = replace(this.match(seen[0], LIMITS), is_named=False)
    assert alike.is_look_alike
    mean = this.match(mean_of(*seen), LIMITS, is_mean=True)
    assert findings((alike, mean), (alike, mean)) == []
    assert findings(*[(alike, mean)] * 3) == [(Finding.NAMED, "p003")]


def test_what_is_said_of_a_mean_is_the_means() -> None:
    deliberation = Deliberation(LIMITS)
    deliberation.add(ANN, 1.0)
    conclusion = deliberation.add(ANN, 1.0, MEAN)
    assert conclusion is not None
    assert (conclusion.distance, conclusion.margin, conclusion.cut) == (0.45, 0.08, 0.48)
    assert conclusion.frames == 2


class Drifting:
    """Finds faces as the real engine does; each template is one more look at p003, none near enough."""

    def __init__(self, finder: FaceEngine, name: str) -> None:
        self._finder = finder
        self.name, self.template_length = name, len(face(0))
        self.duplicate_distance = finder.duplicate_distance
        self.one_person_distance = finder.one_person_distance
        self.max_yaw_degrees = finder.max_yaw_degrees
        self.max_enrolment_yaw_degrees = finder.max_enrolment_yaw_degrees
        self._looks = 0

    def detect(self, image: BGRImage) -> list[DetectedFace]:
        return self._finder.detect(image)

    def template(self, image: BGRImage, face: DetectedFace) -> Template:
        self._looks += 1
        return look(3, self._looks, share=0.31)


@pytest.mark.promise("I9")
@pytest.mark.parametrize(("name", "is_named"), [(ENGINE, True), ("not-measured-v1", False)])
def test_only_an_engine_whose_means_were_measured_names_by_them(
    engine: FaceEngine, name: str, is_named: bool
) -> None:
    assert (name in MEASURED_ENGINES) is is_named
    pipeline, people = Pipeline(Drifting(engine, name), NoLivenessJudge(), LIMITS), gallery(range(40))
    cases = [
        case.conclusion
        for number, picture in enumerate(visit(Standing("obama3.jpg"), pictures=10))
        for case in pipeline.process(picture, number * 100_000_000, people).cases
    ]
    assert any(case.person_id == "p003" for case in cases) is is_named
    assert cases, "somebody stood there long enough for an answer"

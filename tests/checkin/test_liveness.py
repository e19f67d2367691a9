"""Liveness at the door: a veto, a question in doubt, and refusal where it cannot be judged (I9).

The faces are real and go through the real engine; what the liveness models would say of them is scripted, and
so are the points of a head that turns: sample photos cannot turn theirs.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from agent.checkin import questioning
from agent.checkin.answers import AnswerKind
from agent.checkin.challenge import Side
from agent.checkin.door import Door, View
from agent.checkin.liveness import (
    FRAMES_TO_JUDGE,
    Liveness,
    LivenessOutcome,
    NoLivenessJudge,
    PassiveJudge,
    PassiveTrack,
    TrackLiveness,
    judge_scores,
)
from agent.checkin.thresholds import CheckinThresholds, LivenessPolicy
from models.faces import DetectedFace, FaceEngine, Template
from models.head_turn import Contour
from models.images import BGRImage
from models.liveness import PassiveScores
from models.weights import ModelError, weights
from tests.checkin.classroom import Classroom, replies
from tests.checkin.doorway import Standing, visit
from tests.models.head import View as Pose
from tests.models.head import head, photograph, seen

OBAMA, BIDEN = Standing("obama3.jpg"), Standing("biden.jpg")
LIVE = PassiveScores(pair=0.98, printed=0.01, screener=0.9)
UNSURE = PassiveScores(pair=0.6, printed=0.1, screener=0.6)
ATTACK = PassiveScores(pair=0.05, printed=0.1, screener=0.0)

Pose_ = Callable[[float], Contour]
"""Points of the face so many seconds after the first were asked for."""


class Scripted:
    """Stands for the model files: says of every frame the same, and lets the head turn as it is told."""

    name = "scripted"
    can_challenge = True

    def __init__(self, scores: PassiveScores, pose: Pose_ | None = None) -> None:
        self.scores = scores
        self.pose: Pose_ = pose or (lambda seconds: seen(head(), Pose()))
        self.asked = 0

    def ready(self, now_ns: int) -> str | None:
        return None

    def score(self, image: BGRImage, face: DetectedFace) -> PassiveScores:
        return self.scores

    def track(self) -> TrackLiveness:
        return PassiveTrack(self)

    def points(self, image: BGRImage, face: DetectedFace) -> Contour | None:
        self.asked += 1
        return self.pose((self.asked - 1) / 10)


def turning(side: Side, after: float = 0.3) -> Pose_:
    """A head that turns to `side` and back, as fast as people do."""

    def pose(seconds: float) -> Contour:
        part = np.clip((seconds - after) / 0.6, 0, 1) - np.clip((seconds - after - 1.0) / 0.6, 0, 1)
        degrees = 24 * float(part) * (1 if side == "left" else -1)
        return seen(head(), Pose(yaw=degrees, noise=0.005, seed=round(seconds * 10)))

    return pose


def still(seconds: float) -> Contour:
    return seen(head(), Pose(noise=0.005, seed=round(seconds * 10)))


def waved(seconds: float) -> Contour:
    """A photograph that is swung like a head."""
    photo = photograph(head(), Pose())
    return seen(photo, Pose(yaw=40 * abs(np.sin(seconds)), noise=0.005, seed=round(seconds * 10)))


@pytest.fixture
def asks_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chance asks for the left, always: the tests' only means to script a head beforehand."""
    monkeypatch.setattr(questioning, "random_side", lambda: "left")


class Remembering:
    """The real engine, asked once about each picture: people who stand still for a minute look the same."""

    _detected: ClassVar[dict[bytes, list[DetectedFace]]] = {}
    _templates: ClassVar[dict[tuple[bytes, DetectedFace], Template]] = {}

    def __init__(self, engine: FaceEngine) -> None:
        self._engine = engine
        self.name, self.template_length = engine.name, engine.template_length
        self.duplicate_distance = engine.duplicate_distance
        self.one_person_distance = engine.one_person_distance
        self.max_yaw_degrees = engine.max_yaw_degrees
        self.max_enrolment_yaw_degrees = engine.max_enrolment_yaw_degrees

    def detect(self, image: BGRImage) -> list[DetectedFace]:
        key = hashlib.sha256(image.tobytes()).digest()
        if key not in self._detected:
            self._detected[key] = self._engine.detect(image)
        return self._detected[key]

    def template(self, image: BGRImage, face: DetectedFace) -> Template:
        key = hashlib.sha256(image.tobytes()).digest(), face
        if key not in self._templates:
            self._templates[key] = self._engine.template(image, face)
        return self._templates[key]


def standing(who: Standing, pictures: int = 12) -> Iterator[BGRImage]:
    """`who` standing in the doorway: the same four pictures again and again."""
    return itertools.islice(itertools.cycle(list(visit(who, pictures=4))), pictures)


def at_the_door(
    classroom: Classroom,
    judge: Scripted | PassiveJudge | NoLivenessJudge,
    pictures: Sequence[BGRImage] | Iterator[BGRImage],
    *,
    policy: LivenessPolicy = "challenge",
    simulated: bool = False,
) -> tuple[Door, list[View]]:
    classroom.thresholds = CheckinThresholds(liveness=policy)
    door = classroom.door(Remembering(classroom.engine), judge, simulated=simulated)
    return door, classroom.look(door, pictures)


@pytest.fixture
def person(classroom: Classroom) -> str:
    enrolled = classroom.enrolled("obama.jpg", "obama2.jpg")
    classroom.open_session()
    return enrolled


def said(classroom: Classroom) -> list[tuple[str, LivenessOutcome, str | None]]:
    """Outcome, liveness and challenge of every record."""
    facts = [data for _, data in classroom.facts("check-in.answered")]
    return [(d["outcome"], d["liveness"]["outcome"], d["liveness"]["challenge"]) for d in facts]


@pytest.mark.promise("I9")
def test_without_the_models_everybody_is_sent_the_other_way(
    classroom: Classroom, person: str, tmp_path: Path
) -> None:
    _, views = at_the_door(classroom, PassiveJudge(tmp_path), standing(OBAMA))
    assert {view.fault for view in views} == {"model"}
    assert classroom.check_ins() == []
    ((_, data),) = classroom.facts("check-in.unavailable")
    assert data["fault"] == "model"
    assert "classroom-agent models install" in data["detail"]


@pytest.mark.promise("I9")
def test_a_model_that_is_not_the_measured_one_refuses_too(
    classroom: Classroom, person: str, tmp_path: Path
) -> None:
    (tmp_path / "fr_liveness.onnx").write_bytes(b"no network")
    _, views = at_the_door(classroom, PassiveJudge(tmp_path), standing(OBAMA))
    assert {view.fault for view in views} == {"model"}
    assert classroom.check_ins() == []


@pytest.mark.promise("I9")
def test_nobody_is_present_whom_no_judge_judged(classroom: Classroom, person: str) -> None:
    at_the_door(classroom, NoLivenessJudge(), standing(OBAMA))
    assert said(classroom) == [("failed", "not_judged", None)]
    assert classroom.outcomes() == [("failed", None)]


@pytest.mark.promise("I9")
def test_in_a_demonstration_it_is_recorded_and_decides_nothing(
    classroom: Classroom, person: str, tmp_path: Path
) -> None:
    at_the_door(classroom, Scripted(ATTACK), standing(OBAMA), simulated=True)
    assert said(classroom) == [("accepted", "attack", None)]
    assert classroom.check_ins()[0]["simulated"] == 1


@pytest.mark.promise("I9")
def test_models_that_are_gone_after_a_restart_let_nobody_in_and_what_was_answered_stands(
    classroom: Classroom, person: str, tmp_path: Path
) -> None:
    there = PassiveJudge(None, lambda folder: Scripted(LIVE))
    at_the_door(classroom, there, standing(OBAMA))
    assert classroom.outcomes() == [("accepted", person)]
    classroom.enrolled("biden.jpg")
    _, views = at_the_door(classroom, PassiveJudge(tmp_path), standing(BIDEN))
    assert {view.fault for view in views} == {"model"} and not replies(views)
    assert classroom.outcomes() == [("accepted", person)]
    assert [data["fault"] for _, data in classroom.facts("check-in.unavailable")] == ["model"]


@pytest.mark.promise("I9")
def test_models_that_are_installed_meanwhile_are_found(classroom: Classroom, person: str) -> None:
    missing = True

    def load(folder: Path | None) -> Scripted:
        if missing:
            raise ModelError("fr_liveness.onnx: No such file; install it: classroom-agent models install")
        return Scripted(LIVE)

    door, views = at_the_door(classroom, PassiveJudge(None, load), standing(OBAMA, pictures=3))
    assert views[-1].fault == "model"
    missing = False
    classroom.clock.advance(21)
    classroom.look(door, standing(OBAMA))
    assert classroom.outcomes() == [("accepted", person)]
    assert classroom.facts("check-in.restored")[-1][1] == {"fault": "model"}


@pytest.mark.promise("I9")
def test_an_attack_vetoes_the_match(classroom: Classroom, person: str) -> None:
    at_the_door(classroom, Scripted(ATTACK), standing(OBAMA))
    assert said(classroom) == [("suspected_attack", "attack", None)]
    assert classroom.outcomes() == [("suspected_attack", person)]


@pytest.mark.promise("I9")
def test_a_judge_that_breaks_lets_nobody_in(
    classroom: Classroom, person: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = Scripted(LIVE)

    def broken(image: BGRImage, face: DetectedFace) -> PassiveScores:
        raise RuntimeError("onnxruntime")

    monkeypatch.setattr(judge, "score", broken)
    _, views = at_the_door(classroom, judge, standing(OBAMA))
    assert views[-1].fault == "engine"
    assert replies(views) == []
    assert classroom.check_ins() == []


@pytest.mark.promise("I9")
def test_who_is_live_is_accepted_without_a_question(classroom: Classroom, person: str) -> None:
    door, views = at_the_door(classroom, Scripted(LIVE), standing(OBAMA))
    assert said(classroom) == [("accepted", "live", None)]
    assert door.tally.questions == 0
    assert all(view.prompts == {} for view in views)


@pytest.mark.promise("I9")
def test_who_is_unsure_is_asked_to_turn_and_then_accepted(
    classroom: Classroom, person: str, asks_left: None
) -> None:
    judge = Scripted(UNSURE, turning("left"))
    door, views = at_the_door(classroom, judge, standing(OBAMA, pictures=40))
    assert said(classroom) == [("accepted", "live", "passed")]
    prompts = [prompt for view in views for prompt in view.prompts.values()]
    assert {(prompt.kind, prompt.direction) for prompt in prompts} == {
        (AnswerKind.TURN, "left"),
        (AnswerKind.TURN, "middle"),
    }
    assert [reply.answer for reply in replies(views)] == [AnswerKind.ACCEPTED]
    assert door.tally.questions == 1


@pytest.mark.promise("I9")
@pytest.mark.parametrize("pose", [still, waved, turning("right")], ids=["still", "waved photo", "wrong side"])
def test_who_does_not_turn_as_asked_is_never_accepted(
    classroom: Classroom, person: str, asks_left: None, pose: Pose_
) -> None:
    _, views = at_the_door(classroom, Scripted(UNSURE, pose), standing(OBAMA, pictures=150))
    ((outcome, _, challenge),) = said(classroom)
    assert outcome in ("failed", "suspected_attack")
    assert challenge == "failed"
    assert AnswerKind.ACCEPTED not in {reply.answer for reply in replies(views)}


@pytest.mark.promise("I9")
def test_nobody_turns_his_own_head_for_anothers_picture(
    classroom: Classroom, person: str, asks_left: None
) -> None:
    """A picture is held up for the match, the holder's own face in its place while the head turns."""
    judge = Scripted(UNSURE, turning("left"))
    matched = standing(OBAMA, pictures=8)

    def pictures() -> Iterator[BGRImage]:
        for picture in matched:
            yield picture
            if judge.asked:
                break
        yield from standing(BIDEN, pictures=16)
        yield from standing(OBAMA, pictures=120)

    at_the_door(classroom, judge, pictures())
    assert judge.asked > 0
    assert "accepted" not in {outcome for outcome, _ in classroom.outcomes()}


@pytest.mark.promise("I9")
def test_nobody_is_live_by_his_own_face_for_anothers_picture(classroom: Classroom, person: str) -> None:
    """His own living face first, then a friend's on a telephone in its place, before anything is concluded:
    the picture alone would be unsure."""
    judge = Scripted(PassiveScores(pair=1.0, printed=0.0, screener=1.0))

    def pictures() -> Iterator[BGRImage]:
        yield from standing(BIDEN, pictures=3)
        judge.scores = UNSURE
        yield from standing(OBAMA, pictures=14)

    at_the_door(classroom, judge, pictures(), policy="passive")
    assert said(classroom) == [("failed", "unsure", None)]


@pytest.mark.promise("I9")
def test_hr_may_have_everybody_asked(classroom: Classroom, person: str, asks_left: None) -> None:
    judge = Scripted(LIVE, turning("left"))
    at_the_door(classroom, judge, standing(OBAMA, pictures=40), policy="always_challenge")
    assert said(classroom) == [("accepted", "live", "passed")]


@pytest.mark.promise("I9")
def test_where_nobody_can_be_asked_doubt_refuses(classroom: Classroom, person: str) -> None:
    judge = Scripted(LIVE)
    judge.can_challenge = False
    at_the_door(classroom, judge, standing(OBAMA), policy="always_challenge")
    assert said(classroom) == [("failed", "live", None)]


@pytest.mark.promise("I9")
def test_without_questions_doubt_refuses(classroom: Classroom, person: str) -> None:
    at_the_door(classroom, Scripted(UNSURE), standing(OBAMA), policy="passive")
    assert said(classroom) == [("failed", "unsure", None)]


def test_who_is_present_already_is_asked_nothing(classroom: Classroom, person: str) -> None:
    at_the_door(classroom, Scripted(LIVE), standing(OBAMA))
    classroom.clock.advance(120)  # another visit
    door, _ = at_the_door(classroom, Scripted(UNSURE), standing(OBAMA, pictures=14))
    assert door.tally.questions == 0
    assert [outcome for outcome, _ in classroom.outcomes()] == ["accepted", "already_checked_in"]


@pytest.mark.promise("I9")
def test_a_points_model_that_was_tampered_with_keeps_the_door_shut(tmp_path: Path) -> None:
    (tmp_path / weights("face-points-68").file).write_bytes(b"another model")
    judge = PassiveJudge(tmp_path, lambda folder: Scripted(LIVE))
    for now_ns in (0, 1, 30_000_000_000):
        assert "SHA-256" in (judge.ready(now_ns) or "")


def scores(pair: float | None = None, screener: float | None = None, frames: int = 6) -> deque[PassiveScores]:
    return deque([PassiveScores(pair, None if pair is None else 0.0, screener)] * frames)


def verdict(pair: float | None = None, screener: float | None = None) -> LivenessOutcome:
    found = judge_scores("x", scores(pair, screener))
    assert found is not None
    return found.outcome


@pytest.mark.promise("I9")
def test_what_the_scores_mean() -> None:
    assert verdict(pair=0.9, screener=0.9) == "live"
    assert verdict(pair=0.9) == "live"
    assert verdict(pair=0.9, screener=0.2) == "unsure"
    assert verdict(pair=0.5, screener=0.9) == "unsure"
    assert verdict(pair=0.1, screener=0.9) == "attack"
    assert verdict(screener=0.99) == "unsure"
    assert verdict(screener=0.01) == "attack"


@pytest.mark.promise("I9")
def test_few_frames_are_no_verdict_and_an_attack_stays_one() -> None:
    assert judge_scores("x", scores(1.0, frames=FRAMES_TO_JUDGE - 1)) is None
    judge = Scripted(ATTACK)
    track = PassiveTrack(judge)
    image = np.zeros((90, 90, 3), np.uint8)
    face: DetectedFace = None  # type: ignore[assignment]
    for number in range(3):
        track.look(image, face, number * 100_000_000)
    judge.scores = LIVE
    for number in range(3, 20):
        track.look(image, face, number * 100_000_000)
    found = track.verdict()
    assert isinstance(found, Liveness)
    assert found.outcome == "attack"

"""Is the face at the door a face, or a picture of one? Decided over several frames of one track (I9).

    frames ──► passive scores ──► attack ───────────────────────────► veto, whatever the match says
                                  live ─────────────────────────────► the match stands
                                  unsure, or HR asks everybody ─────► challenge: turn the head
                                                                       (agent/checkin/challenge.py)

An attack is concluded once for a track and stays. What cannot be judged is `not_judged`, which no more than
`unsure` makes anybody present where liveness decides. Nothing here keeps a picture.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Literal, Protocol

import numpy as np

from agent.log import get_logger
from models.face_points import COUNT, FacePoints
from models.faces import DetectedFace
from models.head_turn import Contour
from models.images import BGRImage
from models.liveness import OnnxPassiveLiveness, PassiveLiveness, PassiveScores
from models.weights import ModelError, verified

LivenessOutcome = Literal["live", "attack", "unsure", "not_judged"]
Species = Literal["print", "screen_still", "replay", "unknown"]
"""Kind of picture that was held up, by what it looked like: a guess for the statistics, decides nothing."""
Asked = Literal["passed", "failed"]

FRAMES_TO_JUDGE = 3
"""Fewer frames are no verdict."""
FRAMES_KEPT = 8
LOOK_NS = 90_000_000
"""One look a track in this time until there is a verdict: two looks at the same instant are one opinion."""
LATER_LOOK_NS = 300_000_000
"""And in this time afterwards: a look costs 33 ms of an x86 core."""
LIVE_FROM = 0.75
"""Mean of the pair from which a face is live. Live people measured .92 to 1.00, pictures 0 to .16."""
ATTACK_BELOW = 0.3
"""Mean of the pair below which it is a picture."""
SCREENER_DOUBTS_BELOW = 0.5
"""Mean of the screener below which a face that the pair calls live is asked to turn."""
SCREENER_ATTACK_BELOW = 0.08
"""Mean of the screener, when it is alone, below which it is a picture: live people measured .36 to 1.00."""
PRINTED_FROM = 0.5
POINTS_SIDE, POINTS_UP = 1.09, 0.065
"""Where the points' model was taught to find the face, in widths of the face's box: it wants the forehead."""
RETRY_NS = 20_000_000_000
"""How often missing model files are looked for again."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Liveness:
    """What is known of one face over several frames."""

    outcome: LivenessOutcome
    judge: str | None = None
    """Name of the judge; None when there was none."""
    score: float | None = None
    """0 (attack) .. 1 (live), by that judge's measure."""
    frames: int = 0
    """That were judged."""
    challenge: Asked | None = None
    """How the request to turn the head ended; None when nobody was asked."""
    species: Species | None = None
    """Only of an attack."""


NOT_JUDGED = Liveness("not_judged")


class TrackLiveness(Protocol):
    """What one track showed so far."""

    def look(self, image: BGRImage, face: DetectedFace, now_ns: int) -> None:
        """Take one good frame of the track. Raises what a model raises."""
        ...

    def verdict(self) -> Liveness | None:
        """None while more frames are needed."""
        ...


class LivenessJudge(Protocol):
    """Judges the faces of one door."""

    def ready(self, now_ns: int) -> str | None:
        """None when it can judge; else why not, with the remedy."""
        ...

    def track(self) -> TrackLiveness:
        """Begin with a new track."""
        ...

    @property
    def can_challenge(self) -> bool:
        """Whether `points` finds any."""
        ...

    def points(self, image: BGRImage, face: DetectedFace) -> Contour | None:
        """The points by which a turn of the head is judged; None without their model."""
        ...


class NoLivenessJudge:
    """Says that it did not judge: for measuring recognition alone, never at a door that decides."""

    can_challenge = False

    def ready(self, now_ns: int) -> str | None:
        return None

    def points(self, image: BGRImage, face: DetectedFace) -> Contour | None:
        return None

    def track(self) -> TrackLiveness:
        return _Unjudged()


class _Unjudged:
    def look(self, image: BGRImage, face: DetectedFace, now_ns: int) -> None:
        return

    def verdict(self) -> Liveness:
        return NOT_JUDGED


class PassiveJudge:
    """Judges by the models of `models.liveness`, loaded when they are first needed and looked for again while
    they are missing: somebody may be installing them."""

    def __init__(
        self, models_folder: Path | None, load: Callable[[Path | None], PassiveLiveness] = OnnxPassiveLiveness
    ) -> None:
        self._folder = models_folder
        self._load = load
        self._models: PassiveLiveness | None = None
        self._points: FacePoints | None = None
        self._missing: str | None = None
        self._tried_ns: int | None = None

    def ready(self, now_ns: int) -> str | None:
        """None when it can judge; else the sentence of the ModelError."""
        if self._models is not None:
            return None
        if self._tried_ns is None or now_ns - self._tried_ns >= RETRY_NS:
            self._tried_ns = now_ns
            try:
                models = self._load(self._folder)
                self._points = _points_when_there(self._folder)
            except ModelError as error:
                if str(error) != self._missing:
                    log.warning("liveness.unusable", error=str(error))
                self._missing = str(error)
                return self._missing
            self._models = models  # last: the door stays shut while a file of either is wrong
            log.info("liveness.ready", judge=models.name)
            return None
        return self._missing

    def track(self) -> TrackLiveness:
        """A new track's judge; one that says `not_judged` while the models are missing."""
        return _Unjudged() if self._models is None else PassiveTrack(self._models)

    @property
    def can_challenge(self) -> bool:
        return self._points is not None

    def points(self, image: BGRImage, face: DetectedFace) -> Contour | None:
        """Those that the engine found already, else the model's."""
        if len(face.contour) == COUNT:
            return np.asarray(face.contour, np.float64)
        if self._points is None:
            return None
        x, y = face.box.centre
        return self._points.find(image, (x, y - POINTS_UP * face.box.width), POINTS_SIDE * face.box.width)


def _points_when_there(folder: Path | None) -> FacePoints | None:
    """The model of the points; None while it is not installed: nobody is asked to turn then."""
    try:
        return FacePoints(verified("face-points-68", folder))
    except ModelError as error:
        if folder is not None and not isinstance(error.__cause__, FileNotFoundError):
            raise
        log.warning("liveness.no_challenge", error=str(error))
        return None


class PassiveTrack:
    """`TrackLiveness` by passive scores."""

    def __init__(self, models: PassiveLiveness) -> None:
        self._models = models
        self._scores: deque[PassiveScores] = deque(maxlen=FRAMES_KEPT)
        self._looked_ns: int | None = None
        self._attack: Liveness | None = None

    def look(self, image: BGRImage, face: DetectedFace, now_ns: int) -> None:
        """Score one frame, unless the last was just now."""
        pause_ns = LOOK_NS if len(self._scores) < FRAMES_TO_JUDGE else LATER_LOOK_NS
        if self._looked_ns is not None and now_ns - self._looked_ns < pause_ns:
            return
        self._looked_ns = now_ns
        self._scores.append(self._models.score(image, face))
        verdict = judge_scores(self._models.name, self._scores)
        if verdict is not None and verdict.outcome == "attack" and self._attack is None:
            self._attack = verdict

    def verdict(self) -> Liveness | None:
        """The first attack stays the verdict: who once held up a picture is not live a moment later."""
        return self._attack or judge_scores(self._models.name, self._scores)


def judge_scores(judge: str, scores: deque[PassiveScores]) -> Liveness | None:
    """What several frames' scores say together; None when they are too few. Without the pair nobody is live
    by scores alone: the screener lets screens pass."""
    if len(scores) < FRAMES_TO_JUDGE:
        return None
    pair = [score.pair for score in scores if score.pair is not None]
    screener = [score.screener for score in scores if score.screener is not None]
    doubted = bool(screener) and fmean(screener) < SCREENER_DOUBTS_BELOW
    outcome: LivenessOutcome = "unsure"
    if pair:
        mean = fmean(pair)
        if mean < ATTACK_BELOW:
            outcome = "attack"
        elif mean >= LIVE_FROM and not doubted:
            outcome = "live"
    else:
        mean = fmean(screener)
        if mean < SCREENER_ATTACK_BELOW:
            outcome = "attack"
    species: Species | None = None
    if outcome == "attack":
        printed = [score.printed for score in scores if score.printed is not None]
        species = "print" if printed and fmean(printed) >= PRINTED_FROM else "unknown"
    return Liveness(outcome, judge, mean, len(scores), species=species)

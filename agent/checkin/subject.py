"""Whom the pipeline follows: what is known of one track, and the case that it makes of a conclusion."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from agent.checkin.case import Case
from agent.checkin.deliberation import Conclusion, Deliberation, Finding
from agent.checkin.fusion import Fusion
from agent.checkin.gallery import Match
from agent.checkin.liveness import Liveness, LivenessJudge, TrackLiveness
from agent.checkin.questioning import Questioning
from models.faces import DetectedFace, Template
from models.images import BGRImage

KEPT_FRAMES = 6
"""Frames of a track that are kept for evidence and liveness."""


@dataclass(slots=True)
class Candidate:
    """A frame of which a template may be made."""

    image: BGRImage
    face: DetectedFace
    score: float
    at_ns: int


@dataclass(slots=True)
class Probe:
    """A frame that was matched."""

    image: BGRImage
    face: DetectedFace
    score: float
    template: Template
    match: Match


@dataclass(slots=True)
class Subject:
    """What is known of one track."""

    deliberation: Deliberation
    liveness: TrackLiveness
    fusion: Fusion = field(default_factory=Fusion)
    """Of the frames that the deliberation has gathered."""
    candidates: list[Candidate] = field(default_factory=list)
    probes: deque[Probe] = field(default_factory=lambda: deque(maxlen=KEPT_FRAMES))
    looked_ns: int = 0
    held: Conclusion | None = None
    """Concluded, and not said yet: liveness needs more frames."""
    told: Case | None = None
    """The last case of the conclusion that stands."""
    questioning: Questioning | None = None
    named: str | None = None
    """Whom the last template named, or the mean of the last ones."""

    def judge_from_here(self, match: Match, judge: LivenessJudge) -> None:
        """Begin liveness anew when another name comes up, or none: nobody is live by his own face for
        the picture that he holds up after them. An attack stays one."""
        named = match.person_id if match.is_named else None
        if named == self.named:
            return
        self.named = named
        verdict = self.liveness.verdict()
        if verdict is None or verdict.outcome != "attack":
            self.liveness = judge.track()


def case_of(track_id: int, conclusion: Conclusion, subject: Subject, liveness: Liveness) -> Case:
    """The frame that brought a name about has that person nearest, so there is always one to choose."""
    fitting = [probe for probe in subject.probes if _gives(probe.match, conclusion)]
    best = max(fitting, key=lambda probe: (probe.match.is_named, probe.score))
    frames = tuple((probe.image, probe.face) for probe in subject.probes)
    return Case(track_id, conclusion, frames, (best.image, best.face), best.template, liveness)


def _gives(match: Match, conclusion: Conclusion) -> bool:
    """Whether this frame shows the face that the conclusion is about: another's photo must not be kept as
    the evidence of a person's presence."""
    return conclusion.finding is not Finding.NAMED or match.person_id == conclusion.person_id

"""What is known of one track, and when what was concluded about it is told.

Somebody of the class whom a frame shows badly lies just beyond the cut. Whoever is nearly somebody is asked
to look into the camera and is looked at again, until the second try at a name has ended or HESITATE_NS have
passed: only then is it said that they are unknown. The tries at a name are no more than before, and their
limits the same (agent/checkin/deliberation.py).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from agent.checkin.deliberation import Conclusion, Deliberation, Finding
from agent.checkin.fusion import Fusion
from agent.checkin.gallery import Match
from agent.checkin.liveness import Liveness, LivenessJudge, TrackLiveness
from agent.checkin.questioning import Questioning
from models.faces import DetectedFace, Template
from models.images import BGRImage

KEPT_FRAMES: Final = 6
"""Frames of a track that are kept for evidence and liveness."""
HESITATE_NS: Final = 3_000_000_000
"""So long at most somebody who is nearly recognised is looked at again before being sent the other way."""


@dataclass(frozen=True, slots=True)
class Case:
    """A conclusion with what it rests on."""

    track_id: int
    conclusion: Conclusion
    frames: tuple[tuple[BGRImage, DetectedFace], ...]
    """The frames that were matched, oldest first."""
    best: tuple[BGRImage, DetectedFace]
    """The one of them most fit to be looked at, of those that gave the name: the evidence photo's."""
    template: Template
    """Of that frame."""
    liveness: Liveness


@dataclass(slots=True)
class Candidate:
    """A face in a frame that the gate took, not matched yet."""

    image: BGRImage
    face: DetectedFace
    score: float
    at_ns: int


@dataclass(slots=True)
class Probe:
    """A face in a frame, matched."""

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
    withheld: Case | None = None
    """Nearly somebody, and not said yet: the next frames may show them better."""
    withheld_ns: int = 0
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

    def is_hesitating(self, now_ns: int) -> bool:
        """Whether a case is withheld and still may be."""
        return self.withheld is not None and now_ns - self.withheld_ns < HESITATE_NS

    def case(self, track_id: int, conclusion: Conclusion, liveness: Liveness) -> Case:
        """What `conclusion` rests on. The frame that brought a name about has that person nearest, so there
        is always one to choose as the evidence."""
        fitting = [probe for probe in self.probes if _gives(probe.match, conclusion)]
        best = max(fitting, key=lambda probe: (probe.match.is_named, probe.score))
        frames = tuple((probe.image, probe.face) for probe in self.probes)
        return Case(track_id, conclusion, frames, (best.image, best.face), best.template, liveness)

    def due(self, track_id: int, now_ns: int) -> Iterator[Case]:
        """Conclusions to be told now: their liveness is known, and nothing better is waited for."""
        passive = self.liveness.verdict()
        if self.held is not None and passive is not None:
            case, self.held = self.case(track_id, self.held, passive), None
            if case.conclusion.nearly is not None and not self._is_settled(passive):
                self.withheld, self.withheld_ns = case, now_ns
                return
            before, self.withheld, self.told = self.withheld, None, case
            if before is not None and case.conclusion.person_id not in (None, before.conclusion.nearly):
                yield before  # somebody else stands there now
            yield case
        elif self.withheld is not None and self.deliberation.conclusion is not None:
            if passive is not None and passive.outcome == "attack":
                self.withheld = replace(self.withheld, liveness=passive)
            elif self.is_hesitating(now_ns):
                return
            self.told, self.withheld = self.withheld, None
            yield self.told

    def _is_settled(self, passive: Liveness) -> bool:
        """Whether more frames would change nothing."""
        return self.deliberation.is_final or passive.outcome == "attack"


def _gives(match: Match, conclusion: Conclusion) -> bool:
    """Whether this frame shows the face that the conclusion is about: another's photo must not be kept as
    the evidence of a person's presence."""
    return conclusion.finding is not Finding.NAMED or match.person_id == conclusion.person_id

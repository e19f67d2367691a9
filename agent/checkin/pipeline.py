"""From pictures to conclusions: detect, track, gate, choose the best frames, match.

Everything it does can be read off its `FrameReport`s: why each face was or was not taken, and when each
track came to which conclusion. It touches no database and records nothing.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from agent.checkin.deliberation import Conclusion, Deliberation, Finding
from agent.checkin.gallery import Gallery, Match
from agent.checkin.gate import GateReason, judge, suitability
from agent.checkin.motion import MotionGate
from agent.checkin.search import Search
from agent.checkin.thresholds import CheckinThresholds
from agent.checkin.tracker import Tracker
from models import face_quality
from models.faces import DetectedFace, FaceEngine, Template
from models.images import BGRImage, Box

BEST_OF = 2
"""A template is made of the best of so many taken frames: each costs as much as several detections."""
BEST_WITHIN_NS = 400_000_000
"""Or of what was taken within this time, when frames come slowly."""
KEPT_FRAMES = 6
"""Frames of a track that are kept for evidence and liveness."""


@dataclass(frozen=True, slots=True)
class FaceReport:
    """One face in one frame, and why it was taken or not."""

    track_id: int
    box: Box
    reason: GateReason
    quality: face_quality.FaceQuality


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


@dataclass(frozen=True, slots=True)
class FrameReport:
    """What one picture led to."""

    searched: bool
    """False when the motion gate spared the detection."""
    faces: tuple[FaceReport, ...] = ()
    cases: tuple[Case, ...] = ()
    templates_made: int = 0
    reopened: frozenset[int] = frozenset()
    """Tracks whose last answer holds no more: somebody else may stand there."""


@dataclass(slots=True)
class _Candidate:
    image: BGRImage
    face: DetectedFace
    score: float
    at_ns: int


@dataclass(slots=True)
class _Probe:
    image: BGRImage
    face: DetectedFace
    score: float
    template: Template
    match: Match


@dataclass(slots=True)
class _Subject:
    """What is known of one track."""

    deliberation: Deliberation
    candidates: list[_Candidate] = field(default_factory=list)
    probes: deque[_Probe] = field(default_factory=lambda: deque(maxlen=KEPT_FRAMES))
    looked_ns: int = 0


@dataclass(frozen=True, slots=True)
class _LookAtOne:
    """What one template led to."""

    track_id: int
    case: Case | None
    reopened: bool


class Pipeline:
    """One door camera's faces. Not thread-safe."""

    def __init__(self, engine: FaceEngine, thresholds: CheckinThresholds) -> None:
        self._engine = engine
        self._thresholds = thresholds
        self._motion = MotionGate()
        self._search = Search(engine)
        self._tracker = Tracker()
        self._subjects: dict[int, _Subject] = {}
        self._gallery: Gallery | None = None

    def process(self, image: BGRImage, now_ns: int, gallery: Gallery) -> FrameReport:
        """Take one picture of `now_ns` (monotonic nanoseconds).

        Another `gallery` than last time begins every deliberation anew. Whatever the engine raises is
        raised: it is for the caller to answer that nobody can be recognised (I9).
        """
        if gallery is not self._gallery:
            self._gallery = gallery
            self._subjects.clear()
        if not self._motion.is_open(image, now_ns, someone_is_tracked=bool(self._tracker.tracks)):
            return FrameReport(searched=False)
        followed = [track.box for track in self._tracker.tracks]
        detected = self._search.faces(image, followed, now_ns)
        tracks = self._tracker.update([face.box for face in detected], now_ns)
        self._forget_ended()
        reports = []
        for face, track in zip(detected, tracks, strict=True):
            quality = face_quality.measure(image, face)
            reason = judge(image, face, quality, self._thresholds)
            reports.append(FaceReport(track.id, face.box, reason, quality))
            if reason is GateReason.TAKEN:
                self._subject(track.id).candidates.append(
                    _Candidate(image, face, suitability(quality), now_ns)
                )
        look = self._look_at_one(now_ns, gallery)
        if look is None:
            return FrameReport(True, tuple(reports))
        cases = () if look.case is None else (look.case,)
        reopened = frozenset((look.track_id,) if look.reopened else ())
        return FrameReport(True, tuple(reports), cases, 1, reopened)

    @property
    def track_ids(self) -> set[int]:
        """Tracks that have not ended."""
        return {track.id for track in self._tracker.tracks}

    def reconsider(self, track_id: int) -> None:
        """Begin this track's deliberation anew: its answer could not be given."""
        self._subjects.pop(track_id, None)

    def _look_at_one(self, now_ns: int, gallery: Gallery) -> _LookAtOne | None:
        """One template a frame at most, for whoever waits longest: the picture must not stand still."""
        ready = [
            (subject.candidates[0].at_ns, track_id)
            for track_id, subject in self._subjects.items()
            if self._is_ready(subject, now_ns)
        ]
        if not ready:
            return None
        _, track_id = min(ready)
        subject = self._subjects[track_id]
        best = max(subject.candidates, key=lambda candidate: candidate.score)
        subject.candidates.clear()
        subject.looked_ns = now_ns
        template = self._engine.template(best.image, best.face)
        match = gallery.match(template, self._thresholds)
        deliberation = subject.deliberation
        was_concluded = deliberation.conclusion is not None
        conclusion = deliberation.add(match)
        reopened = was_concluded and (deliberation.conclusion is None or conclusion is not None)
        if reopened:
            subject.probes.clear()  # what was seen before is no evidence about who is there now
        if deliberation.gathered:
            subject.probes.append(_Probe(best.image, best.face, best.score, template, match))
        case = None if conclusion is None else _case(track_id, conclusion, subject)
        return _LookAtOne(track_id, case, reopened)

    def _is_ready(self, subject: _Subject, now_ns: int) -> bool:
        waiting = subject.candidates
        if not waiting:
            return False
        if subject.deliberation.is_final:
            waiting.clear()
            return False
        if subject.deliberation.conclusion is not None:
            del waiting[:-1]  # who is there now, not a moment ago
            limits = self._thresholds
            in_doubt = subject.deliberation.is_in_doubt
            recheck_seconds = limits.doubt_recheck_seconds if in_doubt else limits.recheck_seconds
            is_due = now_ns - subject.looked_ns >= recheck_seconds * 1e9
            return is_due and waiting[0].at_ns == now_ns
        return len(waiting) >= BEST_OF or now_ns - waiting[0].at_ns >= BEST_WITHIN_NS

    def _subject(self, track_id: int) -> _Subject:
        if track_id not in self._subjects:
            self._subjects[track_id] = _Subject(Deliberation(self._thresholds))
        return self._subjects[track_id]

    def _forget_ended(self) -> None:
        alive = {track.id for track in self._tracker.tracks}
        for track_id in [known for known in self._subjects if known not in alive]:
            del self._subjects[track_id]


def _case(track_id: int, conclusion: Conclusion, subject: _Subject) -> Case:
    """The frame that brought a name about gives that name, so there is always one to choose."""
    fitting = [probe for probe in subject.probes if _gives(probe.match, conclusion)]
    best = max(fitting, key=lambda probe: probe.score)
    frames = tuple((probe.image, probe.face) for probe in subject.probes)
    return Case(track_id, conclusion, frames, (best.image, best.face), best.template)


def _gives(match: Match, conclusion: Conclusion) -> bool:
    """Whether this frame shows the face that the conclusion is about: another's photo must not be kept as
    the evidence of a person's presence."""
    if conclusion.finding is not Finding.NAMED:
        return True
    return match.is_named and match.person_id == conclusion.person_id

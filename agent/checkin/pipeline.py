"""From pictures to conclusions: detect, track, gate, liveness, choose the best frames, match, ask in doubt.

A conclusion is told when the track's liveness is known; one that is told may be questioned (`question`), and
is told again with what came of it. Everything it does can be read off its `FrameReport`s: why each face was
or was not taken, and when each track came to which conclusion. It touches no database and records nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from agent.checkin.case import Case, FaceReport, FrameReport
from agent.checkin.deliberation import Deliberation
from agent.checkin.fusion import MEASURED_ENGINES
from agent.checkin.gallery import NOBODY, Gallery
from agent.checkin.gate import GateReason, checks, first_failed, suitability
from agent.checkin.liveness import LivenessJudge
from agent.checkin.motion import MotionGate
from agent.checkin.questioning import Direction, Questioning, Wanted
from agent.checkin.search import Search
from agent.checkin.subject import Candidate, Probe, Subject, case_of
from agent.checkin.thresholds import CheckinThresholds
from agent.checkin.tracker import Tracker
from models import face_quality
from models.faces import DetectedFace, FaceEngine
from models.images import BGRImage, Picture, in_colour

BEST_OF = 2
"""A template is made of the best of so many taken frames: each costs as much as several detections. Not the
one that is to confirm a name on which all before it agree: nothing would be chosen but a later answer."""
BEST_WITHIN_NS = 400_000_000
"""Or of what was taken within this time, when frames come slowly."""


class Pipeline:
    """One door camera's faces. Not thread-safe."""

    def __init__(self, engine: FaceEngine, liveness: LivenessJudge, thresholds: CheckinThresholds) -> None:
        self._engine = engine
        self._liveness = liveness
        self._thresholds = thresholds
        self._motion = MotionGate()
        self._search = Search(engine)
        self._tracker = Tracker()
        self._subjects: dict[int, Subject] = {}
        self._gallery: Gallery | None = None
        self._before_ns: int | None = None
        self._step_ns = 0
        """From the picture before to the last one."""

    def process(self, picture: Picture | BGRImage, now_ns: int, gallery: Gallery) -> FrameReport:
        """Take one picture of `now_ns` (monotonic nanoseconds).

        Another `gallery` than last time begins every deliberation anew. Whatever the engine raises is
        raised: it is for the caller to answer that nobody can be recognised (I9).
        """
        self._step_ns = 0 if self._before_ns is None else now_ns - self._before_ns
        self._before_ns = now_ns
        if gallery is not self._gallery:
            self._gallery = gallery
            self._subjects.clear()
        if not self._motion.is_open(picture, now_ns, someone_is_tracked=bool(self._tracker.tracks)):
            return FrameReport(searched=False, is_at_rest=True)
        image = in_colour(picture)
        followed = [track.box for track in self._tracker.tracks]
        detected = self._search.faces(image, followed, now_ns)
        tracks = self._tracker.update([face.box for face in detected], now_ns)
        self._forget_ended()
        reports = []
        for face, track in zip(detected, tracks, strict=True):
            quality = face_quality.measure(image, face)
            made_checks = checks(image, face, quality, self._thresholds, self._engine.max_yaw_degrees)
            failed = first_failed(made_checks)
            reason = GateReason.TAKEN if failed is None else failed.reason
            reports.append(FaceReport(track.id, face.box, reason, quality, made_checks))
            self._take(track.id, image, face, quality, reason, now_ns)
        made, reopened = self._make_one_template(now_ns, gallery)
        return FrameReport(
            True,
            tuple(reports),
            tuple(self._due_cases(now_ns)),
            made,
            is_at_rest=False if reports else self._motion.is_at_rest,
            reopened=reopened,
        )

    def question(self, track_id: int, now_ns: int) -> None:
        """Ask this track, whose named case was just told, to turn its head; another case tells how it
        ended."""
        subject = self._subjects.get(track_id)
        if subject is None or subject.told is None or subject.told.conclusion.person_id is None:
            return  # it has left
        person_id = subject.told.conclusion.person_id
        subject.questioning = Questioning(person_id, subject.told.liveness, now_ns)

    @property
    def directions(self) -> dict[int, Direction]:
        """Where the tracks that are asked now should look."""
        return {
            track_id: subject.questioning.direction
            for track_id, subject in self._subjects.items()
            if subject.questioning is not None
        }

    @property
    def track_ids(self) -> set[int]:
        """Tracks that have not ended."""
        return {track.id for track in self._tracker.tracks}

    def reconsider(self, track_id: int) -> None:
        """Begin this track's deliberation anew: its answer could not be given."""
        self._subjects.pop(track_id, None)

    def _take(
        self,
        track_id: int,
        image: BGRImage,
        face: DetectedFace,
        quality: face_quality.FaceQuality,
        reason: GateReason,
        now_ns: int,
    ) -> None:
        is_taken = reason is GateReason.TAKEN
        if is_taken:
            subject = self._subject(track_id)
            if subject.told is None or subject.questioning is not None:
                subject.liveness.look(image, face, now_ns)
            subject.candidates.append(Candidate(image, face, suitability(quality), now_ns))
        questioning = self._subjects[track_id].questioning if track_id in self._subjects else None
        if questioning is not None:
            points = self._liveness.points(image, face)
            questioning.look(image, face, points, now_ns, is_taken=is_taken)

    def _make_one_template(self, now_ns: int, gallery: Gallery) -> tuple[int, frozenset[int]]:
        """One template a frame at most: the picture must not stand still. Those who are asked something go
        first, then whoever waits longest. How many were made, and the tracks that were reopened by it."""
        for subject in self._subjects.values():
            if subject.questioning is not None and subject.questioning.wanted is not None:
                self._match_questioned(
                    subject, subject.questioning, subject.questioning.wanted, now_ns, gallery
                )
                return 1, frozenset()
        ready = [
            (subject.candidates[0].at_ns, track_id)
            for track_id, subject in self._subjects.items()
            if self._is_ready(subject, now_ns)
        ]
        if not ready:
            return 0, frozenset()
        _, track_id = min(ready)
        reopened = self._look_at(self._subjects[track_id], now_ns, gallery)
        return 1, frozenset((track_id,) if reopened else ())

    def _match_questioned(
        self, subject: Subject, questioning: Questioning, wanted: Wanted, now_ns: int, gallery: Gallery
    ) -> None:
        template = self._engine.template(wanted.image, wanted.face)
        match = gallery.match(template, self._thresholds)
        questioning.matched(match, now_ns)
        if wanted.is_last and questioning.ending == "passed":
            score = suitability(face_quality.measure(wanted.image, wanted.face))
            subject.probes.append(Probe(wanted.image, wanted.face, score, template, match))

    def _look_at(self, subject: Subject, now_ns: int, gallery: Gallery) -> bool:
        """Match the best candidate of this track; whether its last answer holds no more."""
        best = max(subject.candidates, key=lambda candidate: candidate.score)
        subject.candidates.clear()
        subject.looked_ns = now_ns
        template = self._engine.template(best.image, best.face)
        match = gallery.match(template, self._thresholds)
        deliberation = subject.deliberation
        was_concluded = deliberation.conclusion is not None
        together = NOBODY
        if self._engine.name in MEASURED_ENGINES:
            mean = subject.fusion.add(template, best.score, deliberation.gathered)
            if deliberation.gathered > 0 and not was_concluded:
                together = gallery.match(mean, self._thresholds, is_mean=True)
        subject.judge_from_here(match if match.is_named else together, self._liveness)
        conclusion = deliberation.add(match, best.score, together)
        reopened = was_concluded and (deliberation.conclusion is None or conclusion is not None)
        if reopened:
            subject.probes.clear()  # what was seen before is no evidence about who is there now
            subject.held = subject.told = None
            subject.liveness = self._liveness.track()  # another face is judged by its own frames
        if deliberation.gathered:
            subject.probes.append(Probe(best.image, best.face, best.score, template, match))
        if conclusion is not None:
            subject.held = conclusion
        return reopened

    def _due_cases(self, now_ns: int) -> Iterator[Case]:
        """Conclusions whose liveness is known by now, and questions that have ended."""
        for track_id, subject in self._subjects.items():
            passive = subject.liveness.verdict()
            if subject.held is not None and passive is not None:
                subject.told = case_of(track_id, subject.held, subject, passive)
                subject.held = None
                yield subject.told
            questioning = subject.questioning
            if questioning is None or subject.told is None:
                continue
            questioning.passes(now_ns)
            if passive is not None and passive.outcome == "attack":
                verdict = passive  # a veto, whatever the head did
            elif questioning.ending is None:
                continue
            else:
                verdict = questioning.verdict
            subject.questioning = None
            subject.told = case_of(track_id, subject.told.conclusion, subject, verdict)
            yield subject.told

    def _is_ready(self, subject: Subject, now_ns: int) -> bool:
        waiting = subject.candidates
        if not waiting:
            return False
        if subject.deliberation.is_final or subject.held is not None or subject.questioning is not None:
            waiting.clear()
            return False
        if subject.deliberation.conclusion is not None:
            del waiting[:-1]  # who is there now, not a moment ago
            limits = self._thresholds
            in_doubt = subject.deliberation.is_in_doubt
            recheck_seconds = limits.doubt_recheck_seconds if in_doubt else limits.recheck_seconds
            is_due = now_ns - subject.looked_ns >= recheck_seconds * 1e9
            return is_due and waiting[0].at_ns == now_ns
        wanted = 1 if subject.deliberation.is_one_short else BEST_OF
        # On a slow machine nobody waits for a choice that the next picture would bring too late.
        return len(waiting) >= wanted or now_ns + self._step_ns - waiting[0].at_ns >= BEST_WITHIN_NS

    def _subject(self, track_id: int) -> Subject:
        if track_id not in self._subjects:
            self._subjects[track_id] = Subject(Deliberation(self._thresholds), self._liveness.track())
        return self._subjects[track_id]

    def _forget_ended(self) -> None:
        alive = {track.id for track in self._tracker.tracks}
        for track_id in [known for known in self._subjects if known not in alive]:
            del self._subjects[track_id]

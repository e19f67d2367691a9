"""The door: one picture in, answers out. Joins pipeline, attendant, session and gallery, and fails closed.

Whatever breaks on the way (the engine, a key, the disk, the database) the answer is "try the other way",
the fault is stated as a fact, and nobody becomes present by it (I9).
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from agent.checkin.answers import Answer, AnswerKind, answer
from agent.checkin.attendant import Attendant, Question, Reply
from agent.checkin.case import FaceReport, FrameReport
from agent.checkin.cut_fitting import FittedCut
from agent.checkin.deliberation import Conclusion
from agent.checkin.diary import Diary
from agent.checkin.gallery import GalleryLoader
from agent.checkin.journal import Availability, Journal
from agent.checkin.liveness import LivenessJudge
from agent.checkin.pipeline import Pipeline
from agent.checkin.situation import Situation
from agent.checkin.thresholds import CheckinThresholds
from agent.clock import Clock
from agent.log import get_logger
from agent.store.classes import Session
from agent.store.database import Store
from agent.store.vault import Vault
from models.faces import FaceEngine
from models.images import BGRImage, Picture

ENGINE_TRUSTED_NS = 10_000_000_000
"""An engine that failed is trusted again when it made a template, or failed no more for so long."""

log = get_logger(__name__)


@dataclass
class Tally:
    """Counts since the start of the process, for the status board."""

    frames: int = 0
    searched: int = 0
    templates: int = 0
    gate: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    questions: int = 0
    """Faces that were asked to turn."""
    last_conclusion: dict[str, Any] | None = None
    """Numbers and limits of the last one (`Conclusion.numbers`)."""
    liveness: Counter[str] = field(default_factory=Counter)
    """Verdicts of the answers given; an attack by its species (print, screen_still, replay, unknown)."""


@dataclass(frozen=True, slots=True)
class View:
    """What the door saw and says of one picture."""

    faces: tuple[FaceReport, ...] = ()
    answers: dict[int, Reply] = field(default_factory=dict)
    """By track, as long as the track lasts."""
    prompts: dict[int, Answer] = field(default_factory=dict)
    """What a face is asked to do (a challenge), by track; said in place of the gate's remedy."""
    fault: str | None = None
    """Set when nobody can be recognised now; everybody is sent to the other way in."""
    is_at_rest: bool | None = None
    """Nobody is looked for, or nothing moves and nobody is there: nothing to see. None: too early to tell."""


class Door:
    """Check-in at one camera. One thread."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        journal: Journal,
        engine: FaceEngine,
        liveness: LivenessJudge,
        thresholds: CheckinThresholds,
        clock: Clock,
        *,
        room: str,
        simulated: bool,
    ) -> None:
        loader = GalleryLoader(store, vault, engine.name, engine.template_length)
        self.situation = Situation(store, loader, room)
        self.availability = Availability(store, simulated=simulated)
        self.tally = Tally()
        self.diary = Diary()
        self._engine = engine
        self._thresholds = thresholds
        self._clock = clock
        self._journal = journal
        self._liveness = liveness
        self._simulated = simulated
        self._pipeline = self._new_pipeline()
        self._attendant = self._new_attendant()
        self._answers: dict[int, Reply] = {}
        self._session_id: str | None = None
        self._engine_failed_ns = 0

    def refresh(self) -> None:
        """Follow sessions and gallery; call about once a second. sqlite3.Error is the caller's to survive."""
        self.situation.refresh()
        session_id = self.situation.session.id if self.situation.session else None
        if session_id != self._session_id:
            self._session_id = session_id
            self._answers.clear()
            self._pipeline = self._new_pipeline()
            self._attendant = self._new_attendant()  # a visit to one session is none to the next
            log.info("session.changed", session_id=session_id, people=len(self.situation.gallery))

    @property
    def fitted(self) -> FittedCut | None:
        """The limits by which somebody is one of the class now."""
        return self.situation.gallery.fitted(self._thresholds)

    def _new_attendant(self) -> Attendant:
        return Attendant(
            self._journal,
            self._liveness,
            self._thresholds,
            engine=self._engine.name,
            simulated=self._simulated,
            liveness_decides=self._liveness_decides,
        )

    def _new_pipeline(self) -> Pipeline:
        self.diary.begin_anew()
        return Pipeline(self._engine, self._liveness, self._thresholds)

    @property
    def _liveness_decides(self) -> bool:
        """A replayed photo is an attack by definition, and what is simulated never counts (I9)."""
        return not self._simulated

    def see(self, picture: Picture | BGRImage, now_ns: int) -> View:
        """Look at one picture of `now_ns`. Without an open session nobody is looked for. Never raises what
        the engine or the recording of an answer raised."""
        self.tally.frames += 1
        session = self.situation.session
        missing = self._liveness.ready(now_ns)
        if missing is not None and self._liveness_decides:
            # Without its judge of liveness the door would take a photo for a person.
            self._answers.clear()
            self._fail("model", missing)
            return View() if session is None else View(fault="model")
        if session is None:
            if self.availability.fault in ("camera", "model"):
                self._works()
            return View(is_at_rest=True)
        try:
            report = self._pipeline.process(picture, now_ns, self.situation.gallery)
        except Exception as error:
            if self.availability.fault != "engine":  # one trace an outage, not ten a second
                log.exception("engine.failed")
            self._pipeline = self._new_pipeline()
            self._answers.clear()
            self._engine_failed_ns = now_ns
            self._fail("engine", type(error).__name__)
            return View(fault="engine")
        self._count(report)
        if self._engine_is_proven(report, now_ns):
            self._works()
        self._answer(report, session, now_ns)
        self.diary.saw(report, self._answers, now_ns)
        return View(
            report.faces, dict(self._answers), self._prompts(), self.availability.fault, report.is_at_rest
        )

    def _engine_is_proven(self, report: FrameReport, now_ns: int) -> bool:
        """Whether this picture ends an outage. A search alone does not when it is templates that fail: the
        outage would end and begin with every other picture."""
        if self.availability.fault == "engine":
            return report.templates_made > 0 or now_ns - self._engine_failed_ns >= ENGINE_TRUSTED_NS
        return self.availability.fault in ("camera", "model")

    def camera_failed(self, detail: str) -> None:
        """The camera is gone: nobody can check in by face until `see` is called again."""
        self._answers.clear()
        self._fail("camera", detail)

    def _answer(self, report: FrameReport, session: Session, now_ns: int) -> None:
        for track_id in report.reopened:
            self._answers.pop(track_id, None)
        for case in report.cases:
            self._tell_why(case.conclusion)
            try:
                reply = self._attendant.answer(case, session, self.situation.gallery, self._clock.now())
            except Exception as error:
                if self.availability.fault != "record":
                    log.exception("answer.not_recorded")
                self._fail("record", type(error).__name__)
                self._pipeline.reconsider(case.track_id)
                reply = Reply(case.track_id, AnswerKind.OTHER_WAY, None, None)
            else:
                if isinstance(reply, Question):
                    self._pipeline.question(reply.track_id, now_ns)
                    self.tally.questions += 1
                    continue
                self.tally.liveness[case.liveness.species or case.liveness.outcome] += 1
                if reply.check_in_id is not None and self.availability.fault == "record":
                    self._works()
            self.tally.answers[reply.answer] += 1
            self._answers[case.track_id] = reply
        alive = self._pipeline.track_ids
        self._answers = {track: reply for track, reply in self._answers.items() if track in alive}
        self._attendant.saw(alive, now_ns)

    def _tell_why(self, conclusion: Conclusion) -> None:
        """The numbers of a conclusion and the limits they were held to: no id, as these lines outlive a
        roster."""
        self.tally.last_conclusion = conclusion.numbers()
        log.info("face.concluded", **self.tally.last_conclusion)

    def _prompts(self) -> dict[int, Answer]:
        return {
            track_id: answer(AnswerKind.TURN, track_id=track_id, direction=direction)
            for track_id, direction in self._pipeline.directions.items()
        }

    def _count(self, report: FrameReport) -> None:
        self.tally.searched += report.searched
        self.tally.templates += report.templates_made
        self.tally.gate.update(face.reason for face in report.faces)

    def _fail(self, fault: str, detail: str) -> None:
        try:
            self.availability.failed(fault, detail, self._clock.now(), self.situation.session)
        except sqlite3.Error as error:  # stated again by the next failure; the status board says it meanwhile
            log.warning("fault.not_recorded", fault=fault, error=str(error))

    def _works(self) -> None:
        try:
            self.availability.works(self._clock.now(), self.situation.session)
        except sqlite3.Error as error:  # tried again with the next picture
            log.warning("restoration.not_recorded", error=str(error))

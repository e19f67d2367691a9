"""From a conclusion to the answer that the person gets, and to the record where one is due.

The same answer to the same face is recorded once a visit. A stranger's visit is recognised by the
template of the last one, held in memory for the cooldown alone and never written anywhere (I7).

Where liveness decides (a live camera in production), only `live` is accepted; who is unsure is asked to turn
the head before anything is recorded, once a conclusion. Elsewhere its verdict is recorded and decides nothing
(I9).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from agent.checkin.answers import AnswerKind
from agent.checkin.case import Case
from agent.checkin.deliberation import Conclusion, Finding
from agent.checkin.gallery import Gallery
from agent.checkin.journal import Entry, Journal, Outcome
from agent.checkin.liveness import LivenessJudge
from agent.checkin.photos import portrait
from agent.checkin.thresholds import CheckinThresholds
from agent.clock import Stamp
from agent.store.classes import Session
from models.faces import Template

_ANSWERS: dict[Outcome, AnswerKind] = {
    "accepted": AnswerKind.ACCEPTED,
    "already_checked_in": AnswerKind.ALREADY_CHECKED_IN,
    "checked_out": AnswerKind.CHECKED_OUT,
    "not_in_class": AnswerKind.NOT_IN_CLASS,
    "unknown": AnswerKind.UNKNOWN,
    "suspected_attack": AnswerKind.SUSPECTED_ATTACK,
    "failed": AnswerKind.FAILED,
}


_PRESENT = frozenset({"accepted", "already_checked_in", "checked_out"})


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one case."""

    track_id: int
    answer: AnswerKind
    person_id: str | None
    check_in_id: str | None
    """None when nothing was recorded: no session, or the same visit as before."""


@dataclass(frozen=True, slots=True)
class Question:
    """No answer yet: this track shall be asked to turn its head (`Pipeline.question`)."""

    track_id: int


@dataclass(slots=True)
class _Visit:
    track_id: int
    outcome: Outcome
    person_id: str | None
    template: Template
    seen_ns: int


class Attendant:
    """Answers the cases of one session."""

    def __init__(
        self,
        journal: Journal,
        liveness: LivenessJudge,
        thresholds: CheckinThresholds,
        *,
        engine: str,
        simulated: bool,
        liveness_decides: bool,
    ) -> None:
        self._journal = journal
        self._liveness = liveness
        self._thresholds = thresholds
        self._engine = engine
        self._simulated = simulated
        self._liveness_decides = liveness_decides
        self._visits: list[_Visit] = []

    def answer(self, case: Case, session: Session, gallery: Gallery, stamp: Stamp) -> Reply | Question:
        """Decide and record. Raises what the journal raises; nothing is then recorded."""
        self._forget_past_visits(stamp.monotonic_ns)
        outcome = _outcome(case.conclusion, gallery)
        person_id = case.conclusion.person_id
        if self._journal.awaits_look(session.id, person_id, stamp):  # called: another visit
            self._visits = [visit for visit in self._visits if visit.person_id != person_id]
        if self._liveness_decides:
            decided = self._under_liveness(outcome, case, session, stamp)
            if decided is None:
                return Question(case.track_id)
            outcome = decided
            person_id = None if outcome == "failed" else person_id
        earlier = self._same_visit(outcome, person_id, case)
        if earlier is not None:
            earlier.track_id, earlier.seen_ns = case.track_id, stamp.monotonic_ns
            again: Outcome = "already_checked_in" if outcome == "accepted" else outcome
            return Reply(case.track_id, _ANSWERS[again], person_id, None)
        entry = Entry(
            outcome=outcome,
            person_id=person_id,
            engine=self._engine,
            distance=case.conclusion.distance,
            margin=case.conclusion.margin,
            threshold=case.conclusion.cut or self._thresholds.match_distance,
            frames=case.conclusion.frames,
            liveness=case.liveness,
            portrait=portrait(*case.best),
            simulated=self._simulated,
            template=case.template,
            same_stranger=self._thresholds.match_distance,
        )
        recorded = self._journal.record(entry, session.id, stamp)
        if recorded is None:
            return Reply(case.track_id, AnswerKind.NO_SESSION, None, None)
        person_id = recorded.person_id
        self._visits.append(
            _Visit(case.track_id, recorded.outcome, person_id, case.template, stamp.monotonic_ns)
        )
        said = _ANSWERS[recorded.outcome]
        if recorded.passed_check and recorded.outcome == "already_checked_in":
            said = AnswerKind.SEEN  # who was called is told that it is done
        return Reply(case.track_id, said, person_id, recorded.check_in_id)

    def _under_liveness(self, outcome: Outcome, case: Case, session: Session, stamp: Stamp) -> Outcome | None:
        """What the verdict leaves of `outcome`; None when the person must be asked first. An attack is one
        whatever the match says, and nobody becomes present who is not live; who is present already is left
        alone.
        """
        liveness, policy = case.liveness, self._thresholds.liveness
        if liveness.outcome == "attack":
            return "suspected_attack"
        if outcome != "accepted":
            return outcome
        is_asked_always = policy == "always_challenge" and liveness.challenge is None
        if liveness.outcome == "live" and not is_asked_always:
            return outcome
        person_id = case.conclusion.person_id
        if self._same_visit(outcome, person_id, case) is not None:
            return outcome
        if self._journal.is_settled(session.id, person_id, stamp):
            return "already_checked_in"
        may_ask = policy != "passive" and liveness.challenge is None and self._liveness.can_challenge
        judged = liveness.outcome != "not_judged"
        return None if may_ask and judged else "failed"

    def saw(self, track_ids: set[int], now_ns: int) -> None:
        """These tracks are in the picture: their visits last. Call for every picture that was searched."""
        for visit in self._visits:
            if visit.track_id in track_ids:
                visit.seen_ns = now_ns
        self._forget_past_visits(now_ns)

    def _forget_past_visits(self, now_ns: int) -> None:
        cooldown_ns = self._thresholds.cooldown_seconds * 1e9
        self._visits = [visit for visit in self._visits if now_ns - visit.seen_ns <= cooldown_ns]

    def _same_visit(self, outcome: Outcome, person_id: str | None, case: Case) -> _Visit | None:
        limit = self._thresholds.match_distance
        for visit in self._visits:
            if (visit.outcome == "suspected_attack") != (outcome == "suspected_attack"):
                continue
            if person_id is not None and visit.person_id is not None:
                if visit.person_id == person_id and (visit.outcome in _PRESENT) == (outcome in _PRESENT):
                    return visit
            elif person_id is None:
                # Also where the visit has a name: it is somebody just answered for, turning away. On another
                # track no looser than the class's own cut: whoever is farther is a stranger like any other.
                is_held = visit.track_id == case.track_id or visit.person_id is None
                reach = limit if is_held else min(limit, case.conclusion.cut or math.inf)
                if float(np.linalg.norm(visit.template - case.template)) < reach:
                    return visit
        return None


def _outcome(conclusion: Conclusion, gallery: Gallery) -> Outcome:
    if conclusion.finding is Finding.AMBIGUOUS:
        return "failed"
    if conclusion.finding is Finding.UNKNOWN or conclusion.person_id is None:
        return "unknown"
    return "not_in_class" if gallery.membership(conclusion.person_id) == "elsewhere" else "accepted"

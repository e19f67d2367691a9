"""After each lesson: what of its class hours is on video, stated for the signed record (R2 to R5).

Judged from the time stamps in the files, as soon as the index has reached the lesson's end; half an hour
after it in any case. When the truth is known better later (a clock was corrected, footage came back), another
statement supersedes the first and names it. The archive does it because its process may wait for a disk; the
files are read by a thread, and nothing is locked meanwhile. `classroom-agent continuity` judges anew whenever
it is asked.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from uuid import uuid4

from agent.archive.judgement import as_data, basis_of, why_anew
from agent.archive.part import Word
from agent.archive.rounds import ROUND_NS, Rounds, is_settled
from agent.classes.rules import rules_of
from agent.clock import Stamp
from agent.log import get_logger
from agent.policy import PolicyError, shipped_policies
from agent.recording.session_report import SessionReport, collect, report
from agent.role import RoleContext
from agent.store import classes, continuity
from agent.store.classes import Session
from agent.store.continuity import Judgement
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Reading:
    """A lesson whose files the thread reads."""

    session: Session
    basis: dict[str, str]
    before: Judgement | None
    """What was stated of it so far."""
    future: Future[SessionReport]


class ContinuityJudge:
    """Part of the archive."""

    name = "continuity"

    def __init__(self, context: RoleContext) -> None:
        self._context = context
        self._reader = ThreadPoolExecutor(1, "continuity")
        self._reading: _Reading | None = None
        self._next_ns = 0
        self._rounds = Rounds(continuity.judged_sessions, context.settings.node.room)
        self._refused: set[str] = set()
        """Sessions that cannot be judged here, said once a process."""

    @property
    def is_idle(self) -> bool:
        """True when no file is being read: the next step finishes what was, or begins something."""
        return self._reading is None or self._reading.future.done()

    def step(self, store: Store, stamp: Stamp) -> Word:
        if not self.is_idle:
            return Word()
        reading, self._reading = self._reading, None
        if reading is not None:
            self._finish(store, stamp, reading)
            return Word()
        session = self._due(store, stamp)
        try:
            if session is not None:
                self._begin(store, stamp, session, None)
            else:
                self._look_again(store, stamp)
        except PolicyError as error:
            log.warning("continuity.no-policy", error=str(error))
            return Word("fault", "找不到班次适用的文件，课时无法判定", f"no notice: {error}")
        return Word()

    def close(self) -> None:
        self._reader.shutdown(wait=False, cancel_futures=True)

    def _due(self, store: Store, stamp: Stamp) -> Session | None:
        """A lesson of which nothing was stated yet; asked once a round."""
        if stamp.monotonic_ns < self._next_ns:
            return None
        room = self._context.settings.node.room
        for session in continuity.unjudged_sessions(store, room, stamp.wall_us, 20 + len(self._refused)):
            if session.id in self._refused:
                continue
            ended_us = max(session.planned_end_us, session.closed_us or 0)
            if is_settled(store, stamp, ended_us):
                return session
        self._next_ns = stamp.monotonic_ns + ROUND_NS
        return None

    def _look_again(self, store: Store, stamp: Stamp) -> None:
        """Begin to read the next judged lesson of which something moved, or not all files were there."""
        session_id = self._rounds.next(store, stamp)
        session = None if session_id is None else classes.session(store, session_id)
        if session is None or session.id in self._refused:
            return
        before = continuity.judgements(store, session.id)[-1]
        evidence = collect(store, session)
        moved = basis_of(evidence, session) != before.basis or before.data["files_not_provable"]
        if moved:
            self._begin(store, stamp, session, before)

    def _begin(self, store: Store, stamp: Stamp, session: Session, before: Judgement | None) -> None:
        training_class = classes.class_of(store, session)
        try:
            policy = rules_of(training_class, shipped_policies())
        except PolicyError:
            self._refused.add(session.id)
            raise
        evidence = collect(store, session)
        future = self._reader.submit(report, evidence, self._context.paths, session, policy, stamp)
        self._reading = _Reading(session, basis_of(evidence, session), before, future)

    def _finish(self, store: Store, stamp: Stamp, reading: _Reading) -> None:
        judged, before = reading.future.result(), reading.before
        answer = as_data(judged)
        because: tuple[str, ...] = ()
        if before is not None:
            because = why_anew(before.data, before.basis, answer, reading.basis)
            if not because:
                if answer["files_not_provable"] <= before.data["files_not_provable"]:
                    with store.transaction():
                        continuity.set_basis(store, before.id, reading.basis)
                return
        supersedes = before.id if before is not None else None
        made = Judgement(
            str(uuid4()),
            reading.session.id,
            stamp.wall_us,
            supersedes,
            because,
            answer,
            reading.basis,
            judged.simulated or self._context.settings.simulated,
        )
        with store.transaction():
            continuity.insert_judgement(store, made)
            self._state(store, stamp, made, judged)
        log.info(
            "continuity.judged",
            session=made.session_id,
            verdict=judged.verdict,
            because=list(because) or None,
        )

    def _state(self, store: Store, stamp: Stamp, made: Judgement, judged: SessionReport) -> None:
        fact = Fact(
            FactType.CONTINUITY_JUDGED,
            subject=f"session/{made.session_id}",
            simulated=made.simulated,
            class_id=judged.session.class_id,
            session_id=made.session_id,
            data={
                "judgement": made.id,
                "supersedes": made.supersedes,
                "because": list(made.because),
                **made.data,
            },
        )
        state_fact(store, stamp, fact)

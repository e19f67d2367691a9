"""After each lesson: what of its class hours is on video, stated for the signed record (R2 to R5).

Judged once, from the time stamps in the files, as soon as the index has reached the lesson's end; half an
hour after it in any case. The archive does it because its process may wait for a disk; the files are read by
a thread, and nothing is locked meanwhile. `classroom-agent continuity` judges anew whenever it is asked.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date
from typing import Any, Final

from agent.archive.part import Word
from agent.clock import Stamp
from agent.log import get_logger
from agent.policy import Policies, PolicyError, load_policies
from agent.recording.class_hour_report import ClassHourReport
from agent.recording.session_report import CAMERA, SessionReport, collect, report
from agent.role import RoleContext
from agent.store import classes, continuity
from agent.store.classes import Session
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact

ROUND_NS: Final = 20_000_000_000
LATEST_US: Final = 30 * 60 * 1_000_000
"""So long after a lesson what is not in the index is not waited for: a recorder that is gone for good must
not keep the others' lessons from being judged."""
MOST_GAPS: Final = 100

log = get_logger(__name__)


class ContinuityJudge:
    """Part of the archive."""

    name = "continuity"

    def __init__(self, context: RoleContext) -> None:
        self._context = context
        self._policies: Policies | None = None
        self._reader = ThreadPoolExecutor(1, "continuity")
        self._reading: tuple[Session, Future[SessionReport]] | None = None
        self._next_ns = 0
        self._refused: set[str] = set()
        """Sessions that cannot be judged here, said once a process."""

    def step(self, store: Store, stamp: Stamp) -> Word:
        if self._reading is not None:
            if self._reading[1].done():
                self._state(store, stamp)
            return Word()
        if stamp.monotonic_ns < self._next_ns:
            return Word()
        session = self._due(store, stamp)
        if session is None:
            self._next_ns = stamp.monotonic_ns + ROUND_NS
            return Word()
        try:
            self._begin(store, stamp, session)
        except PolicyError as error:
            self._refused.add(session.id)
            log.warning("continuity.no-policy", session=session.id, error=str(error))
            return Word("fault", "找不到班次适用的文件，课时无法判定", f"no notice: {error}")
        return Word()

    def close(self) -> None:
        self._reader.shutdown(wait=False, cancel_futures=True)

    def _due(self, store: Store, stamp: Stamp) -> Session | None:
        room = self._context.settings.node.room
        for session in continuity.unjudged_sessions(store, room, stamp.wall_us, 20 + len(self._refused)):
            if session.id in self._refused:
                continue
            ended_us = max(session.planned_end_us, session.closed_us or 0)
            if stamp.wall_us >= ended_us + LATEST_US or continuity.is_accounted_for(store, CAMERA, ended_us):
                return session
        return None

    def _begin(self, store: Store, stamp: Stamp, session: Session) -> None:
        training_class = classes.training_class(store, session.class_id)
        assert training_class is not None  # noqa: S101 (the foreign key holds)
        self._policies = self._policies or load_policies()
        policy = self._policies.combine(date.fromisoformat(training_class.opening_day), training_class.city)
        evidence = collect(store, session)
        future = self._reader.submit(report, evidence, self._context.paths, session, policy, stamp)
        self._reading = session, future

    def _state(self, store: Store, stamp: Stamp) -> None:
        assert self._reading is not None  # noqa: S101 (the caller asked)
        session, future = self._reading
        self._reading = None
        judged = future.result()
        with store.transaction():
            state_fact(
                store,
                stamp,
                Fact(
                    FactType.CONTINUITY_JUDGED,
                    subject=f"session/{session.id}",
                    simulated=judged.simulated or self._context.settings.simulated,
                    class_id=session.class_id,
                    session_id=session.id,
                    data=_as_data(judged),
                ),
            )
        log.info("continuity.judged", session=session.id, verdict=judged.verdict)


def _as_data(judged: SessionReport) -> dict[str, Any]:
    demand = judged.demand
    return {
        "kind": judged.session.kind,
        "start_us": judged.session.planned_start_us,
        "end_us": judged.session.planned_end_us,
        "verdict": judged.verdict,
        "unexplained_us": judged.unexplained_us,
        "demand": {
            "rule": demand.rule,
            "limit_us": None if demand.limit == "whole" else demand.limit,
            "notices": [source.notice for source in demand.sources],
        },
        "checked": "time_stamps",
        "files_read": judged.files_read,
        "files_not_provable": len(judged.unprovable),
        "hours": [_hour(each) for each in judged.hours],
    }


def _hour(judged: ClassHourReport) -> dict[str, Any]:
    return {
        "number": judged.hour.number,
        "start_us": judged.hour.start_us,
        "end_us": judged.hour.end_us,
        "verdict": judged.verdict,
        "longest_us": judged.longest_us,
        "missing_us": judged.missing_us,
        "unexplained_us": judged.unexplained_us,
        "missing": [
            {"start_us": each.start_us, "end_us": each.end_us, "reason": each.reason}
            for each in judged.missing[:MOST_GAPS]
        ],
    }

"""A session's attendance for its page: who came and left, spot checks, and what waits for a decision."""

from __future__ import annotations

from dataclasses import dataclass

from agent.classes import spot_check
from agent.classes.spot_check import SpotCheck
from agent.store import check_ins, classes, suspicions
from agent.store.classes import Present, Session
from agent.store.database import Store
from agent.store.suspicions import Suspicion


@dataclass(frozen=True, slots=True)
class Attendance:
    """Everything about the people of one session."""

    present: list[Present]
    checks: list[SpotCheck]
    awaiting: int
    suspicions: list[Suspicion]

    @property
    def running(self) -> SpotCheck | None:
        """The spot check that somebody is called for now."""
        return next((check for check in self.checks if check.result is None), None)


def read_attendance(store: Store, session: Session) -> Attendance:
    return Attendance(
        classes.present(store, session.id),
        spot_check.checks(store, session.id),
        check_ins.awaiting_count(store, session.id),
        suspicions.suspicions(store, session_id=session.id),
    )

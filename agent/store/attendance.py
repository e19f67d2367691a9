"""Who was there, as the tables say it: the rows under attendance, and who is expected in the room over time.

Queries only; what a class hour counts as is judged by agent/classes/attendance.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal, NamedTuple

from agent.store import classes
from agent.store.classes import Session
from agent.store.configuration import value
from agent.store.database import Store
from agent.store.suspicions import IMPOSTORS

NO_END: Final = 2**62
"""Where a session that is still open ends."""


class Expected(NamedTuple):
    """So many people are expected in the room during [from_us, until_us), UTC microseconds."""

    from_us: int
    until_us: int
    trainees: int
    teachers: int


@dataclass(frozen=True, slots=True)
class Stay:
    """What the door knows of one person in one session."""

    session_id: str
    person_id: str
    role: Literal["trainee", "teacher"]
    check_in_id: str
    at_us: int
    """Stood at the door then; a picture decided later counts from this instant, too."""
    left_us: int | None
    """The last check-out; None without one."""
    is_pending: bool
    """By PIN and not yet confirmed."""
    simulated: bool
    void: bool
    """HR confirmed that this very check-in was an impostor's (R7)."""


def stays(store: Store, session_ids: Iterable[str]) -> list[Stay]:
    """The first check-in that counts, or would if it were confirmed, of each person in each session, in the
    order of time. Rejected entries are none. One that was confirmed hides the same person's pending ones."""
    return [stay for session_id in session_ids for stay in _stays_of(store, session_id)]


def _stays_of(store: Store, session_id: str) -> list[Stay]:
    marks = ", ".join("?" for _ in IMPOSTORS)
    rows = store.rows(
        "SELECT c.session_id, c.person_id, coalesce(e.role, 'trainee') AS role, c.id AS check_in_id, c.at_us,"  # noqa: S608 (own words)
        " (SELECT max(o.at_us) FROM check_in o WHERE o.session_id = c.session_id"
        " AND o.person_id = c.person_id AND o.outcome = 'checked_out') AS left_us,"
        " c.outcome = 'awaiting_confirmation' AS is_pending, c.simulated,"
        " EXISTS (SELECT 1 FROM suspicion x JOIN suspicion_sighting t ON t.suspicion_id = x.id"
        f" WHERE x.session_id = c.session_id AND x.state = 'confirmed' AND x.kind IN ({marks})"
        " AND t.check_in_id = c.id) AS void"
        " FROM check_in c JOIN session s ON s.id = c.session_id"
        " LEFT JOIN enrolment e ON e.class_id = s.class_id AND e.person_id = c.person_id"
        " WHERE c.session_id = ? AND c.outcome IN ('accepted', 'awaiting_confirmation')"
        " AND c.person_id IS NOT NULL ORDER BY c.outcome <> 'accepted', c.at_us, c.id",
        (*IMPOSTORS, session_id),
    )
    found: dict[str, Stay] = {}
    for row in rows:
        flags = {key: bool(row[key]) for key in ("is_pending", "simulated", "void")}
        found.setdefault(row["person_id"], Stay(**{**dict(row), **flags}))
    return sorted(found.values(), key=lambda stay: (stay.at_us, stay.check_in_id))


def expected_over(store: Store, session_id: str, *, with_pending: bool | None = None) -> list[Expected]:
    """Who is expected in the room while a session is held, as steps without holes from its opening to its
    closing (`NO_END` while it is open); [] before it was opened, and for one that never was.

    Expected is who checked in and did not check out since, however late. Rejected entries and confirmed
    impostors' check-ins do not count. Whoever waits for a confirmation counts as HR configured
    (`attendance.expect_pending`; `with_pending` overrides it): a person stood at the door then. Trainees and
    teachers are counted apart; who is on no list any more counts as a trainee.
    """
    session = classes.session(store, session_id)
    if session is None or session.opened_us is None:
        return []
    if with_pending is None:
        with_pending = value(store, "attendance.expect_pending") is not False
    counted = [stay for stay in _stays_of(store, session_id) if with_pending or not stay.is_pending]
    found = [stay for stay in counted if not stay.void]
    return _steps(session, session.opened_us, found)


def _steps(session: Session, start_us: int, found: list[Stay]) -> list[Expected]:
    end_us = NO_END if session.closed_us is None else max(session.closed_us, start_us + 1)
    changes: dict[int, list[int]] = {start_us: [0, 0]}
    for stay in found:
        column = int(stay.role == "teacher")
        arrived = min(max(stay.at_us, start_us), end_us)
        left = end_us if stay.left_us is None else min(max(stay.left_us, arrived), end_us)
        changes.setdefault(arrived, [0, 0])[column] += 1
        changes.setdefault(left, [0, 0])[column] -= 1
    changes.pop(end_us, None)
    borders = [*sorted(changes), end_us]
    steps, trainees, teachers = [], 0, 0
    for from_us, until_us in pairwise(borders):
        trainees += changes[from_us][0]
        teachers += changes[from_us][1]
        steps.append(Expected(from_us, until_us, trainees, teachers))
    return steps

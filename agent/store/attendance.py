"""Who was there, as the tables say it: the rows under attendance, and who is expected in the room over time.

Queries only; what a class hour counts as is judged by agent/classes/attendance.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Final, Literal, NamedTuple

from agent.store import classes
from agent.store.check_ins import may_leave
from agent.store.classes import Session
from agent.store.configuration import value, value_of
from agent.store.continuity import judgements
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
    waiting_us: int | None = None
    """An earlier entry by PIN waits for a word: confirmed, the person was here from then."""


def stays(store: Store, session_ids: Iterable[str]) -> list[Stay]:
    """The first check-in that counts, or would if it were confirmed, of each person in each session, in the
    order of time. Rejected entries are none. One that was confirmed hides the same person's pending ones, but
    for the time of an earlier one."""
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
        stay = found.setdefault(row["person_id"], Stay(**{**dict(row), **flags}))
        if not stay.is_pending and row["at_us"] < stay.at_us and stay.waiting_us is None:
            found[row["person_id"]] = replace(stay, waiting_us=row["at_us"])
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
    if with_pending:
        found = [one if one.waiting_us is None else replace(one, at_us=one.waiting_us) for one in found]
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


# What attendance rests on besides the stays: HR's and the teachers' word, spot checks, the video of make-ups.


@dataclass(frozen=True, slots=True)
class Looks:
    """What else the door and HR say of one person in one session."""

    doubt: Literal["suspicion", "impostor"] | None
    """A suspicion of an impostor that names the person is open, or is confirmed of another check-in."""
    leaving_us: int | None
    """The first look that is a leaving if an entry by PIN that waits for a word is confirmed: that entry,
    after the person was accepted, or what was accepted after the entry. By what HR wanted then, not by their
    word of today."""
    missed: tuple[tuple[int, int | None], ...]
    """Spot checks that were missed: from the draw until the door judged the person's face anew, or people
    confirmed an entry by PIN (None: never)."""


def looks(store: Store, session_id: str) -> dict[str, Looks]:
    """Person → what else is known in a session; whoever is not in it has nothing against or for them."""
    doubts = _doubts(store, session_id)
    leaving = _leavings(store, session_id)
    missed: dict[str, list[tuple[int, int | None]]] = {}
    for row in store.rows(
        "SELECT m.person_id, m.drawn_us, (SELECT max(c.at_us, m.drawn_us) FROM check_in c"
        " JOIN spot_check l ON l.id = c.spot_check_id WHERE l.session_id = m.session_id"
        " AND l.person_id = m.person_id AND l.rowid >= m.rowid"
        " AND c.outcome NOT IN ('awaiting_confirmation', 'rejected') ORDER BY c.rowid LIMIT 1) AS seen_us"
        " FROM spot_check m WHERE m.session_id = ? AND m.result = 'missed' ORDER BY m.drawn_us",
        (session_id,),
    ):
        missed.setdefault(row["person_id"], []).append((row["drawn_us"], row["seen_us"]))
    return {
        person: Looks(doubts.get(person), leaving.get(person), tuple(missed.get(person, ())))
        for person in {*doubts, *leaving, *missed}
    }


def _leavings(store: Store, session_id: str) -> dict[str, int]:
    session = classes.session(store, session_id)
    found: dict[str, int] = {}
    for row in store.rows(
        "SELECT l.person_id, l.at_us, l.revision, l.spot_check_id FROM check_in w JOIN check_in a"
        " ON a.session_id = w.session_id AND a.person_id = w.person_id AND a.outcome = 'accepted'"
        " JOIN check_in l ON l.id = CASE WHEN w.at_us > a.at_us THEN w.id ELSE a.id END"
        " WHERE w.session_id = ? AND w.outcome = 'awaiting_confirmation' ORDER BY l.at_us",
        (session_id,),
    ):
        is_late = session is not None and may_leave(session, row["at_us"], row["spot_check_id"])
        if is_late and value_of(store, "checkin.check_out", row["revision"]) is True:
            found.setdefault(row["person_id"], row["at_us"])
    return found


def _doubts(store: Store, session_id: str) -> dict[str, Literal["suspicion", "impostor"]]:
    """Open suspicions doubt whom the door named last, for it is that check-in which HR judge. A confirmed one
    doubts everybody whom it names: whose face it was is known to people alone."""
    marks = ", ".join("?" for _ in IMPOSTORS)
    found: dict[str, Literal["suspicion", "impostor"]] = {}
    for row in store.rows(
        "SELECT person_id, other_person_id, state FROM suspicion"  # noqa: S608 (own words)
        f" WHERE session_id = ? AND state <> 'rejected' AND kind IN ({marks}) ORDER BY state = 'confirmed'",
        (session_id, *IMPOSTORS),
    ):
        if row["state"] == "open" and row["person_id"] is not None:
            found[row["person_id"]] = "suspicion"
        elif row["state"] == "confirmed":
            named = (row["person_id"], row["other_person_id"])
            found |= {person: "impostor" for person in named if person is not None}
    return found


@dataclass(frozen=True, slots=True)
class Correction:
    """What a teacher and HR staff said of one trainee's one class hour (agent/classes/corrections.py)."""

    id: str
    session_id: str
    hour: int
    person_id: str
    state: Literal["attended", "late", "left_early", "absent", "excused", "withdrawn"]
    teacher_id: str
    account: str
    reason: str
    video_from_us: int | None
    video_until_us: int | None
    corrected_us: int
    supersedes: str | None


def corrections(store: Store, class_id: str) -> list[Correction]:
    """Every correction of a class, oldest first; the last of an hour holds."""
    rows = store.rows(
        "SELECT made.* FROM attendance_correction AS made JOIN session s ON s.id = made.session_id"
        " WHERE s.class_id = ? ORDER BY made.number",
        (class_id,),
    )
    return [Correction(**{key: row[key] for key in row.keys() if key != "number"}) for row in rows]  # noqa: SIM118 (sqlite3.Row)


def insert_correction(store: Store, made: Correction) -> None:
    """Beside its fact, in one transaction. sqlite3.IntegrityError when another superseded the same."""
    store.insert("attendance_correction", asdict(made))


def hours_on_video(store: Store, session_id: str, *, simulated: bool) -> dict[int, bool]:
    """Class hour → whether the video of it meets the notices, by the judgement in force
    (session.continuity-judged); hours of which nothing is stated are missing. What was judged of footage that
    no live camera made states nothing, unless `simulated` (I9)."""
    stated = judgements(store, session_id)
    if not stated or (stated[-1].simulated and not simulated):
        return {}
    hours = stated[-1].data["hours"]
    return {each["number"]: each["verdict"] == "met" for each in hours if each["verdict"] != "not_yet"}

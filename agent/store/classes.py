"""Classes, people, sessions: the rows, and who is present. Queries only; what they mean is agent/classes'.

Names leave this module only in `Person` and `Present`, for the page and the command line; whoever writes
facts, logs or pictures uses ids.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from agent.store.database import Row, Store

SessionKind = Literal["theory", "practical", "examination", "make_up"]
SessionState = Literal["planned", "open", "closed", "cancelled"]
PersonRole = Literal["trainee", "teacher"]


@dataclass(frozen=True, slots=True)
class TrainingClass:
    """A class as it was last imported."""

    id: str
    title: str
    occupation: str
    term_number: str
    approval: str
    """Reference of HR's approval; "" means that its hours do not count (R22)."""
    city: str
    opening_day: str
    """YYYY-MM-DD, Asia/Shanghai."""
    planned_hours: int
    practical_hours: int | None
    """Of `planned_hours`; this and the next four are None when nobody said."""
    online_hours: int | None
    workplaces: int | None
    training_certificate: bool | None
    hours_fixed_elsewhere: bool | None
    other_rooms: tuple[str, ...]
    """Rooms of its timetable that other devices film."""
    notices: tuple[str, ...]
    """Ids of the notices that govern it for life; (): those of its opening day and city."""
    warnings: tuple[Mapping[str, str], ...]
    """What the policy found at import: {"rule", "zh", "en"} each."""
    source_sha256: str
    imported_us: int


@dataclass(frozen=True, slots=True)
class Session:
    """One continuous lesson on one day (课)."""

    id: str
    class_id: str
    room: str
    kind: SessionKind
    planned_start_us: int
    planned_end_us: int
    class_hours: int
    state: SessionState
    opened_us: int | None
    closed_us: int | None
    close_reason: str | None
    breaks: tuple[tuple[int, int], ...] = ()
    """Planned breaks between class hours, [start_us, end_us) each, in order, inside the planned time."""

    @property
    def was_planned_again(self) -> bool:
        """Opened under a clock that ran ahead: another row is this lesson now (`plan_again`)."""
        return self.close_reason == "clock_was_wrong"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody enrolled in a class."""

    id: str
    name: str
    role: PersonRole
    id_number_last4: str | None
    left_us: int | None
    away: tuple[tuple[int, int], ...] = ()
    """[from_us, until_us) each, in order, when they were not in the class that they are in again: from 0 for
    who joined it late."""


@dataclass(frozen=True, slots=True)
class Present:
    """Somebody whom the door accepted in a session."""

    person_id: str
    name: str
    role: PersonRole | None
    """None: accepted, but no longer on the class's list."""
    at_us: int
    method: Literal["face", "pin"]
    simulated: bool
    left_us: int | None
    """The last check-out; None without one."""


def training_class(store: Store, class_id: str) -> TrainingClass | None:
    row = store.row("SELECT * FROM class WHERE id = ?", (class_id,))
    return None if row is None else _training_class(row)


def class_of(store: Store, session: Session) -> TrainingClass:
    """The class whose lesson it is."""
    return _training_class(store.one("SELECT * FROM class WHERE id = ?", (session.class_id,)))


def training_classes(store: Store) -> list[TrainingClass]:
    """Every class, the one that opened last first."""
    return [_training_class(row) for row in store.rows("SELECT * FROM class ORDER BY opening_day DESC, id")]


def people_of(store: Store, class_id: str, *, also_left: bool = False) -> list[Person]:
    """Trainees and teachers of a class by name; with `also_left`, those too who left it."""
    rows = store.rows(
        "SELECT p.id, p.name, e.role, p.id_number_last4, e.left_us, e.away"
        " FROM enrolment e JOIN person p ON p.id = e.person_id"
        " WHERE e.class_id = ? AND (e.left_us IS NULL OR ?) ORDER BY e.role DESC, p.name, p.id",
        (class_id, also_left),
    )
    return [
        Person(
            row["id"],
            row["name"],
            row["role"],
            row["id_number_last4"],
            row["left_us"],
            tuple((from_us, until_us) for from_us, until_us in json.loads(row["away"])),
        )
        for row in rows
    ]


def classes_of(store: Store, person_id: str) -> list[str]:
    """Ids of the classes that a person is in."""
    rows = store.rows(
        "SELECT class_id FROM enrolment WHERE person_id = ? AND left_us IS NULL ORDER BY class_id",
        (person_id,),
    )
    return [row["class_id"] for row in rows]


def name_and_role(store: Store, person_id: str, class_id: str) -> tuple[str, PersonRole | None] | None:
    """A person's name, and role in the class (None: not in it); None when there is no such person."""
    row = store.row(
        "SELECT p.name, e.role FROM person p LEFT JOIN enrolment e ON e.person_id = p.id AND e.class_id = ?"
        " AND e.left_us IS NULL WHERE p.id = ?",
        (class_id, person_id),
    )
    return None if row is None else (row["name"], row["role"])


def session_of(row: Row) -> Session:
    """Of a whole row of the table."""
    return Session(**{**dict(row), "breaks": tuple((start, end) for start, end in json.loads(row["breaks"]))})


def session(store: Store, session_id: str) -> Session | None:
    row = store.row("SELECT * FROM session WHERE id = ?", (session_id,))
    return None if row is None else session_of(row)


def open_session(store: Store, room: str) -> Session | None:
    """The session that check-ins in `room` belong to now; the schema allows one at most."""
    row = store.row("SELECT * FROM session WHERE room = ? AND state = 'open'", (room,))
    return None if row is None else session_of(row)


def next_session(store: Store, room: str, now_us: int) -> Session | None:
    """The planned session of `room` that starts next."""
    row = store.row(
        "SELECT * FROM session WHERE room = ? AND state = 'planned' AND planned_start_us >= ?"
        " ORDER BY planned_start_us LIMIT 1",
        (room, now_us),
    )
    return None if row is None else session_of(row)


def sessions(
    store: Store,
    *,
    room: str | None = None,
    class_id: str | None = None,
    from_us: int = 0,
    until_us: int = 2**62,
    states: Sequence[SessionState] = ("planned", "open", "closed", "cancelled"),
) -> list[Session]:
    """Sessions planned to touch [from_us, until_us), in the order of their planned start."""
    rows = store.rows(
        "SELECT * FROM session WHERE (:room IS NULL OR room = :room)"
        " AND (:class_id IS NULL OR class_id = :class_id)"
        " AND planned_end_us > :from_us AND planned_start_us < :until_us"
        " AND state IN (SELECT value FROM json_each(:states)) ORDER BY planned_start_us, id",
        {
            "room": room,
            "class_id": class_id,
            "from_us": from_us,
            "until_us": until_us,
            "states": json.dumps(list(states)),
        },
    )
    return [session_of(row) for row in rows]


def session_during(store: Store, room: str, start_us: int, end_us: int | None) -> tuple[str, str] | None:
    """(session, class) that was held in `room` during the interval; the one that began last of several."""
    row = store.row(
        "SELECT id, class_id FROM session WHERE room = ? AND state IN ('open', 'closed') AND opened_us < ?"
        " AND coalesce(closed_us, ?) > ? ORDER BY opened_us DESC LIMIT 1",
        (room, start_us + 1 if end_us is None else end_us, start_us + 1, start_us),
    )
    return (row["id"], row["class_id"]) if row else None


def undecided_sessions(store: Store, room: str, until_us: int) -> list[Session]:
    """What the keeper acts on: open sessions of `room`, and planned ones that start before `until_us`."""
    rows = store.rows(
        "SELECT * FROM session WHERE room = ? AND (state = 'open' OR"
        " (state = 'planned' AND planned_start_us < ?)) ORDER BY planned_start_us, id",
        (room, until_us),
    )
    return [session_of(row) for row in rows]


def present(store: Store, session_id: str) -> list[Present]:
    """Who was accepted in a session, in the order of arrival; trainees and teachers alike."""
    rows = store.rows(
        "SELECT c.person_id, p.name, e.role, c.at_us, c.method, c.simulated, (SELECT max(o.at_us)"
        " FROM check_in o WHERE o.session_id = c.session_id AND o.person_id = c.person_id"
        " AND o.outcome = 'checked_out') AS left_us FROM check_in c"
        " JOIN person p ON p.id = c.person_id JOIN session s ON s.id = c.session_id"
        " LEFT JOIN enrolment e ON e.class_id = s.class_id AND e.person_id = c.person_id"
        " WHERE c.session_id = ? AND c.outcome = 'accepted' ORDER BY c.at_us, c.id",
        (session_id,),
    )
    return [
        Present(
            r["person_id"], r["name"], r["role"], r["at_us"], r["method"], bool(r["simulated"]), r["left_us"]
        )
        for r in rows
    ]


def present_count(store: Store, session_id: str) -> int:
    """How many people the door accepted in a session: what the head count is compared with."""
    return store.number(
        "SELECT count(*) FROM check_in WHERE session_id = ? AND outcome = 'accepted'", (session_id,)
    )


LOOK_BACK_US = 3_600_000_000
"""How far back `last_people_us` looks: longer than any waiting time that depends on it."""


def last_people_us(store: Store, room: str, now_us: int) -> int | None:
    """When somebody was last seen within the past hour: by the head count, or by the door of `room`.

    Stamps after `now_us` come from before the wall clock was set back and prove nothing about now.
    """
    window = (now_us - LOOK_BACK_US, now_us)
    counted = store.row(
        "SELECT at_us FROM head_count WHERE at_us BETWEEN ? AND ? AND counted > 0"
        " ORDER BY at_us DESC LIMIT 1",
        window,
    )
    accepted = store.row(
        "SELECT max(c.at_us) AS at_us FROM check_in c JOIN session s ON s.id = c.session_id"
        " WHERE s.room = ? AND s.state = 'open' AND c.outcome = 'accepted' AND c.at_us BETWEEN ? AND ?",
        (room, *window),
    )
    found = [row["at_us"] for row in (counted, accepted) if row is not None and row["at_us"] is not None]
    return max(found, default=None)


def set_open(store: Store, session_id: str, at_us: int) -> bool:
    """planned → open; False when it was not planned any more. In the caller's transaction."""
    cursor = store.execute(
        "UPDATE session SET state = 'open', opened_us = ? WHERE id = ? AND state = 'planned'",
        (at_us, session_id),
    )
    return bool(cursor.rowcount == 1)


def set_closed(store: Store, session_id: str, at_us: int, reason: str) -> bool:
    """open → closed; False when it was not open any more. In the caller's transaction."""
    cursor = store.execute(
        "UPDATE session SET state = 'closed', closed_us = ?, close_reason = ?"
        " WHERE id = ? AND state = 'open'",
        (at_us, reason, session_id),
    )
    return bool(cursor.rowcount == 1)


def set_cancelled(store: Store, session_id: str, at_us: int, reason: str) -> bool:
    """planned → cancelled; False when it was not planned any more. In the caller's transaction."""
    cursor = store.execute(
        "UPDATE session SET state = 'cancelled', closed_us = ?, close_reason = ?"
        " WHERE id = ? AND state = 'planned'",
        (at_us, reason, session_id),
    )
    return bool(cursor.rowcount == 1)


def plan_again(store: Store, session: Session, new_id: str) -> None:
    """Plan the lesson of `session` once more: it was opened and closed under a wrong clock. In the caller's
    transaction."""
    store.insert(
        "session",
        {
            "id": new_id,
            "class_id": session.class_id,
            "room": session.room,
            "kind": session.kind,
            "planned_start_us": session.planned_start_us,
            "planned_end_us": session.planned_end_us,
            "class_hours": session.class_hours,
            "breaks": json.dumps(session.breaks),
            "state": "planned",
        },
    )


def _training_class(row: Row) -> TrainingClass:
    values = dict(row)
    for key in ("warnings", "other_rooms", "notices"):
        values[key] = tuple(json.loads(row[key]))
    for key in ("training_certificate", "hours_fixed_elsewhere"):
        values[key] = None if row[key] is None else bool(row[key])
    return TrainingClass(**values)

"""Suspicions and what was decided of them. Queries only; what raises them is agent/checkin/suspicion.py's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agent.store import check_ins
from agent.store.database import Row, Store

Kind = Literal["stranger", "attack", "one_face_two_people", "unregistered_teacher"]
State = Literal["open", "confirmed", "rejected"]
Decision = Literal["confirmed", "rejected", "reopened"]

IMPOSTORS: tuple[Kind, ...] = ("stranger", "attack", "one_face_two_people")
"""Kinds that count as impostor attendances (R7); a teacher of no register is R15's."""
MOST_SIGHTINGS = 6
NEAR_US = 3 * 60_000_000


@dataclass(frozen=True, slots=True)
class Sighting:
    """One answer of the door that raised a suspicion."""

    check_in_id: str
    at_us: int
    has_photo: bool
    person: str | None = None
    """Whom the door named, where it named one face as two people; '' after an erasure."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A suspicion with names for the page ('' after an erasure, None: nobody was named)."""

    id: str
    kind: Kind
    state: State
    session_id: str
    class_id: str
    class_title: str
    person: str | None
    other_person: str | None
    first_us: int
    last_us: int
    times: int
    simulated: bool
    account: str | None
    reason: str | None
    decided_us: int | None
    number: int | None
    """Of the newest decision."""
    sightings: tuple[Sighting, ...]
    """The newest, at most `MOST_SIGHTINGS`. Of one face as two people also what the other is present by: who
    judges compares the two."""
    typed_near: tuple[str, ...]
    """Of a stranger: who typed a number and PIN within `NEAR_US` of being seen. Whoever checks in without a
    face stands before the camera, too, and is nobody whom it knows."""


_SELECT = (
    "SELECT x.id, x.kind, x.state, x.session_id, s.class_id, k.title AS class_title, p.name AS person,"
    " o.name AS other_person, x.first_us, x.last_us, x.simulated, d.account, d.reason, d.decided_us,"
    " d.number, (SELECT count(*) FROM suspicion_sighting WHERE suspicion_id = x.id) AS times"
    " FROM suspicion x JOIN session s ON s.id = x.session_id JOIN class k ON k.id = s.class_id"
    " LEFT JOIN person p ON p.id = x.person_id LEFT JOIN person o ON o.id = x.other_person_id"
    " LEFT JOIN suspicion_decision d ON d.number ="
    " (SELECT max(number) FROM suspicion_decision WHERE suspicion_id = x.id)"
)


def suspicions(
    store: Store,
    *,
    session_id: str | None = None,
    states: tuple[State, ...] = ("open", "confirmed", "rejected"),
    limit: int = 100,
) -> list[Suspicion]:
    """Suspicions of a session or of all, open ones first, then the newest first."""
    marks = ", ".join("?" for _ in states)
    rows = store.rows(
        f"{_SELECT} WHERE (? IS NULL OR x.session_id = ?) AND x.state IN ({marks})"
        " ORDER BY x.state <> 'open', x.first_us DESC, x.id LIMIT ?",
        (session_id, session_id, *states, limit),
    )
    return [_suspicion(store, row) for row in rows]


def _suspicion(store: Store, row: Row) -> Suspicion:
    seen = store.rows(
        "SELECT c.id, c.at_us, f.id IS NOT NULL AS has_photo FROM suspicion_sighting t"
        " JOIN check_in c ON c.id = t.check_in_id"
        " LEFT JOIN photo f ON f.id = c.photo_id AND f.expired_us IS NULL"
        " WHERE t.suspicion_id = ? ORDER BY c.at_us DESC, c.id LIMIT ?",
        (row["id"], MOST_SIGHTINGS),
    )
    is_pair = row["kind"] == "one_face_two_people"
    named = row["person"] if is_pair else None
    sightings = tuple(Sighting(s["id"], s["at_us"], bool(s["has_photo"]), named) for s in seen)
    if is_pair:
        sightings += _of_the_other(store, row, row["other_person"])
    is_stranger = row["kind"] == "stranger" and row["person"] is None
    typed_near = _typed_near(store, row["id"]) if is_stranger else ()
    return Suspicion(
        **{**dict(row), "simulated": bool(row["simulated"])}, sightings=sightings, typed_near=typed_near
    )


def _of_the_other(store: Store, row: Row, name: str | None) -> tuple[Sighting, ...]:
    """The check-in by which the other of two people with one face is present."""
    found = store.rows(
        "SELECT c.id, c.at_us, f.id IS NOT NULL AS has_photo FROM suspicion x JOIN check_in c"
        " ON c.session_id = x.session_id AND c.person_id = x.other_person_id AND c.outcome = 'accepted'"
        " LEFT JOIN photo f ON f.id = c.photo_id AND f.expired_us IS NULL WHERE x.id = ?",
        (row["id"],),
    )
    return tuple(Sighting(s["id"], s["at_us"], bool(s["has_photo"]), name) for s in found)


def has_seen_enough(store: Store, token_sha256: bytes, suspicion_id: str) -> bool:
    """Whether a visitor opened what is left of the photos that a suspicion is judged by: a sighting's;
    of one face as two people also that by which the other is present, for one photo shows no pair."""
    row = store.row("SELECT * FROM suspicion WHERE id = ?", (suspicion_id,))
    if row is None:
        return True  # there is nothing to open: whoever decides is told that it is no suspicion
    seen = store.rows(
        "SELECT v.photo_id IS NOT NULL AS is_seen FROM suspicion_sighting t"
        " JOIN check_in c ON c.id = t.check_in_id JOIN photo p ON p.id = c.photo_id AND p.expired_us IS NULL"
        " LEFT JOIN photo_view v ON v.photo_id = p.id AND v.token_sha256 = ? WHERE t.suspicion_id = ?",
        (token_sha256, suspicion_id),
    )
    if seen and not any(one["is_seen"] for one in seen):
        return False
    if row["kind"] != "one_face_two_people":
        return True
    others = [one.check_in_id for one in _of_the_other(store, row, "") if one.has_photo]
    return all(check_ins.has_seen(store, token_sha256, one) for one in others)


def _typed_near(store: Store, suspicion_id: str) -> tuple[str, ...]:
    rows = store.rows(
        "SELECT DISTINCT p.name FROM suspicion_sighting t JOIN check_in c ON c.id = t.check_in_id"
        " JOIN check_in w ON w.session_id = c.session_id AND w.method = 'pin' AND w.outcome <> 'not_in_class'"
        " AND abs(w.at_us - c.at_us) <= ? JOIN person p ON p.id = w.person_id"
        " WHERE t.suspicion_id = ? AND p.name <> '' ORDER BY p.name",
        (NEAR_US, suspicion_id),
    )
    return tuple(row["name"] for row in rows)


def suspicion_row(store: Store, suspicion_id: str) -> Row | None:
    """Ids, kind, state, and the newest decision's number."""
    return store.row(
        "SELECT x.id, x.kind, x.state, x.session_id, x.simulated, s.class_id,"
        " (SELECT max(number) FROM suspicion_decision WHERE suspicion_id = x.id) AS number"
        " FROM suspicion x JOIN session s ON s.id = x.session_id WHERE x.id = ?",
        (suspicion_id,),
    )


def open_of_person(
    store: Store, kind: Kind, session_id: str, person_id: str | None, other_id: str | None, since_us: int
) -> str | None:
    """An undecided suspicion of the same kind and people in a session, last seen since `since_us`."""
    row = store.row(
        "SELECT id FROM suspicion WHERE kind = ? AND session_id = ? AND person_id IS ?"
        " AND other_person_id IS ? AND state = 'open' AND last_us >= ? ORDER BY first_us DESC LIMIT 1",
        (kind, session_id, person_id, other_id, since_us),
    )
    return None if row is None else row["id"]


def is_open(store: Store, suspicion_id: str, session_id: str) -> bool:
    """Whether a suspicion of the session is undecided."""
    row = store.row(
        "SELECT 1 FROM suspicion WHERE id = ? AND session_id = ? AND state = 'open'",
        (suspicion_id, session_id),
    )
    return row is not None


def cleared_in_class(store: Store, kind: Kind, class_id: str, person_id: str) -> bool:
    """Whether HR's newest word on such a suspicion about a person in a class was that it is not so."""
    row = store.row(
        "SELECT x.state FROM suspicion x JOIN session s ON s.id = x.session_id"
        " WHERE x.kind = ? AND s.class_id = ? AND x.person_id = ? AND x.state <> 'open'"
        " ORDER BY (SELECT max(number) FROM suspicion_decision WHERE suspicion_id = x.id) DESC LIMIT 1",
        (kind, class_id, person_id),
    )
    return row is not None and row["state"] == "rejected"


def times_seen(store: Store, suspicion_id: str) -> int:
    """How many answers of the door a suspicion rests on."""
    return store.number("SELECT count(*) FROM suspicion_sighting WHERE suspicion_id = ?", (suspicion_id,))


def see_again(store: Store, suspicion_id: str, check_in_id: str, at_us: int) -> None:
    """One more sighting; in the caller's transaction."""
    store.execute("UPDATE suspicion SET last_us = max(last_us, ?) WHERE id = ?", (at_us, suspicion_id))
    store.insert("suspicion_sighting", {"suspicion_id": suspicion_id, "check_in_id": check_in_id})


def confirmed_impostors(store: Store, class_id: str) -> int:
    """Impostor attendances confirmed in a class."""
    marks = ", ".join("?" for _ in IMPOSTORS)
    return store.number(
        "SELECT count(*) FROM suspicion x JOIN session s ON s.id = x.session_id"  # noqa: S608 (own words)
        f" WHERE s.class_id = ? AND x.state = 'confirmed' AND x.kind IN ({marks})",
        (class_id, *IMPOSTORS),
    )


def classes_with_confirmed_teachers(store: Store) -> list[tuple[str, int]]:
    """Title of each class with teachers confirmed to be in no register (R15), and how many."""
    rows = store.rows(
        "SELECT k.title, count(DISTINCT x.person_id) AS teachers FROM suspicion x"
        " JOIN session s ON s.id = x.session_id JOIN class k ON k.id = s.class_id"
        " WHERE x.state = 'confirmed' AND x.kind = 'unregistered_teacher' GROUP BY k.id ORDER BY k.id"
    )
    return [(row["title"], row["teachers"]) for row in rows]


def open_count(store: Store, session_id: str | None = None) -> int:
    """Undecided suspicions, of one session or of all."""
    return store.number(
        "SELECT count(*) FROM suspicion WHERE state = 'open' AND (:session IS NULL OR session_id = :session)",
        {"session": session_id},
    )


@dataclass(frozen=True, slots=True)
class Alarm:
    """A class whose alarm of R7 stands."""

    class_id: str
    title: str
    confirmed: int
    raised_us: int


def alarms(store: Store) -> list[Alarm]:
    """Every alarm that stands, the newest first."""
    rows = store.rows(
        "SELECT a.class_id, k.title, a.raised_us FROM impostor_alarm a JOIN class k ON k.id = a.class_id"
        " ORDER BY a.raised_us DESC, a.class_id"
    )
    return [
        Alarm(row["class_id"], row["title"], confirmed_impostors(store, row["class_id"]), row["raised_us"])
        for row in rows
    ]

"""What retention reads and writes of check-ins, photos and persons. Queries only."""

from __future__ import annotations

import json

from agent.clock import Stamp
from agent.store.database import Row, Store, Value


def sessions_with_photos(store: Store, classes: list[str], limit: int) -> list[str]:
    """Sessions of these classes that still have photos."""
    found = store.rows(
        "SELECT s.id FROM session s WHERE s.class_id IN (SELECT value FROM json_each(?))"
        " AND EXISTS (SELECT 1 FROM check_in c JOIN photo p ON p.id = c.photo_id"
        " WHERE c.session_id = s.id AND p.expired_us IS NULL) ORDER BY s.id LIMIT ?",
        (json.dumps(classes), limit),
    )
    return [row["id"] for row in found]


def class_of_session(store: Store, session_id: str) -> str:
    """The class of a session that exists."""
    return str(store.one("SELECT class_id FROM session WHERE id = ?", (session_id,))["class_id"])


def photos_of_session(store: Store, session_id: str, limit: int) -> list[Row]:
    """Photos that a session's answers name and that are not expired: id, sha256."""
    return store.rows(
        "SELECT DISTINCT p.id, p.sha256 FROM check_in c JOIN photo p ON p.id = c.photo_id"
        " WHERE c.session_id = ? AND p.expired_us IS NULL ORDER BY p.id LIMIT ?",
        (session_id, limit),
    )


def check_ins_of_session(store: Store, session_id: str) -> int:
    """How many answers the door gave in a session."""
    return store.number("SELECT count(*) FROM check_in WHERE session_id = ?", (session_id,))


def expire_photo(store: Store, photo_id: str, at_us: int) -> None:
    """A photo's retention is over; in the caller's transaction."""
    store.execute("UPDATE photo SET expired_us = ? WHERE id = ?", (at_us, photo_id))


def strangers_without_photos(store: Store, limit: int) -> list[str]:
    """Subjects who are nobody's name, all of whose photos are expired, and whose key still stands."""
    found = store.rows(
        "SELECT k.subject_id FROM person_key k WHERE k.purpose = 'evidence'"
        " AND NOT EXISTS (SELECT 1 FROM person n WHERE n.id = k.subject_id)"
        " AND EXISTS (SELECT 1 FROM photo p WHERE p.subject_id = k.subject_id)"
        " AND NOT EXISTS (SELECT 1 FROM photo p WHERE p.subject_id = k.subject_id AND p.expired_us IS NULL)"
        " LIMIT ?",
        (limit,),
    )
    return [row["subject_id"] for row in found]


def newest_faces(store: Store, people: list[str]) -> dict[str, int]:
    """Each of `people` with a template or an enrolment photo → when enrolled last, UTC microseconds.

    By the photo where there is one: templates are made anew from it when the engine changes.
    """
    found = store.rows(
        "SELECT p.value AS person_id, coalesce("
        " (SELECT max(created_us) FROM enrolment_photo WHERE person_id = p.value),"
        " (SELECT max(created_us) FROM template WHERE person_id = p.value)) AS newest"
        " FROM json_each(?) p",
        (json.dumps(people),),
    )
    return {row["person_id"]: int(row["newest"]) for row in found if row["newest"] is not None}


def stamps_of(store: Store, subject: str, at_us: int) -> list[Stamp]:
    """By which clock an import of a class (`class/ID`: who left it) or an enrolment (`person/UUID`) was given
    the stamp `at_us`; [] where its statement went with a lost database."""
    found = store.rows(
        "SELECT at_us, monotonic_ns, boot_id, clock_state FROM fact WHERE subject = ? AND at_us = ?"
        " AND type IN ('class.imported', 'person.enrolled') ORDER BY id",
        (subject, at_us),
    )
    return [Stamp(*row) for row in found]


def is_consent_withdrawn(store: Store, person_id: str) -> bool:
    """Whether somebody agreed once and does not any more."""
    found = store.row(
        "SELECT withdrawn_us FROM consent WHERE person_id = ? ORDER BY id DESC LIMIT 1", (person_id,)
    )
    return found is not None and found["withdrawn_us"] is not None


def people_with_faces(store: Store) -> list[str]:
    """Whoever has a template key."""
    rows = store.rows("SELECT subject_id FROM person_key WHERE purpose = 'template' ORDER BY subject_id")
    return [row["subject_id"] for row in rows]


def enrolments(store: Store, people: list[str]) -> dict[str, list[Row]]:
    """Each of `people` who is or was in a class → class_id, left_us (None: still in it)."""
    found: dict[str, list[Row]] = {}
    for row in store.rows(
        "SELECT person_id, class_id, left_us FROM enrolment"
        " WHERE person_id IN (SELECT value FROM json_each(?)) ORDER BY person_id, class_id",
        (json.dumps(people),),
    ):
        found.setdefault(row["person_id"], []).append(row)
    return found


def persons_of_classes(store: Store, classes: list[str], limit: int) -> list[str]:
    """Persons, not yet erased and without photos left, none of whose classes is another than these; neither a
    class that they are or were in, nor one at whose door they were answered."""
    found = store.rows(
        "SELECT p.id FROM person p WHERE p.erased_us IS NULL"
        " AND EXISTS (SELECT 1 FROM enrolment e WHERE e.person_id = p.id)"
        " AND NOT EXISTS (SELECT 1 FROM enrolment e WHERE e.person_id = p.id"
        " AND e.class_id NOT IN (SELECT value FROM json_each(:classes)))"
        " AND NOT EXISTS (SELECT 1 FROM check_in c JOIN session s ON s.id = c.session_id"
        " WHERE c.person_id = p.id AND s.class_id NOT IN (SELECT value FROM json_each(:classes)))"
        " AND NOT EXISTS (SELECT 1 FROM photo f WHERE f.subject_id = p.id AND f.expired_us IS NULL)"
        " ORDER BY p.id LIMIT :limit",
        {"classes": json.dumps(classes), "limit": limit},
    )
    return [row["id"] for row in found]


def classes_of_person(store: Store, person_id: str) -> set[str]:
    """Every class that a person is or was in, or was answered at the door of."""
    rows = store.rows(
        "SELECT class_id FROM enrolment WHERE person_id = :person"
        " UNION SELECT s.class_id FROM check_in c JOIN session s ON s.id = c.session_id"
        " WHERE c.person_id = :person",
        {"person": person_id},
    )
    return {row["class_id"] for row in rows}


def has_photos(store: Store, subject_id: str) -> bool:
    """Whether photos of a subject are still kept, which only their evidence key opens."""
    query = "SELECT 1 FROM photo WHERE subject_id = ? AND expired_us IS NULL LIMIT 1"
    return store.row(query, (subject_id,)) is not None


def erase_person(store: Store, person_id: str, at_us: int) -> None:
    """Name and number of a person, the PIN, whose number others may have, and what people wrote of the person
    and of the classes that the person was in, which are over; in the caller's transaction."""
    store.execute("DELETE FROM pin WHERE person_id = ?", (person_id,))
    _erase_words(store, person_id)
    store.execute(
        "UPDATE person SET name = '', id_number_sealed = NULL, id_number_last4 = NULL, erased_us = ?"
        " WHERE id = ?",
        (at_us, person_id),
    )


def _erase_words(store: Store, person_id: str) -> None:
    """Reasons are free text, and people write names into them."""
    person: dict[str, Value] = {"person": person_id}
    classes = "SELECT class_id FROM enrolment WHERE person_id = :person"
    for statement in (
        "UPDATE attendance_correction SET reason = '' WHERE person_id = :person",
        "UPDATE check_in_decision SET reason = '' WHERE check_in_id IN"
        " (SELECT id FROM check_in WHERE person_id = :person)",
        "UPDATE suspicion_decision SET reason = '' WHERE suspicion_id IN"
        " (SELECT id FROM suspicion WHERE :person IN (person_id, other_person_id))",
        f"UPDATE timetable_edit SET reason = '' WHERE class_id IN ({classes})",  # noqa: S608 (own words)
        # A person's verdict is told from the device's by its reason: a dash stays.
        "UPDATE visibility_verdict SET reason = '–' WHERE decided_by <> 'device' AND session_id IN"  # noqa: S608
        f" (SELECT id FROM session WHERE class_id IN ({classes}))",
    ):
        store.execute(statement, person)

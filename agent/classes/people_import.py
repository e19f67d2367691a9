"""The people of a class document: who is new, who is the same as before, who has left.

A person is the same when the ID number is (in any class), else when the name is (in this class). ID numbers
are sealed under the person's evidence key; the last four digits alone are readable.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from agent.classes.document import ClassDocument, Teacher, Trainee
from agent.clock import Stamp
from agent.store import classes as table
from agent.store.classes import Person, PersonRole
from agent.store.database import Store
from agent.store.vault import Vault


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the document's people."""

    row: Trainee | Teacher
    role: PersonRole
    known: str | None
    """Id of the person who this is; None: somebody new."""


@dataclass(frozen=True, slots=True)
class PeoplePlan:
    """What taking the document in would do to the people of its class."""

    entries: tuple[Entry, ...]
    before: Mapping[str, Person]
    """The class's people until now by id, those too who left."""
    leaving: tuple[Person, ...]


def plan_people(store: Store, vault: Vault, document: ClassDocument) -> PeoplePlan:
    """Whom the rows mean. Writes nothing. VaultError when an ID number's key cannot be used."""
    before = {
        person.id: person for person in table.people_of(store, document.training_class.id, also_left=True)
    }
    wanted: list[tuple[Trainee | Teacher, PersonRole]] = [
        *((trainee, "trainee") for trainee in document.trainees),
        *((teacher, "teacher") for teacher in document.teachers),
    ]
    entries: list[Entry] = []
    taken: set[str] = set()
    for row, role in wanted:
        known = _known_person(store, vault, row, before, taken)
        if known is not None:
            taken.add(known)
        entries.append(Entry(row, role, known))
    leaving = tuple(one for one in before.values() if one.id not in taken and one.left_us is None)
    return PeoplePlan(tuple(entries), before, leaving)


def write_people(store: Store, vault: Vault, stamp: Stamp, document: ClassDocument) -> dict[str, int]:
    """Create, keep and take leave of the people of a class; counts for the report. In the caller's
    transaction."""
    class_id = document.training_class.id
    plan = plan_people(store, vault, document)
    added = 0
    for entry in plan.entries:
        person_id = entry.known
        if person_id is None:
            person_id = str(uuid.uuid4())
            store.insert("person", {"id": person_id, "name": entry.row.name, "created_us": stamp.wall_us})
            added += 1
        else:
            store.execute("UPDATE person SET name = ? WHERE id = ?", (entry.row.name, person_id))
        _seal_id_number(store, vault, person_id, entry.row.id_number)
        store.execute(
            "INSERT INTO enrolment (class_id, person_id, role, away) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (class_id, person_id) DO UPDATE SET role = excluded.role, left_us = NULL,"
            " away = excluded.away",
            (class_id, person_id, entry.role, json.dumps(_away(plan, person_id, stamp.wall_us))),
        )
    for person in plan.leaving:
        store.execute(
            "UPDATE enrolment SET left_us = ? WHERE class_id = ? AND person_id = ?",
            (stamp.wall_us, class_id, person.id),
        )
    return {
        "people_added": added,
        "people_kept": len({entry.known for entry in plan.entries} - {None}),
        "people_left": len(plan.leaving),
    }


def _away(plan: PeoplePlan, person_id: str, now_us: int) -> list[tuple[int, int]]:
    """When whom the document names was not in the class: the first list that a class has is its beginning,
    and by this database's clock, like the leaving, which the attendance table holds against lessons."""
    if not plan.before:
        return []
    before = plan.before.get(person_id)
    if before is None:
        return [(0, now_us)]
    return [*before.away, *([] if before.left_us is None else [(before.left_us, now_us)])]


def _known_person(
    store: Store,
    vault: Vault,
    entry: Trainee | Teacher,
    before: Mapping[str, table.Person],
    taken: set[str],
) -> str | None:
    if entry.id_number is not None:
        found = _person_with(store, vault, entry.id_number)
        if found is not None:
            return found
    same_name = [
        person.id
        for person in before.values()
        # Somebody else's ID number under the same name is somebody else.
        if person.name == entry.name
        and person.id not in taken
        and (entry.id_number is None or person.id_number_last4 is None)
    ]
    return same_name[0] if len(same_name) == 1 else None


def _person_with(store: Store, vault: Vault, id_number: str) -> str | None:
    """The person whose sealed ID number this is; the last four digits narrow the search."""
    rows = store.rows(
        "SELECT id, id_number_sealed FROM person"
        " WHERE id_number_last4 = ? AND id_number_sealed IS NOT NULL AND erased_us IS NULL",
        (id_number[-4:],),
    )
    for row in rows:
        # Without the key nobody can be matched any more: it was destroyed on purpose (I7).
        if (
            vault.has_key(store, row["id"], "evidence")
            and vault.open(store, row["id"], "evidence", row["id_number_sealed"]) == id_number.encode()
        ):
            return str(row["id"])
    return None


def _seal_id_number(store: Store, vault: Vault, person_id: str, id_number: str | None) -> None:
    if id_number is None:
        return
    vault.create_person_key(store, person_id, "evidence")
    store.execute(
        "UPDATE person SET id_number_sealed = ?, id_number_last4 = ? WHERE id = ?",
        (vault.seal(store, person_id, "evidence", id_number.encode()), id_number[-4:], person_id),
    )

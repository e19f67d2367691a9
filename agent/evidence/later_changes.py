"""What the record log knows of later than a database that was put back: an older state must not undo it.

A snapshot or an older database file brings back a consent that was withdrawn since, the name of a person who
was erased, a class without the hold that HR placed, and the password that HR changed. The log tells of each.
The order of its records decides, not their times: a clock may have been set in between. What stands here only
takes rights away or keeps evidence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.evidence import log_holds
from agent.evidence.record import RecordError, read_record
from agent.store import checkin_retention, records, templates
from agent.store.database import Store
from agent.store.facts import FactType


@dataclass(frozen=True, slots=True)
class _Event:
    sequence: int
    kind: str
    subject: str
    time_us: int
    fact: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LaterChanges:
    """What was done again, in numbers and ids."""

    consents: int = 0
    erased: int = 0
    holds: tuple[str, ...] = ()
    """Classes on hold again."""
    holds_of_unknown_classes: tuple[str, ...] = ()
    """On hold by the log's word; the row comes when the class is imported again."""
    password_is_void: bool = False
    """An older password had come back; HR sets a new one with a setup code."""
    revision: int = 0
    """HR's newest revision that the log knows of; 0 when the database has it."""


def apply(store: Store) -> LaterChanges:
    """Bring the database up to what the log says, in the caller's transaction. sqlite3.Error."""
    consents, erased, holds = _withdraw(store), _erase(store), log_holds.reinstate(store)
    return LaterChanges(
        consents, erased, holds.on_hold, holds.unknown, _void_password(store), _newer_revision(store)
    )


def _withdraw(store: Store) -> int:
    """Who enrolled last after a withdrawal agreed again; everyone else's withdrawal stands (I7), even where
    the face then went with its class, too. A face that went with its class comes back no more either; its
    person's consent stands."""
    count = 0
    agreed = _newest_by_subject(store, FactType.CONSENT_WITHDRAWN, FactType.PERSON_ENROLLED)
    faces = _newest_by_subject(
        store, FactType.CONSENT_WITHDRAWN, FactType.FACE_EXPIRED, FactType.PERSON_ENROLLED
    )
    for subject, event in faces.items():
        if event.kind == FactType.PERSON_ENROLLED:
            continue
        person = subject.removeprefix("person/")
        templates.delete_of(store, person)
        store.execute("DELETE FROM person_key WHERE subject_id = ? AND purpose = 'template'", (person,))
    for subject, event in agreed.items():
        if event.kind == FactType.PERSON_ENROLLED:
            continue
        count += store.execute(
            "UPDATE consent SET withdrawn_us = ? WHERE person_id = ? AND withdrawn_us IS NULL",
            (event.time_us, subject.removeprefix("person/")),
        ).rowcount
    return count


def _erase(store: Store) -> int:
    count = 0
    for event in _events(store, FactType.PERSON_ERASED):
        person = event.subject.removeprefix("person/")
        if store.row("SELECT 1 FROM person WHERE id = ? AND erased_us IS NULL", (person,)) is None:
            continue
        templates.delete_of(store, person)
        store.execute("DELETE FROM person_key WHERE subject_id = ?", (person,))
        checkin_retention.erase_person(store, person, event.time_us)
        count += 1
    return count


def _void_password(store: Store) -> bool:
    """HR changed the password since: the old one must open nothing, whoever knew it (I10)."""
    events = list(_events(store, FactType.PASSWORD_SET))
    row = store.row("SELECT id, set_us FROM hr_credential ORDER BY id DESC LIMIT 1")
    if not events or row is None or _waiting(store, events, FactType.PASSWORD_SET):
        return False  # or HR has set one since
    newest = events[-1]
    # By its time too: numbers begin anew after a loss without a snapshot.
    if (row["id"], row["set_us"]) == (newest.fact.get("credential"), newest.time_us):
        return False
    store.execute("DELETE FROM hr_credential")
    store.execute("DELETE FROM web_session")
    return True


def _newer_revision(store: Store) -> int:
    stated = max(
        (int(event.fact.get("revision", 0)) for event in _events(store, FactType.CONFIGURATION_APPLIED)),
        default=0,
    )
    here = store.number("SELECT coalesce(max(revision), 0) FROM configuration")
    return stated if stated > here else 0


def _newest_by_subject(store: Store, *kinds: FactType) -> dict[str, _Event]:
    """Of each subject the last event, the ledger's or one that waits for it."""
    signed = [event for kind in kinds for event in _events(store, kind)]
    signed.sort(key=lambda event: event.sequence)
    return {event.subject: event for event in (*signed, *_waiting(store, signed, *kinds))}


def _waiting(store: Store, signed: Sequence[_Event], *kinds: FactType) -> list[_Event]:
    """What was stated since the database was put back and waits for the ledger. What waited already when that
    database was set aside was signed meanwhile, and the log goes on after it."""
    known = {(event.kind, event.subject, event.time_us) for event in signed}
    return [
        _Event(2**62, fact["type"], fact["subject"], fact["at_us"], {})
        for fact in records.pending_of(store, kinds)
        if (fact["type"], fact["subject"], fact["at_us"]) not in known
    ]


def _events(store: Store, kind: FactType) -> Iterator[_Event]:
    for record in records.of_type_read(store, kind):
        try:
            event = read_record(record.jws, None).event
        except RecordError:
            continue  # an altered record says nothing; the ledger names it
        yield _Event(record.sequence, kind, event.subject, record.time_us, event.data.fact)

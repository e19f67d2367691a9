"""Faces go before the evidence does (I7): templates and enrolment photos, with the key that opens them, some
days after the end of the last class that their person is in.

Check-in photos stay under the evidence key until their years end (checkin_retention.py). A class that is not
over, has no end that is known, or is on hold keeps the faces of its people; who left a class is kept as long
from that day on.
"""

from __future__ import annotations

from datetime import date
from typing import Final

from agent.archive.entitlement import last_day, midnight_us
from agent.clock import Stamp
from agent.configuration.document import current_configuration
from agent.evidence import log_holds
from agent.log import get_logger
from agent.store import checkin_retention as rows
from agent.store import templates
from agent.store.clock import Vouch
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.store.vault import Vault

PERSONS_AT_ONCE: Final = 20
"""One new wrapping key for so many: every other person's keys are wrapped anew by it."""
_DAY_US: Final = 86_400_000_000

log = get_logger(__name__)


class _NeededAgainError(Exception):
    """Between looking and locking, one of them came into a class that is not over, or on hold."""


def expire_faces(store: Store, vault: Vault, stamp: Stamp, vouch: Vouch, *, simulated: bool) -> int:
    """Do a bounded piece; how many people's faces were destroyed (0: none is due). ConfigurationError,
    VaultError."""
    people = sorted(faces_due(store, stamp, vouch, rows.people_with_faces(store)))[:PERSONS_AT_ONCE]
    if not people:
        return 0

    def forget() -> None:
        still_due = faces_due(store, stamp, vouch, people)
        for person_id in people:
            if person_id not in still_due:
                raise _NeededAgainError
            templates.delete_of(store, person_id)
            data = {
                "due_us": still_due[person_id],
                "vouched_by": vouch.by,
                "uncertainty_us": vouch.uncertainty_us,
            }
            state_fact(store, stamp, Fact(FactType.FACE_EXPIRED, f"person/{person_id}", simulated, data))

    try:
        vault.destroy_all(store, people, "template", forget)
    except _NeededAgainError:
        return 0
    log.info("retention.faces-expired", people=len(people))
    return len(people)


def faces_due(store: Store, stamp: Stamp, vouch: Vouch, people: list[str]) -> dict[str, int]:
    """Of `people`: person → when their face was due to go (UTC, microseconds), where it surely was: the clock
    may be wrong by what its word leaves open (R20)."""
    grace_us = current_configuration(store).retention.face_days * _DAY_US
    over, held = {}, set()
    for training in log_holds.trainings(store):
        last = last_day(training)
        if isinstance(last, date):
            over[training.class_id] = midnight_us(last) + grace_us
        elif last == "hold":
            held.add(training.class_id)
    newest = rows.newest_faces(store, people)
    found = {}
    for person_id, of_classes in rows.enrolments(store, people).items():
        ends = [
            each["left_us"] + grace_us
            if each["left_us"] is not None and each["class_id"] not in held
            else over.get(each["class_id"])
            for each in of_classes
        ]
        known = [end for end in ends if end is not None]
        if person_id in newest:  # enrolled before the next class was entered
            ends.append(newest[person_id] + grace_us)
            known.append(ends[-1])
        if len(known) == len(ends) and max(known) <= stamp.wall_us - vouch.uncertainty_us:
            found[person_id] = max(known)
    return found

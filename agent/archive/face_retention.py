"""Faces go before the evidence does (I7): templates and enrolment photos, with the key that opens them, some
days after the end of the last class that their person is in.

Check-in photos stay under the evidence key until their years end (checkin_retention.py). A class that is not
over (`face_need`) or is on hold keeps the faces of its people; who left a class is kept as long from that day
on, when a clock that somebody answers for stamped it.
"""

from __future__ import annotations

from typing import Final

from agent.archive.face_need import DAY_US, QUIET_US, needed_until_us
from agent.clock import Stamp
from agent.configuration.document import current_configuration
from agent.evidence import log_holds
from agent.log import get_logger
from agent.store import checkin_retention as rows
from agent.store import courses as table
from agent.store import templates
from agent.store.clock import Vouch, latest_us
from agent.store.database import Row, Store
from agent.store.facts import Fact, FactType, state_fact
from agent.store.vault import Vault

PERSONS_AT_ONCE: Final = 20
"""One new wrapping key for so many: every other person's keys are wrapped anew by it."""

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
            if rows.is_consent_withdrawn(store, person_id):
                continue  # in this very moment, which says more
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
    now_us = stamp.wall_us - vouch.uncertainty_us
    ends = faces_until(store, now_us, people)
    return {person: end for person, end in ends.items() if end is not None and end <= now_us}


def faces_until(store: Store, now_us: int, people: list[str]) -> dict[str, int | None]:
    """Of `people`: person → when their face is to go (UTC, microseconds), as things stand at `now_us`; None
    while no end is in sight."""
    grace_us = current_configuration(store).retention.face_days * DAY_US
    trainings = log_holds.trainings(store)
    courses = table.courses(store)
    over = {
        training.class_id: needed_until_us(training, courses[training.class_id], now_us, grace_us)
        for training in trainings
        if training.class_id in courses  # else its import was undone in between
    }
    held = {training.class_id for training in trainings if training.on_hold}
    newest = rows.newest_faces(store, people)
    found: dict[str, int | None] = {}
    for person_id, of_classes in rows.enrolments(store, people).items():
        ends = []
        for each in of_classes:
            left_us = None if each["class_id"] in held else _left_us(store, each)
            ends.append(over.get(each["class_id"]) if left_us is None else left_us + grace_us)
        if person_id in newest:  # enrolled before the next class was entered
            made_us = _vouched_us(store, f"person/{person_id}", newest[person_id])
            ends.append(newest[person_id] + QUIET_US if made_us is None else made_us + grace_us)
        known = [end for end in ends if end is not None]
        found[person_id] = max(known) if known and len(known) == len(ends) else None
    return found


def _left_us(store: Store, enrolment: Row) -> int | None:
    """When somebody left a class; None who did not, or did by a clock for which nobody answers: then they are
    judged as whoever stays."""
    if enrolment["left_us"] is None:
        return None
    return _vouched_us(store, f"class/{enrolment['class_id']}", enrolment["left_us"])


def _vouched_us(store: Store, subject: str, at_us: int) -> int | None:
    """The true time of a stamp, the latest that it can be; None where nobody answers for the clock (I8)."""
    found = [latest_us(store, stamp) for stamp in rows.stamps_of(store, subject, at_us)]
    known = [each for each in found if each is not None]
    return max(known) if known and len(known) == len(found) else None

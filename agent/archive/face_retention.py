"""Faces go before the evidence does (I7): templates and enrolment photos, with the key that opens them, some
days after the end of the last class that their person is in.

Check-in photos stay under the evidence key until their years end (checkin_retention.py). A class that is not
over (`face_need`), owes something (`face_owed`) or is on hold keeps the faces of its people; who left a class
is kept as long from that day on, when a clock that somebody answers for stamped it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from agent.archive.face_need import DAY_US, QUIET_US, needed_until_us
from agent.archive.face_owed import Debt, debt_of
from agent.clock import Stamp
from agent.configuration.document import current_configuration
from agent.evidence import log_holds
from agent.log import get_logger
from agent.policy import Policies
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


Why = Literal["class_over", "examination", "make_up", "needed"]


@dataclass(frozen=True, slots=True)
class Until:
    """How long a face is kept."""

    due_us: int | None
    """UTC, microseconds; None while no end is in sight."""
    why: Why


class _NeededAgainError(Exception):
    """Between looking and locking, one of them came into a class that is not over, or on hold."""


def expire_faces(
    store: Store, vault: Vault, stamp: Stamp, vouch: Vouch, policies: Policies, *, simulated: bool
) -> int:
    """Do a bounded piece; how many people's faces were destroyed (0: none is due). ConfigurationError,
    VaultError."""
    held = rows.people_with_faces(store)
    people = sorted(faces_due(store, stamp, vouch, policies, held, simulated=simulated))[:PERSONS_AT_ONCE]
    if not people:
        return 0

    def forget() -> None:
        still_due = faces_due(store, stamp, vouch, policies, people, simulated=simulated)
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


def faces_due(
    store: Store, stamp: Stamp, vouch: Vouch, policies: Policies, people: list[str], *, simulated: bool
) -> dict[str, int]:
    """Of `people`: person → when their face was due to go (UTC, microseconds), where it surely was: the clock
    may be wrong by what its word leaves open (R20)."""
    now_us = stamp.wall_us - vouch.uncertainty_us
    ends = faces_until(store, now_us, policies, people, simulated=simulated)
    found = {person: until.due_us for person, until in ends.items() if until.due_us is not None}
    return {person: due_us for person, due_us in found.items() if due_us <= now_us}


def faces_until(
    store: Store,
    now_us: int,
    policies: Policies,
    people: list[str],
    *,
    simulated: bool,
    foresee: bool = False,
) -> dict[str, Until]:
    """Of `people`: person → how long their face is kept, as things stand at `now_us`. `simulated`: check-ins
    by a camera that is not a live one count for who missed what. `foresee`: what a class owes is asked before
    its people's faces are due, too."""
    grace_us = current_configuration(store).retention.face_days * DAY_US
    trainings = log_holds.trainings(store)
    courses = table.courses(store)
    over = {
        training.class_id: needed_until_us(training, courses[training.class_id], now_us, grace_us)
        for training in trainings
        if training.class_id in courses  # else its import was undone in between
    }
    held = {training.class_id for training in trainings if training.on_hold}
    debts: dict[str, Debt | None] = {}
    by_id = {training.class_id: training for training in trainings}

    def debt(class_id: str, end_us: int | None) -> Debt | None:
        """Asked where the answer matters alone: a class is reckoned whole for it."""
        if end_us is None or class_id not in over or (end_us > now_us and not foresee):
            return None
        if class_id not in debts:
            course = courses[class_id]
            debts[class_id] = debt_of(store, policies, by_id[class_id], course, now_us, simulated=simulated)
        return debts[class_id]

    newest = rows.newest_faces(store, people)
    found: dict[str, Until] = {}
    for person_id, of_classes in rows.enrolments(store, people).items():
        ends: list[tuple[int | None, Why]] = []
        for each in of_classes:
            class_id = each["class_id"]
            left_us = None if class_id in held else _left_us(store, each)
            end_us = over.get(class_id) if left_us is None else left_us + grace_us
            ends.append((end_us, "class_over"))
            owed = debt(class_id, end_us) if left_us is None else None
            if owed is not None and (what := owed.of(person_id)) is not None:
                ends.append((owed.until_us, what))
        if person_id in newest:  # enrolled before the next class was entered
            made_us = _vouched_us(store, f"person/{person_id}", newest[person_id])
            own_us = newest[person_id] + QUIET_US if made_us is None else made_us + grace_us
            ends.append((own_us, "class_over"))
        known = [(end_us, why) for end_us, why in ends if end_us is not None]
        is_known = known and len(known) == len(ends)
        found[person_id] = Until(*max(known)) if is_known else Until(None, "needed")
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

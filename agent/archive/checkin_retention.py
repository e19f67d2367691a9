"""Retention of check-ins (R8, I7): after a class's years its photos are destroyed, then its people's names.

Photos first, by session, stated with their hashes; then each person none of whose classes is within retention
any more: template and evidence keys are destroyed with the rotation of the key that wrapped them
(`agent.store.vault`), name and number erased. The rows of check-ins stay: they carry random ids alone, and
the log still verifies.
"""

from __future__ import annotations

from typing import Final

from agent.archive.expiry import classes_over
from agent.archive.photo_expiry import PhotoKind, expire_photos_of
from agent.clock import Stamp
from agent.log import get_logger
from agent.policy import Policies
from agent.store import checkin_retention as rows
from agent.store import templates
from agent.store.clock import Vouch
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.store.vault import Vault

SESSIONS_AT_ONCE = 10
PERSONS_AT_ONCE = 3
"""Each destruction wraps every other person's keys anew: about a tenth of a second on a Pi."""
PHOTOS: Final = PhotoKind(
    "check_in_record_retention",
    FactType.CHECK_INS_EXPIRED,
    "photos",
    rows.photos_of_session,
    lambda store, session_id: {"check_ins": rows.check_ins_of_session(store, session_id)},
)

log = get_logger(__name__)


class _NeededAgainError(Exception):
    """Between looking and locking, the person came into a class whose retention runs, or to its door."""


def expire_check_ins(
    store: Store, vault: Vault, stamp: Stamp, vouch: Vouch, policies: Policies, *, simulated: bool
) -> int:
    """Do a bounded piece; how much was done (0: nothing is due). ConfigurationError, VaultError."""
    over = classes_over(store, stamp, vouch, policies, PHOTOS.subject)
    if not over:
        return 0
    done = 0
    for session_id in rows.sessions_with_photos(store, sorted(over), SESSIONS_AT_ONCE):
        done += expire_photos_of(store, stamp, vouch, policies, session_id, PHOTOS, simulated=simulated)
    if done:
        return done
    for subject_id in rows.strangers_without_photos(store, PERSONS_AT_ONCE):
        done += _forget_stranger(store, vault, subject_id)
    for person_id in rows.persons_of_classes(store, sorted(over), PERSONS_AT_ONCE):
        done += _erase(store, vault, stamp, vouch, policies, person_id, simulated=simulated)
    return done


def _forget_stranger(store: Store, vault: Vault, subject_id: str) -> int:
    def still_over() -> None:
        if rows.has_photos(store, subject_id):
            raise _NeededAgainError

    try:
        vault.destroy(store, subject_id, "evidence", still_over)
    except _NeededAgainError:
        return 0
    return 1


def _erase(
    store: Store,
    vault: Vault,
    stamp: Stamp,
    vouch: Vouch,
    policies: Policies,
    person_id: str,
    *,
    simulated: bool,
) -> int:
    def still_over() -> int:
        over = classes_over(store, stamp, vouch, policies, PHOTOS.subject)
        classes = rows.classes_of_person(store, person_id)
        if not classes or not classes <= over.keys() or rows.has_photos(store, person_id):
            raise _NeededAgainError
        return max(over[class_id] for class_id in classes)

    def erase() -> None:
        due_us = still_over()
        rows.erase_person(store, person_id, stamp.wall_us)
        data = {"due_us": due_us, "vouched_by": vouch.by, "uncertainty_us": vouch.uncertainty_us}
        state_fact(store, stamp, Fact(FactType.PERSON_ERASED, f"person/{person_id}", simulated, data))

    def forget_templates() -> None:
        still_over()
        templates.delete_of(store, person_id)

    try:
        vault.destroy(store, person_id, "template", forget_templates)
        vault.destroy(store, person_id, "evidence", erase)
    except _NeededAgainError:
        return 0
    log.info("retention.person-erased", person=person_id)
    return 1

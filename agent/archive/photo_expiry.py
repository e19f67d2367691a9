"""The photos of a lesson, once their retention is over: stated with their hashes, then removed (R8)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from agent.archive.entitlement import Subject
from agent.archive.expiry import classes_over
from agent.clock import Stamp
from agent.log import get_logger
from agent.policy import Policies
from agent.store import checkin_retention, files_to_remove
from agent.store.clock import Vouch
from agent.store.database import Row, Store
from agent.store.facts import Fact, FactType, state_fact

PHOTOS_AT_ONCE: Final = 500

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PhotoKind:
    """Photos that go together."""

    subject: Subject
    """The notices' retention that they are kept by."""
    expired: FactType
    name: str
    """Of the list of photos in the fact."""
    photos_of: Callable[[Store, str, int], list[Row]]
    """Store, session and how many at most → `id`, `sha256` of those that are left."""
    counts_of: Callable[[Store, str], Mapping[str, int]] | None = None
    """What else the fact says of the session."""


def expire_photos_of(
    store: Store,
    stamp: Stamp,
    vouch: Vouch,
    policies: Policies,
    session_id: str,
    kind: PhotoKind,
    *,
    simulated: bool,
) -> int:
    """1 when photos of the session went, else 0; judged again under the lock. ConfigurationError."""
    with store.transaction():
        class_id = checkin_retention.class_of_session(store, session_id)
        due_us = classes_over(store, stamp, vouch, policies, kind.subject).get(class_id)
        if due_us is None:
            return 0
        photos = kind.photos_of(store, session_id, PHOTOS_AT_ONCE)
        for photo in photos:
            checkin_retention.expire_photo(store, photo["id"], stamp.wall_us)
            files_to_remove.put(store, files_to_remove.PHOTOS, f"{photo['id']}.sealed", stamp.wall_us)
        data = {
            "session": session_id,
            kind.name: [{"photo": photo["id"], "sha256": photo["sha256"].hex()} for photo in photos],
            "due_us": due_us,
            "vouched_by": vouch.by,
            "uncertainty_us": vouch.uncertainty_us,
            **(kind.counts_of(store, session_id) if kind.counts_of is not None else {}),
        }
        subject = f"session/{session_id}"
        fact = Fact(kind.expired, subject, simulated, data, class_id=class_id, session_id=session_id)
        state_fact(store, stamp, fact)
    log.info("retention.photos-expired", kind=kind.name, session=session_id, photos=len(photos))
    return 1

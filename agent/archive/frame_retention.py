"""Retention of the pictures that verdicts rest on: they go when the footage of their class does (R8, I7).

Stated with their hashes, then removed; the key under which they were sealed is destroyed with those of the
door's strangers (`agent.archive.checkin_retention`): both are nobody's by name.
"""

from __future__ import annotations

from agent.archive.expiry import classes_over
from agent.clock import Stamp
from agent.log import get_logger
from agent.policy import Policies
from agent.store import checkin_retention as rows
from agent.store import files_to_remove, visibility
from agent.store.clock import Vouch
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact

SESSIONS_AT_ONCE = 10

log = get_logger(__name__)


def expire_verdict_frames(
    store: Store, stamp: Stamp, vouch: Vouch, policies: Policies, *, simulated: bool
) -> int:
    """Do a bounded piece; how many lessons were done (0: nothing is due). ConfigurationError."""
    over = classes_over(store, stamp, vouch, policies, "video_retention")
    if not over:
        return 0
    sessions = visibility.sessions_with_frames(store, sorted(over), SESSIONS_AT_ONCE)
    return sum(_expire(store, stamp, vouch, policies, session, simulated=simulated) for session in sessions)


def _expire(
    store: Store, stamp: Stamp, vouch: Vouch, policies: Policies, session_id: str, *, simulated: bool
) -> int:
    with store.transaction():
        class_id = rows.class_of_session(store, session_id)
        # Again, under the lock.
        over = classes_over(store, stamp, vouch, policies, "video_retention")
        due_us = over.get(class_id)
        if due_us is None:
            return 0
        photos = visibility.kept_photos_of_session(store, session_id, 500)
        for photo in photos:
            rows.expire_photo(store, photo["id"], stamp.wall_us)
            files_to_remove.put(store, files_to_remove.PHOTOS, f"{photo['id']}.sealed", stamp.wall_us)
        data = {
            "session": session_id,
            "frames": [{"photo": photo["id"], "sha256": photo["sha256"].hex()} for photo in photos],
            "due_us": due_us,
            "vouched_by": vouch.by,
            "uncertainty_us": vouch.uncertainty_us,
        }
        fact = Fact(
            FactType.VERDICT_FRAMES_EXPIRED,
            f"session/{session_id}",
            simulated,
            data,
            class_id=class_id,
            session_id=session_id,
        )
        state_fact(store, stamp, fact)
    log.info("retention.frames-expired", session=session_id, frames=len(photos))
    return 1

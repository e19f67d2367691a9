"""Retention of the pictures that verdicts rest on: they go when the footage of their class does (R8, I7).

The key under which they were sealed is destroyed with those of the door's strangers
(`agent.archive.checkin_retention`): both are nobody's by name.
"""

from __future__ import annotations

from typing import Final

from agent.archive.expiry import classes_over
from agent.archive.photo_expiry import PhotoKind, expire_photos_of
from agent.clock import Stamp
from agent.policy import Policies
from agent.store import visibility
from agent.store.clock import Vouch
from agent.store.database import Store
from agent.store.facts import FactType

SESSIONS_AT_ONCE: Final = 10
FRAMES: Final = PhotoKind(
    "video_retention", FactType.VERDICT_FRAMES_EXPIRED, "frames", visibility.kept_photos_of_session
)


def expire_verdict_frames(
    store: Store, stamp: Stamp, vouch: Vouch, policies: Policies, *, simulated: bool
) -> int:
    """Do a bounded piece; how many lessons were done (0: nothing is due). ConfigurationError."""
    over = classes_over(store, stamp, vouch, policies, FRAMES.subject)
    if not over:
        return 0
    sessions = visibility.sessions_with_frames(store, sorted(over), SESSIONS_AT_ONCE)
    return sum(
        expire_photos_of(store, stamp, vouch, policies, session, FRAMES, simulated=simulated)
        for session in sessions
    )

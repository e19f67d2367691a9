"""What the door works with now: the room's open session, HR's thresholds, the gallery.

Re-read when another process has committed something, and replaced only when it really changed: a new
gallery makes everybody in the picture be looked at anew.
"""

from __future__ import annotations

from agent.checkin.gallery import Gallery, GalleryLoader
from agent.checkin.thresholds import CheckinThresholds
from agent.configuration.document import current_configuration
from agent.store import classes
from agent.store.database import Store


def thresholds_in_force(store: Store) -> CheckinThresholds:
    """HR's revision in force (its ranges are checked there). ConfigurationError when it cannot be read."""
    wanted = current_configuration(store).checkin
    return CheckinThresholds(
        false_match_rate=wanted.false_match_rate,
        match_distance=wanted.match_threshold,
        margin=wanted.margin,
        min_face_px=wanted.minimum_face_px,
        frames_that_agree=wanted.frames_that_agree,
        liveness=wanted.liveness,
    )


class Situation:
    """Polled once a second; each `refresh` costs one pragma while nothing changes."""

    def __init__(self, store: Store, loader: GalleryLoader, room: str) -> None:
        self._store = store
        self._loader = loader
        self._room = room
        self._data_version: int | None = None
        self.session: classes.Session | None = None
        self.gallery = Gallery([], {})
        self.unreadable_templates = 0

    def refresh(self) -> None:
        """Read anew if something was committed elsewhere since. sqlite3.Error when the database fails."""
        version = self._store.data_version()
        if version == self._data_version:
            return
        session = classes.open_session(self._store, self._room)
        gallery = self._loader.load(session.class_id if session else None)
        self.session = session
        if not gallery.is_same_as(self.gallery):
            self.gallery = gallery
        self.unreadable_templates = gallery.unreadable
        self._data_version = version

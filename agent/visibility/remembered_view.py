"""The last view of a room that was right, kept over restarts.

A camera that is covered or turned while the device is off shows nothing but the cover from the first key
frame on. Where nobody took a reference view it is held against what it showed before."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from agent.log import get_logger
from agent.store.database import Store
from agent.store.last_view import LastView, keep_last_view, last_view
from agent.visibility.view import KnownView, known_view

log = get_logger(__name__)

EVERY_S: Final = 600.0
"""How old it may be: what was moved in the room since is taken for tampering after a restart."""
FEWEST_LOOKS: Final = 20
"""In the mean of a view that is kept: by then people who moved have faded."""
DARKEST_MEAN: Final = 25.0
FLATTEST: Final = 8.0
"""Grey levels: less is no view of a room, as for the reference view."""


class RememberedView:
    """One room's. One thread."""

    def __init__(self, room: str) -> None:
        self._room = room
        self._kept_s: float | None = None

    def read(self, store: Store) -> KnownView | None:
        """What was kept last; None where nothing was, or it cannot be read."""
        kept = last_view(store, self._room)
        known = None if kept is None else known_view(kept.grey_png)
        log.info("watch.last_view", kept_us=None if kept is None or known is None else kept.kept_us)
        return known

    def keep(self, store: Store, known: KnownView, at_us: int, monotonic_s: float) -> bool:
        """Keep `known`, which is right now, unless the last was kept moments ago; whether it was.
        sqlite3.Error passes through, and the next look tries again."""
        if self._kept_s is not None and monotonic_s - self._kept_s < EVERY_S:
            return False
        if known.looks < FEWEST_LOOKS or known.fine.mean() < DARKEST_MEAN or known.fine.std() < FLATTEST:
            return False
        encoded, png = cv2.imencode(".png", np.asarray(np.clip(known.fine + 0.5, 0, 255), np.uint8))
        if not encoded:
            raise ValueError("a view of the room cannot be encoded")
        keep_last_view(store, LastView(self._room, at_us, png.tobytes()))
        self._kept_s = monotonic_s
        return True

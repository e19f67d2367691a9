"""Tampering with the camera, looked for afterwards in the pictures that are counted from the recording.

While the watch is dead or starved nobody looks (agent.visibility.tamper). The pictures that are counted in
its place are judged by the watch's own checks, five seconds apart instead of two: two looks in a row then
find what lasts. They need a view of the room to be held against: a process that begins anew for each file
has no minute before it that it could trust. No loop is looked for: so far apart, what comes back is no
proof."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np

from agent.log import get_logger
from agent.visibility.picture_watch import LONGEST_PAUSE_S, PictureWatch, sight
from agent.visibility.recounting import Measure, RoomView, Tampered
from agent.visibility.view import known_view
from models.images import BGRImage

log = get_logger(__name__)


class LookingBack:
    """The pictures of one camera, as they are counted. One thread."""

    def __init__(self) -> None:
        self._watch: PictureWatch | None = None
        self._view: RoomView | None = None
        self._last_us = 0
        self._lasting: Tampered | None = None

    def look(self, picture: BGRImage, at_us: int, view: RoomView | None) -> Tampered | None:
        """Take the next picture of a class hour, taken at `at_us`; what is wrong with the camera by then,
        None when nothing is. `view`: of the room, when nothing was. A picture before the last one, or long
        after it, is judged with nothing known of those."""
        goes_on = 0 < at_us - self._last_us <= LONGEST_PAUSE_S * 1e6 and view == self._view
        if self._watch is None or not goes_on:
            self._watch, self._lasting = _watch_for(view), None
        self._view, self._last_us = view, at_us
        if self._watch is None:
            return None
        luma = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
        change = self._watch.look(sight(luma, at_us, at_us / 1e6, None), is_lesson=True, repeats=True)
        if change is not None and change.kind is None:
            self._lasting = None
        elif change is not None and change.kind is not None:
            measured = cast("dict[Measure, float]", change.measured)
            self._lasting = Tampered(change.kind, change.since_us, change.looks, measured)
        return self._lasting


def _watch_for(view: RoomView | None) -> PictureWatch | None:
    known = None if view is None else known_view(view.grey_png)
    if view is None or known is None:
        if view is not None:
            log.error("catch-up.view-unreadable", reference=view.reference)
        return None
    return PictureWatch(known) if view.reference is not None else PictureWatch(before=known)

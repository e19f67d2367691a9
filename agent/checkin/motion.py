"""Motion gate: an empty doorway shall cost next to nothing, and nobody shall be overlooked by it."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from models.images import BGRImage, GreyImage, Picture, at_least_grey

WIDTH_PX = 96
DIFFERENCE = 12
"""Grey levels by which a pixel of the small picture must differ from the background to have moved."""
MOVED_SHARE = 0.005
"""Share of moved pixels that counts as motion: a tenth of a face that is just large enough."""
HOLD_NS = 2_000_000_000
"""After the last motion the detector stays on so long: people stand still to be recognised."""
IDLE_INTERVAL_NS = 2_000_000_000
"""Without any motion the detector still looks once in this time, for who was there before."""
_LEARNING_RATE = 0.1


class MotionGate:
    """Says of each picture whether it is worth searching for faces."""

    def __init__(self) -> None:
        self._background: Any = None
        self._began_ns = 0
        self._moved_ns: int | None = None
        self._searched_ns: int | None = None
        self.moved_share = 0.0
        """Of the last picture, 0..1; motion from `MOVED_SHARE`. 0 in a first one."""
        self.is_at_rest: bool | None = None
        """Nothing moved for `HOLD_NS` and nobody is followed; None while it is not watched for so long."""

    def is_open(self, picture: Picture | BGRImage, now_ns: int, *, someone_is_tracked: bool) -> bool:
        """Whether to search `picture`, taken at `now_ns` (monotonic nanoseconds)."""
        share = self._moved(at_least_grey(picture))
        self.moved_share = 0.0 if share is None else share
        if share is None:
            self._began_ns = now_ns
        elif share >= MOVED_SHARE:
            self._moved_ns = now_ns
        if someone_is_tracked or (self._moved_ns is not None and now_ns - self._moved_ns <= HOLD_NS):
            self.is_at_rest = False
        else:
            self.is_at_rest = True if now_ns - self._began_ns > HOLD_NS else None
        due = self._searched_ns is None or now_ns - self._searched_ns >= IDLE_INTERVAL_NS
        if self.is_at_rest and not due:
            return False
        self._searched_ns = now_ns
        return True

    def _moved(self, picture: GreyImage | BGRImage) -> float | None:
        """Share of pixels that differ from the background; None where there is none: in a first picture."""
        height = max(1, round(picture.shape[0] * WIDTH_PX / picture.shape[1]))
        # Nearest first: averaging a whole 1080p picture would cost more than all the rest of this gate.
        coarse = cv2.resize(picture, (WIDTH_PX * 4, height * 4), interpolation=cv2.INTER_NEAREST)
        grey = coarse if coarse.ndim == 2 else cv2.cvtColor(coarse, cv2.COLOR_BGR2GRAY)
        # Halving twice is the same mean of sixteen in a quarter of the time: OpenCV is quick at halves.
        half = cv2.resize(grey, (WIDTH_PX * 2, height * 2), interpolation=cv2.INTER_AREA)
        small = cv2.resize(half, (WIDTH_PX, height), interpolation=cv2.INTER_AREA)
        current = small.astype(np.float32)
        if self._background is None or self._background.shape != current.shape:
            self._background = current
            return None
        moved = float(np.mean(np.abs(current - self._background) > DIFFERENCE))
        cv2.accumulateWeighted(current, self._background, _LEARNING_RATE)
        return moved

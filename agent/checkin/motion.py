"""Motion gate: an empty doorway shall cost next to nothing, and nobody shall be overlooked by it."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from models.images import BGRImage

WIDTH_PX = 96
DIFFERENCE = 12
"""Grey levels by which a pixel of the small picture must differ from the background to have moved."""
MOVED_SHARE = 0.005
"""Share of moved pixels that counts as motion: a tenth of a face that is just large enough."""
HOLD_NS = 2_000_000_000
"""After the last motion the detector stays on so long: people stand still to be recognised."""
IDLE_INTERVAL_NS = 1_000_000_000
"""Without any motion the detector still looks once in this time, for who was there before."""
_LEARNING_RATE = 0.1


class MotionGate:
    """Says of each picture whether it is worth searching for faces."""

    def __init__(self) -> None:
        self._background: Any = None
        self._moved_ns: int | None = None
        self._searched_ns: int | None = None

    def is_open(self, image: BGRImage, now_ns: int, *, someone_is_tracked: bool) -> bool:
        """Whether to search `image`, taken at `now_ns` (monotonic nanoseconds)."""
        if self._moved(image):
            self._moved_ns = now_ns
        recently = self._moved_ns is not None and now_ns - self._moved_ns <= HOLD_NS
        due = self._searched_ns is None or now_ns - self._searched_ns >= IDLE_INTERVAL_NS
        if not (recently or due or someone_is_tracked):
            return False
        self._searched_ns = now_ns
        return True

    def _moved(self, image: BGRImage) -> bool:
        height = max(1, round(image.shape[0] * WIDTH_PX / image.shape[1]))
        # Nearest first: averaging a whole 1080p picture would cost more than all the rest of this gate.
        coarse = cv2.resize(image, (WIDTH_PX * 4, height * 4), interpolation=cv2.INTER_NEAREST)
        small = cv2.resize(
            cv2.cvtColor(coarse, cv2.COLOR_BGR2GRAY), (WIDTH_PX, height), interpolation=cv2.INTER_AREA
        )
        current = small.astype(np.float32)
        if self._background is None or self._background.shape != current.shape:
            self._background = current
            return True
        moved = float(np.mean(np.abs(current - self._background) > DIFFERENCE))
        cv2.accumulateWeighted(current, self._background, _LEARNING_RATE)
        return moved >= MOVED_SHARE

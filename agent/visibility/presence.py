"""Whether people are in the room, when no lesson says so: counted AND moving, look after look.

A detector takes a poster or a coat stand for a person, on every picture of the night. What hangs on a wall
does not move: a person counts here only when the picture inside his box has changed since the look before,
beyond what another light or a camera that was nudged explains. Several looks must agree before somebody is
there. Then anything that moves keeps them there, because people who sit are missed by the detector; when the
room has stood still for minutes, nobody is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from agent.clock import Stamp
from models.images import BGRImage, Detection

WIDTH: Final = 320
"""Pixels to which pictures are reduced for comparing: noise averages out, a person stays some pixels wide."""
NEIGHBOURHOOD: Final = 25
"""Pixels across, within which brightness and contrast are taken off: a lamp, the sun or the camera's own
exposure change both over areas larger than this."""
FLAT: Final = 8.0
"""Grey levels of 255 of contrast below which a place counts as flat: its noise is not blown up."""
CHANGED: Final = 1.2
"""By so many standard deviations of its neighbourhood a pixel must differ."""
LARGEST_SHIFT: Final = 8.0
"""Pixels by which the whole picture may have been shifted: somebody touched the camera, the wind did."""
MOVED_SHARE: Final = 0.12
"""So much of a box must have changed for its person to have moved."""
ANY_SHARE: Final = 0.001
"""So much of the whole picture must have changed for something to have moved in the room at all. Thirteen
people who sit and write change 0.003 to 0.009 of it, noise and light nothing."""
OLDEST_LOOK_NS: Final = 60_000_000_000
"""An older picture is no look before: in a minute the sun moves too."""
LOOKS: Final = 6
LOOKS_THAT_AGREE: Final = 3
QUIET_NS: Final = 300_000_000_000
"""Nothing moved for so long: nobody is there."""

GreyImage = npt.NDArray[np.float32]


@dataclass
class Presence:
    """Fed with each look at the room, whether it is recorded or not. One camera, one thread."""

    is_present: bool = False
    since_us: int | None = None
    """When somebody was first seen of those who are there now."""
    moving: int = 0
    """People that moved at the last look."""
    _before: tuple[GreyImage, int] | None = None
    _looks: deque[bool] = field(default_factory=lambda: deque(maxlen=LOOKS))
    _moved_ns: int | None = None

    def has_changed(self, picture: BGRImage, now: Stamp) -> bool:
        """Whether anything in the picture moved since the look before; True without one."""
        change = self._change(_grey(picture), now)
        return change is None or _stirred(change)

    def see(self, picture: BGRImage, detections: Sequence[Detection], now: Stamp) -> None:
        """Take a look; `detections` in pixels of `picture`."""
        grey = _grey(picture)
        change = self._change(grey, now)
        scale = grey.shape[1] / picture.shape[1]
        self.moving = 0 if change is None else sum(_moved(change, each, scale) for each in detections)
        self._before = grey, now.monotonic_ns
        self._looks.append(self.moving > 0)
        if self.moving or (change is not None and _stirred(change)):
            self._moved_ns = now.monotonic_ns
        self._decide(now)

    def _decide(self, now: Stamp) -> None:
        if not self.is_present and sum(self._looks) >= LOOKS_THAT_AGREE:
            self.is_present, self.since_us = True, now.wall_us
        elif self.is_present and now.monotonic_ns - (self._moved_ns or 0) >= QUIET_NS:
            self.is_present, self.since_us = False, None
            self._looks.clear()

    def _change(self, grey: GreyImage, now: Stamp) -> npt.NDArray[np.bool_] | None:
        """Which pixels changed since the look before; None without one to compare with."""
        if self._before is None or self._changed_shape(grey):
            return None
        before, seen_ns = self._before
        if now.monotonic_ns - seen_ns > OLDEST_LOOK_NS:
            return None
        return np.asarray(np.abs(_flattened(grey) - _flattened(_aligned(before, grey))) >= CHANGED)

    def _changed_shape(self, grey: GreyImage) -> bool:
        return self._before is not None and self._before[0].shape != grey.shape


def _grey(picture: BGRImage) -> GreyImage:
    height = max(1, round(picture.shape[0] * WIDTH / picture.shape[1]))
    small = cv2.resize(picture, (WIDTH, height), interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), (3, 3), 0).astype(np.float32)


def _aligned(before: GreyImage, now: GreyImage) -> GreyImage:
    """`before`, shifted to where `now` has the same."""
    window = cv2.createHanningWindow((now.shape[1], now.shape[0]), cv2.CV_32F)
    # It writes into what it is given.
    (right, down), _ = cv2.phaseCorrelate(before.copy(), now.copy(), window)
    if max(abs(right), abs(down)) > LARGEST_SHIFT:
        return before
    shift = np.array([[1, 0, right], [0, 1, down]], dtype=np.float32)
    size = (now.shape[1], now.shape[0])
    return np.asarray(cv2.warpAffine(before, shift, size, borderMode=cv2.BORDER_REPLICATE), dtype=np.float32)


def _flattened(grey: GreyImage) -> GreyImage:
    """Each pixel in standard deviations from the mean of its neighbourhood."""
    size = (NEIGHBOURHOOD, NEIGHBOURHOOD)
    mean = cv2.boxFilter(grey, cv2.CV_32F, size)
    variance = cv2.boxFilter(grey * grey, cv2.CV_32F, size) - mean * mean
    return np.asarray((grey - mean) / (np.sqrt(np.maximum(variance, 0)) + FLAT), dtype=np.float32)


def _stirred(change: npt.NDArray[np.bool_]) -> bool:
    return float(change.mean()) >= ANY_SHARE


def _moved(change: npt.NDArray[np.bool_], detection: Detection, scale: float) -> bool:
    left, top, right, bottom = (
        round(value * scale)
        for value in (detection.box.left, detection.box.top, detection.box.right, detection.box.bottom)
    )
    inside = change[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
    return bool(inside.size and inside.mean() >= MOVED_SHARE)

"""Whether a place is taken, by what the picture shows there: it differs from the empty room, and it moves.

A head that the detector hardly sees is somebody all the same when its place looks unlike the empty room's and
stirs; a chair that looks like a head looks as it did when nobody was there. Brightness and contrast of the
surroundings are taken off first: another light differs nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from agent.store.heads import BoxRow
from agent.visibility.view import FINE

NEIGHBOURHOOD: Final = 41
"""Pixels of `FINE` across, within which brightness and contrast are taken off: some heads wide."""
FLAT: Final = 8.0
"""Grey levels of contrast below which a neighbourhood counts as flat: its noise is not blown up."""
CHANGED: Final = 0.8
"""By so many standard deviations of its neighbourhood a pixel must differ."""

GreyImage = npt.NDArray[np.uint8]
Field = npt.NDArray[np.float32]


class Evidence(NamedTuple):
    """Of one box, shares 0..1 of its pixels; None where there was nothing to hold it against."""

    differs: float | None
    """From the empty room."""
    moves: float | None
    """Since the picture before."""


class Places:
    """Fed with one camera's pictures, in the order of time. One thread."""

    def __init__(self, empty: GreyImage | None = None) -> None:
        """`empty`: the empty room as the camera sees it, any size; None where nobody took it."""
        self._empty = None if empty is None else flattened(empty)
        self._before: Field | None = None

    def look(self, grey: GreyImage, boxes: Iterable[BoxRow]) -> list[Evidence]:
        """The evidence of each box, in pixels of `grey`."""
        now = flattened(grey)
        differs, moves = (_changed(now, other) for other in (self._empty, self._before))
        self._before = now
        height, width = grey.shape
        scale = FINE[0] / width, FINE[1] / height
        return [Evidence(_share(differs, box, scale), _share(moves, box, scale)) for box in boxes]

    def forget(self) -> None:
        """What comes next is not held against what came before: hours lie between."""
        self._before = None


def flattened(grey: GreyImage) -> Field:
    """Shape of `FINE`; each pixel in standard deviations from the mean of its neighbourhood."""
    fine = cv2.GaussianBlur(cv2.resize(grey, FINE, interpolation=cv2.INTER_AREA), (3, 3), 0).astype(
        np.float32
    )
    size = (NEIGHBOURHOOD, NEIGHBOURHOOD)
    mean = cv2.boxFilter(fine, cv2.CV_32F, size)
    variance = cv2.boxFilter(fine * fine, cv2.CV_32F, size) - mean * mean
    return np.asarray((fine - mean) / (np.sqrt(np.maximum(variance, 0)) + FLAT), np.float32)


def _changed(now: Field, other: Field | None) -> npt.NDArray[np.bool_] | None:
    return None if other is None else np.asarray(np.abs(now - other) >= CHANGED)


def _share(change: npt.NDArray[np.bool_] | None, box: BoxRow, scale: tuple[float, float]) -> float | None:
    if change is None:
        return None
    left, right = (max(0, round(each * scale[0])) for each in (box[0], box[2]))
    top, bottom = (max(0, round(each * scale[1])) for each in (box[1], box[3]))
    inside = change[top : max(bottom, top + 1), left : max(right, left + 1)]
    return float(inside.mean()) if inside.size else None

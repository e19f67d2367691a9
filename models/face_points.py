"""Sixty-eight points of a face, in the order of the 300-W markup: jaw, brows, nose, eyes, mouth."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from models.images import BGRImage
from models.onnx import OnnxModel
from models.weights import ModelFile

SIDE_PX = 64
COUNT = 68

Points = npt.NDArray[np.float64]
"""Shape (68, 2): x, y in pixels of the picture."""

_SQUARE, _ABOVE = 1.29, 0.12
"""Side of the square in extents of the points, and how far its centre lies above theirs: as the detector's
boxes of frontal faces do, which the network knows."""

NOSE_TIP, UNDER_NOSE = 30, 33
RIGHT_EYE_CORNERS, LEFT_EYE_CORNERS = (36, 39), (42, 45)
"""Of the person; the right eye is the one on the left of the picture."""


class FacePoints:
    """Finds the points inside a face's box. Not safe for use by two threads at once."""

    def __init__(self, file: ModelFile) -> None:
        """Load the model `file`. ModelError when it cannot be used."""
        self._model = OnnxModel(file)

    def find(self, image: BGRImage, centre: tuple[float, float], side: float) -> Points:
        """Points of the face in the square around `centre` with `side` pixels; always 68, face or not.

        Looked for twice, the second time in the square that the first answer asks for: a detector's boxes
        jump by some hundredths from one picture to the next, and the points would jump with them.
        """
        first = self._look(image, centre, side)
        low, high = first.min(axis=0), first.max(axis=0)
        extent = float((high - low).max()) * _SQUARE
        middle = (low + high) / 2
        return self._look(image, (float(middle[0]), float(middle[1]) - _ABOVE * extent), extent)

    def _look(self, image: BGRImage, centre: tuple[float, float], side: float) -> Points:
        crop, left, top, side_px = _square(image, centre, side)
        small = cv2.resize(crop, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
        grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.float32) / np.float32(256)
        found = self._model.run(grey[None, None])[0].reshape(COUNT, 2).astype(np.float64)
        return found * side_px + (left, top)


def five_points(points: Points) -> npt.NDArray[np.float64]:
    """Eyes, tip of the nose, corners of the mouth: shape (5, 2), the person's right side first."""
    return np.stack(
        [
            points[[37, 38, 40, 41]].mean(axis=0),
            points[[43, 44, 46, 47]].mean(axis=0),
            points[NOSE_TIP],
            points[[48, 60]].mean(axis=0),
            points[[54, 64]].mean(axis=0),
        ]
    )


def _square(image: BGRImage, centre: tuple[float, float], side: float) -> tuple[BGRImage, int, int, int]:
    """The square and its left, top and side; what lies beyond the picture repeats its edge."""
    side_px = max(1, round(side))
    left, top = round(centre[0] - side_px / 2), round(centre[1] - side_px / 2)
    height, width = image.shape[:2]
    inner = image[max(0, top) : max(0, top + side_px), max(0, left) : max(0, left + side_px)]
    if inner.shape[:2] == (side_px, side_px):
        return inner, left, top, side_px
    if 0 in inner.shape:
        return np.zeros((side_px, side_px, 3), np.uint8), left, top, side_px
    edges = max(0, -top), max(0, top + side_px - height), max(0, -left), max(0, left + side_px - width)
    return (
        np.asarray(cv2.copyMakeBorder(inner, *edges, borderType=cv2.BORDER_REPLICATE), np.uint8),
        left,
        top,
        side_px,
    )

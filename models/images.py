"""Pictures, boxes and detections: the vocabulary that all models share."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

BGRImage = npt.NDArray[np.uint8]
"""Picture of shape (height, width, 3), dtype uint8, channels blue, green, red."""

Point = tuple[float, float]
"""(x, y) in pixels from the upper left corner of the picture."""


class Box(NamedTuple):
    """Upright rectangle in whole pixels; may reach beyond the picture's edge."""

    left: int
    top: int
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.left + self.width

    @property
    def bottom(self) -> int:
        return self.top + self.height

    @property
    def centre(self) -> Point:
        return self.left + self.width / 2, self.top + self.height / 2

    def overlap(self, other: Box) -> float:
        """Intersection over union with `other`, 0..1."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        if width <= 0 or height <= 0:
            return 0.0
        shared = width * height
        return shared / (self.width * self.height + other.width * other.height - shared)


class Detection(NamedTuple):
    """One thing found in a picture."""

    box: Box
    score: float
    """The detector's own score, higher is surer; comparable only within one detector."""


def require_image(image: BGRImage) -> None:
    """ValueError unless `image` is a non-empty `BGRImage`: fed otherwise, a model answers nonsense."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(
            f"expected a BGR picture (height, width, 3) of uint8, got {image.shape} of {image.dtype}"
        )

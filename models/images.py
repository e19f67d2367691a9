"""Pictures, boxes and detections: the vocabulary that all models share."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

BGRImage = npt.NDArray[np.uint8]
"""Picture of shape (height, width, 3), dtype uint8, channels blue, green, red."""

GreyImage = npt.NDArray[np.uint8]
"""Brightness of shape (height, width), dtype uint8."""


class Picture(Protocol):
    """A camera's picture whose colours may cost something and whose brightness does not."""

    @property
    def image(self) -> BGRImage: ...

    def small(self, width: int) -> BGRImage:
        """Its colours, at most `width` pixels wide."""
        ...

    @property
    def grey(self) -> GreyImage: ...


def in_colour(picture: Picture | BGRImage) -> BGRImage:
    """The whole picture's colours."""
    return picture if isinstance(picture, np.ndarray) else picture.image


def at_least_grey(picture: Picture | BGRImage) -> GreyImage | BGRImage:
    """What of a picture costs nothing: its brightness, or where only colours were given, those."""
    return picture if isinstance(picture, np.ndarray) else picture.grey


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

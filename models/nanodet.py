"""People found by NanoDet-g (COCO, 416x416) on overlapping tiles: the counter without our own data.

It finds whole people, where they are not hidden, and answers with their boxes. Decoding after Lyu's NanoDet:
each grid cell gives class scores and, for each side of a box, a distribution over eleven distances.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from models.images import BGRImage, Box, Detection, require_image
from models.onnx import OnnxModel
from models.weights import verified

WEIGHTS = "nanodet-g-416"
SIDE = 416
STRIDES = (8, 16, 32)
BINS = 11
PERSON = 0
COLUMNS, ROWS = 3, 2
SHARED = 0.2
"""Share of a tile that its neighbour sees too."""
MAX_OVERLAP = 0.5
GREY = 114
MEAN = np.array([103.53, 116.28, 123.675], np.float32)
DEVIATION = np.array([57.375, 57.12, 58.395], np.float32)
"""Of blue, green, red, as the network was trained."""


class NanodetTiles:
    """A `HeadCounter`. Not safe for use by two threads at once."""

    name = WEIGHTS
    finds: Literal["person", "head"] = "person"
    floor: float = 0.05
    cut: float = 0.4
    """The network's own score of a person, no probability of one."""

    def __init__(self, models_folder: Path) -> None:
        """`models_folder`: where `models install nanodet-g-416` puts the file. It is loaded for the first
        picture, so that a node where it is missing counts as soon as it is there."""
        self._folder = models_folder
        self._model: OnnxModel | None = None
        self._centres = {stride: _centres(stride) for stride in STRIDES}

    def load(self) -> OnnxModel:
        """Load the weights unless they are; ModelError when they are missing, others, or unusable (I9)."""
        if self._model is None:
            self._model = OnnxModel(verified(WEIGHTS, self._folder), threads=1)
        return self._model

    def count(self, image: BGRImage) -> list[Detection]:
        """Every person found with a score of `floor` and more, surest first. ValueError for what is no
        picture; ModelError as for `load`: nobody is counted then."""
        require_image(image)
        self.load()
        boxes: list[Box] = []
        scores: list[float] = []
        for left, top, right, bottom in parts(image.shape[1], image.shape[0]):
            for box, score in self._in_part(np.asarray(image[top:bottom, left:right], np.uint8)):
                boxes.append(Box(box.left + left, box.top + top, box.width, box.height))
                scores.append(score)
        kept = cv2.dnn.NMSBoxes(boxes, scores, self.floor, MAX_OVERLAP) if boxes else ()
        found = [Detection(boxes[int(i)], scores[int(i)]) for i in np.ravel(np.asarray(kept)).astype(int)]
        return sorted(found, key=lambda each: -each.score)

    def _in_part(self, part: BGRImage) -> Iterator[tuple[Box, float]]:
        scale = SIDE / max(part.shape[:2])
        size = max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale))
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        canvas = np.full((SIDE, SIDE, 3), GREY, np.uint8)
        canvas[: size[1], : size[0]] = cv2.resize(part, size, interpolation=method)
        values = np.ascontiguousarray(((canvas - MEAN) / DEVIATION).transpose(2, 0, 1)[None])
        outputs = {output.shape[1:]: output[0] for output in self.load().run(values)}
        for stride in STRIDES:
            cells = (SIDE // stride) ** 2
            scores = outputs[(cells, 80)][:, PERSON]
            sure = np.flatnonzero(scores >= self.floor)
            bins = outputs[(cells, 4 * BINS)][sure].reshape(-1, 4, BINS)
            weights = np.exp(bins - bins.max(2, keepdims=True))
            sides = (weights @ np.arange(BINS)) / weights.sum(2) * stride
            for (x, y), (left, top, right, bottom), score in zip(
                self._centres[stride][sure], sides, scores[sure], strict=True
            ):
                width, height = float(left + right) / scale, float(top + bottom) / scale
                corner = round(float(x - left) / scale), round(float(y - top) / scale)
                yield Box(*corner, max(1, round(width)), max(1, round(height))), float(score)


def parts(width: int, height: int) -> Iterator[tuple[int, int, int, int]]:
    """left, top, right, bottom of 3x2 overlapping tiles."""
    tile_width = max(1, round(width / (COLUMNS - (COLUMNS - 1) * SHARED)))
    tile_height = max(1, round(height / (ROWS - (ROWS - 1) * SHARED)))
    for top in np.linspace(0, height - tile_height, ROWS).round().astype(int).tolist():
        for left in np.linspace(0, width - tile_width, COLUMNS).round().astype(int).tolist():
            yield left, top, left + tile_width, top + tile_height


def _centres(stride: int) -> npt.NDArray[np.float32]:
    cells = SIDE // stride
    y, x = np.mgrid[0:cells, 0:cells]
    return ((np.stack([x.ravel(), y.ravel()], 1) + 0.5) * stride).astype(np.float32)

"""Faces found by Ultra-Light-Fast-Generic-Face-Detector (RFB, 320x240), a network of 0.3 M weights.

It sees 320x240 pixels at a time. A picture in which the smallest wanted face would shrink below
`SMALLEST_INPUT_PX` is searched in overlapping tiles, and once as a whole for faces larger than the overlap.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from models.images import BGRImage
from models.onnx import OnnxModel
from models.weights import ModelFile

WIDTH, HEIGHT = 320, 240
SMALLEST_INPUT_PX = 20
"""Width of the smallest wanted face in the network's input; at 12 px a third of them is missed."""
OVERLAP_PX = 80
MIN_SCORE = 0.9
"""The score runs 0..1. Of 398 faces in class one scores less; a badge in a sample photo scores 0.77 to 0.85,
pedestrians from afar up to 0.91."""
MAX_OVERLAP = 0.3


class FoundFace(NamedTuple):
    """Edges in pixels of the searched picture, forehead to chin and cheek to cheek; score 0..1."""

    left: float
    top: float
    right: float
    bottom: float
    score: float


class RfbDetector:
    """Not safe for use by two threads at once."""

    def __init__(self, file: ModelFile) -> None:
        """Load the model `file`. ModelError when it cannot be used."""
        self._model = OnnxModel(file)

    def find(self, image: BGRImage, smallest_px: float) -> list[FoundFace]:
        """Every face at least `smallest_px` wide, each once, surest first."""
        found: list[FoundFace] = []
        for left, top, width, height in _tiles(image.shape[1], image.shape[0], smallest_px):
            found += self._in_tile(image[top : top + height, left : left + width], left, top)
        boxes = [(f.left, f.top, f.right - f.left, f.bottom - f.top) for f in found]
        scores = [f.score for f in found]
        kept = cv2.dnn.NMSBoxes(boxes, scores, MIN_SCORE, MAX_OVERLAP) if found else ()
        return sorted((found[int(i)] for i in np.ravel(np.asarray(kept))), key=lambda face: -face.score)

    def _in_tile(self, tile: BGRImage, left: int, top: int) -> Iterator[FoundFace]:
        scale = min(WIDTH / tile.shape[1], HEIGHT / tile.shape[0])
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        size = max(1, round(tile.shape[1] * scale)), max(1, round(tile.shape[0] * scale))
        canvas = np.zeros((HEIGHT, WIDTH, 3), np.float32)
        small = cv2.resize(tile, size, interpolation=method)
        canvas[: size[1], : size[0]] = small[:, :, ::-1]  # the network learnt from RGB
        canvas[: size[1], : size[0]] = (canvas[: size[1], : size[0]] - 127) / 128
        scores, boxes = self._model.run(np.ascontiguousarray(canvas.transpose(2, 0, 1)[None]))
        sure = np.flatnonzero(scores[0, :, 1] >= MIN_SCORE)
        for index in sure:
            x0, y0, x1, y1 = boxes[0, index] * (WIDTH, HEIGHT, WIDTH, HEIGHT) / scale
            yield FoundFace(
                left + float(x0),
                top + float(y0),
                left + float(x1),
                top + float(y1),
                float(scores[0, index, 1]),
            )


def _tiles(width: int, height: int, smallest_px: float) -> Iterator[tuple[int, int, int, int]]:
    """left, top, width, height of the parts to search; always the whole picture among them."""
    yield 0, 0, width, height
    scale = SMALLEST_INPUT_PX / smallest_px
    if width * scale <= WIDTH and height * scale <= HEIGHT:
        return
    tile_width, tile_height = min(width, math.floor(WIDTH / scale)), min(height, math.floor(HEIGHT / scale))
    overlap = math.ceil(OVERLAP_PX / scale)
    for top in _starts(height, tile_height, overlap):
        for left in _starts(width, tile_width, overlap):
            yield left, top, tile_width, tile_height


def _starts(length: int, part: int, overlap: int) -> npt.NDArray[np.int64]:
    """First pixels of equally spaced parts that cover `length` and share at least `overlap`."""
    count = 1 if part >= length else math.ceil((length - overlap) / max(1, part - overlap))
    return np.linspace(0, length - part, max(1, count)).round().astype(np.int64)

"""Heads found by our own small network, at several sizes of the picture and in tiles of each.

The network (models/training) knows heads of 8 to 46 px. A picture is therefore searched enlarged or at its
own size, then at half and quarter size for the larger heads; each size answers for the heads that it knows,
and a head that two sizes find counts once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from models.images import BGRImage, Box, Detection, require_image
from models.onnx import OnnxModel
from models.scorer import scorer
from models.weights import manifest, read_model, verified

WEIGHTS = "head-net-v1"
STRIDE = 4
GREY, UNIT = 114, 64
"""The network's input is (value - GREY) / UNIT."""
LARGEST_SCALE, USUAL_PIXELS = 1.4, 1920 * 1080
"""Small pictures are enlarged by so much, or to so many pixels: 1080p is searched at its own size, which is
what a tenth of a core can do every five seconds."""
LEAST_SCALE, MOST_PIXELS = 0.7, 4_100_000
"""Larger pictures are reduced to no less, 4K to 2.7 K, unless that were more pixels: a quarter of a core."""
SMALLEST_SIDE_PX = 160
"""No size is searched whose longer side would be shorter."""
LARGEST_HEAD_PX = 80.0
"""In the network's input: larger ones are left to the next smaller size of the picture.
Sizes overlap, so that most heads are searched twice: with 44, recall at a precision of .8 was .025 lower."""
SMALLEST_HEAD_PX = 15.0
"""In the network's input of all sizes but the largest: smaller ones were searched where they are larger."""
TILE_PX, MARGIN_PX = 640, 64
"""A tile's side, and how far it reaches over its neighbours: memory stays bounded, and a tile's arithmetic in
the processor's cache."""
SEAM_PX = 6
"""How far over its own part a tile answers: two tiles place a head on their seam up to a cell apart, each on
the other's side, and it would be lost. Whom both answer for counts once (`without_repeats`)."""
FLOOR = 0.05
MAX_OVERLAP = 0.45
MAX_INSIDE = 0.75

Floats = npt.NDArray[np.float32]


class Calibration(NamedTuple):
    """Logit of the network to the probability that a head is there, and the default cut in probability."""

    slope: float
    offset: float
    cut: float

    @classmethod
    def of(cls, name: str) -> Calibration:
        """Of the row `name` in weights.toml."""
        row: dict[str, Any] = manifest()["weights"][name]["calibration"]
        return cls(float(row["slope"]), float(row["offset"]), float(row["cut"]))


class HeadNet:
    """A `HeadCounter`. Not safe for use by two threads at once."""

    finds: Literal["person", "head"] = "head"
    floor: float = FLOOR

    def __init__(self, path: Path | None = None, calibration: Calibration | None = None) -> None:
        """With the product's own weights, or the file `path`. They are loaded for the first picture: a node
        that records nothing need not hold them. ModelError when weights.toml is gone."""
        self.name = scorer(WEIGHTS) if path is None and calibration is None else f"{WEIGHTS}-trial"
        self._path = path
        self._model: OnnxModel | None = None
        self._calibration = calibration or Calibration.of(WEIGHTS)
        self.cut = self._calibration.cut

    def load(self) -> OnnxModel:
        """Load the weights unless they are; ModelError when they are missing, others, or unusable (I9)."""
        if self._model is None:
            self._model = OnnxModel(read_model(self._path) if self._path else verified(WEIGHTS), threads=1)
        return self._model

    def count(self, image: BGRImage) -> list[Detection]:
        """Every head found with a score of `floor` and more, surest first. Scores are probabilities, fitted
        on rooms that the network was not trained on. ValueError for what is no picture; ModelError as for
        `load`: nothing is counted then."""
        require_image(image)
        self.load()
        slope, offset, _ = self._calibration
        least = (math.log(self.floor / (1 - self.floor)) - offset) / slope
        found = np.concatenate([self._at(image, *each, least) for each in scales(image)])
        found = without_repeats(found)
        scores = 1 / (1 + np.exp(-(slope * found[:, 4].astype(np.float64) + offset)))
        return [Detection(_box(row), float(score)) for row, score in zip(found[:, :4], scores, strict=True)]

    def _at(self, image: BGRImage, scale: float, smallest: float, largest: float, least: float) -> Floats:
        """Heads at one size of the picture: rows of left, top, right, bottom in its pixels, and the logit."""
        size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        resized = image if scale == 1 else cv2.resize(image, size, interpolation=method)
        parts = [np.empty((0, 5), np.float32)]
        for tile in tiles(*size):
            parts.append(self._in_tile(np.asarray(resized, np.uint8), tile, least))
        found = np.concatenate(parts)
        sides = np.sqrt((found[:, 2] - found[:, 0]) * (found[:, 3] - found[:, 1]))
        found = found[(sides >= smallest) & (sides < largest)]
        found[:, 0:4:2] *= image.shape[1] / size[0]
        found[:, 1:4:2] *= image.shape[0] / size[1]
        return found

    def _in_tile(self, image: BGRImage, tile: Tile, least: float) -> Floats:
        part = image[tile.top : tile.bottom, tile.left : tile.right]
        height, width = (-(-side // 32) * 32 for side in part.shape[:2])
        padded = cv2.copyMakeBorder(
            part,
            0,
            height - part.shape[0],
            0,
            width - part.shape[1],
            cv2.BORDER_CONSTANT,
            value=(GREY, GREY, GREY),
        )
        values = cv2.dnn.blobFromImage(padded, 1 / UNIT, mean=(GREY, GREY, GREY))
        (answer,) = self.load().run(np.asarray(values, np.float32))
        found = peaks(answer[0], least)
        centres = (found[:, 0:2] + found[:, 2:4]) / 2 + (tile.left, tile.top)
        found[:, 0:4:2] += tile.left
        found[:, 1:4:2] += tile.top
        left, top, right, bottom = tile.own
        inside = (centres[:, 0] >= left - SEAM_PX) & (centres[:, 0] < right + SEAM_PX)
        inside &= (centres[:, 1] >= top - SEAM_PX) & (centres[:, 1] < bottom + SEAM_PX)
        return np.asarray(found[inside], np.float32)


class Tile(NamedTuple):
    """A part of a picture that is searched; `own`: edges of the part whose heads it answers for."""

    left: int
    top: int
    right: int
    bottom: int
    own: tuple[float, float, float, float]


def scales(image: BGRImage) -> Iterator[tuple[float, float, float]]:
    """Sizes at which to search `image`, as factors; with the smallest and largest head each answers for."""
    height, width = image.shape[:2]
    most = math.sqrt(MOST_PIXELS / (height * width))
    scale = min(LARGEST_SCALE, max(math.sqrt(USUAL_PIXELS / (height * width)), min(LEAST_SCALE, most)))
    smallest = 0.0
    while True:
        is_last = max(height, width) * scale / 2 < SMALLEST_SIDE_PX
        yield scale, smallest, math.inf if is_last else LARGEST_HEAD_PX
        if is_last:
            return
        scale, smallest = scale / 2, SMALLEST_HEAD_PX


def tiles(width: int, height: int) -> Iterator[Tile]:
    """Tiles that cover a picture; every point belongs to exactly one."""
    for top, bottom, own_top, own_bottom in _spans(height):
        for left, right, own_left, own_right in _spans(width):
            yield Tile(left, top, right, bottom, (own_left, own_top, own_right, own_bottom))


def _spans(length: int) -> Iterator[tuple[int, int, float, float]]:
    count = max(1, math.ceil((length - 2 * MARGIN_PX) / (TILE_PX - 2 * MARGIN_PX)))
    part = math.ceil((length + (count - 1) * 2 * MARGIN_PX) / count)
    for number in range(count):
        start = min(number * (part - 2 * MARGIN_PX), length - part)
        first, last = number == 0, number == count - 1
        own_start = -math.inf if first else start + MARGIN_PX
        own_end = math.inf if last else min((number + 1) * (part - 2 * MARGIN_PX), length - part) + MARGIN_PX
        yield start, start + part, own_start, own_end


def peaks(answer: Floats, least: float) -> Floats:
    """Heads in what the network answered, (5, H, W): rows of left, top, right, bottom in pixels of its
    input, and the logit: cells that no neighbour exceeds and that reach `least`."""
    logits = answer[0]
    highest = cv2.dilate(logits, np.ones((3, 3), np.uint8))
    row, column = np.nonzero((logits >= highest) & (logits >= least))
    offset_x, offset_y, log_width, log_height = answer[1:, row, column]
    x, y = (column + offset_x) * STRIDE, (row + offset_y) * STRIDE
    width, height = (np.exp(np.clip(each, -1, 6)) * STRIDE for each in (log_width, log_height))
    edges = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return np.stack([*edges, logits[row, column]], axis=1).astype(np.float32)


def without_repeats(found: Floats) -> Floats:
    """The same rows, highest logit first, without those that show a head already there: boxes that share
    much, or of which one lies in the other and is not much smaller."""
    found = found[np.argsort(-found[:, 4], kind="stable")]
    area = (found[:, 2] - found[:, 0]) * (found[:, 3] - found[:, 1])
    keep = np.ones(len(found), bool)
    for index in range(len(found)):
        if not keep[index]:
            continue
        rest = slice(index + 1, None)
        width = np.minimum(found[rest, 2], found[index, 2]) - np.maximum(found[rest, 0], found[index, 0])
        height = np.minimum(found[rest, 3], found[index, 3]) - np.maximum(found[rest, 1], found[index, 1])
        shared = np.clip(width, 0, None) * np.clip(height, 0, None)
        union = area[rest] + area[index] - shared
        inside = shared / np.minimum(area[rest], area[index])
        keep[rest] &= (shared / union < MAX_OVERLAP) & (inside < MAX_INSIDE)
    return found[keep]


def _box(row: Floats) -> Box:
    left, top, right, bottom = (float(value) for value in row)
    return Box(round(left), round(top), max(1, round(right - left)), max(1, round(bottom - top)))

"""Labelled pictures in one memory-mapped file, and random crops of them with what the net shall answer.

Every crop is a function of (seed, number): a training that was interrupted goes on with the crops that it
would have had.
"""

from __future__ import annotations

import csv
import json
import math
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

SIZE = 320
"""Pixels of a crop's side."""
STRIDE = 4
GRID = SIZE // STRIDE
LEVELS = 4
"""Each picture is kept at full, half, quarter and eighth size, so that no crop has aliases."""
SMALLEST_PX, LARGEST_PX = 8.5, 46.0
"""The head that a crop is laid around gets a size (root of the area) between these."""
IGNORED_BELOW_PX, IGNORED_ABOVE_PX = 6.5, 100.0
NO_HEAD_ABOVE_PX = 150.0
"""So large a head is background: a smaller size of the picture finds it, and eyes and mouths are no heads."""
GREY = 114
NO_BOXES = np.empty((0, 4))

Picture = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Labelled:
    """Pictures of some folders with their boxes (x1, y1, x2, y2)."""

    pixels: npt.NDArray[np.uint8]
    places: list[list[tuple[int, int, int]]]
    """For each picture and level: offset, height, width."""
    boxes: list[npt.NDArray[np.float64]]
    doubtful: list[npt.NDArray[np.float64]]
    """For each picture boxes of what may be heads that the labels leave out (`unlabelled.py`)."""
    weights: npt.NDArray[np.float64]
    """How often each picture is chosen; they add up to 1."""

    def level(self, picture: int, level: int) -> Picture:
        offset, height, width = self.places[picture][level]
        return self.pixels[offset : offset + height * width * 3].reshape(height, width, 3)


def build_cache(folders: dict[str, float], cache: Path) -> None:
    """Decode every picture of `folders` (each with its share of the crops) into `cache`.pixels and .json."""
    places: list[list[tuple[int, int, int]]] = []
    boxes: list[list[list[float]]] = []
    weights: list[float] = []
    offset = 0
    with cache.with_suffix(".pixels").open("wb") as out:
        for folder, share in folders.items():
            labels = defaultdict(list)
            with (Path(folder) / "labels.csv").open(newline="") as file:
                for row in csv.DictReader(file):
                    labels[row["file"]].append([float(row[key]) for key in ("x1", "y1", "x2", "y2")])
            for name in sorted(labels):
                picture = cv2.imread(str(Path(folder) / name))
                if picture is None:
                    raise ValueError(f"{folder}/{name} is no picture")
                levels = []
                for level in range(LEVELS):
                    if level:
                        half = (max(1, picture.shape[1] // 2), max(1, picture.shape[0] // 2))
                        picture = cv2.resize(picture, half, interpolation=cv2.INTER_AREA)
                    levels.append((offset, picture.shape[0], picture.shape[1]))
                    out.write(picture.tobytes())
                    offset += picture.size
                places.append(levels)
                boxes.append(labels[name])
                weights.append(share / len(labels))
    index = {"places": places, "boxes": boxes, "weights": weights}
    cache.with_suffix(".json").write_text(json.dumps(index))


def open_cache(cache: Path) -> Labelled:
    """What `build_cache` wrote, with what `unlabelled.py` found beside it, if it was run."""
    index: dict[str, Any] = json.loads(cache.with_suffix(".json").read_text())
    beside = cache.with_name("unlabelled.json")
    doubtful = json.loads(beside.read_text()) if beside.exists() else [[] for _ in index["boxes"]]
    weights = np.asarray(index["weights"])
    return Labelled(
        np.memmap(cache.with_suffix(".pixels"), np.uint8, "r"),
        [[(a, b, c) for a, b, c in levels] for levels in index["places"]],
        [np.asarray(boxes, np.float64).reshape(-1, 4) for boxes in index["boxes"]],
        [np.asarray(boxes, np.float64).reshape(-1, 4) for boxes in doubtful],
        weights / weights.sum(),
    )


def crop(data: Labelled, seed: int, number: int) -> tuple[Picture, Floats]:
    """Crop `number`: a picture (320, 320, 3), and (7, 80, 80): heat, offset x and y, log width and height,
    weight of those four, weight of the heat."""
    rng = np.random.default_rng((seed, number))
    if rng.random() < 0.03:
        return _spoil(_nothing(rng), rng), _targets(NO_BOXES, NO_BOXES, np.eye(2, 3))
    chosen = int(rng.choice(len(data.weights), p=data.weights))
    boxes = data.boxes[chosen]
    transform = _place(data, chosen, boxes, rng)
    picture = _warp(data, chosen, transform)
    return _spoil(picture, rng), _targets(boxes, data.doubtful[chosen], transform)


def _place(
    data: Labelled, chosen: int, boxes: npt.NDArray[np.float64], rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """The affine map (2, 3) from picture to crop."""
    _, height, width = data.places[chosen][0]
    sides = np.sqrt((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
    if rng.random() < 0.08:
        return _background(boxes, height, width, rng)
    head = int(rng.integers(len(boxes)))
    wanted = math.exp(rng.uniform(math.log(SMALLEST_PX), math.log(LARGEST_PX)))
    # Never so small that the crop is mostly border.
    scale = min(3.5, max(wanted / sides[head], 0.75 * SIZE / max(width, height)))
    centre = (boxes[head, :2] + boxes[head, 2:]) / 2
    middle = centre + (rng.uniform(0.08, 0.92, 2) - 0.5) * SIZE / scale
    if rng.random() < 0.8:  # stay inside the picture where it is large enough
        margin = SIZE / 2 / scale
        for axis, length in ((0, width), (1, height)):
            low, high = margin, length - margin
            middle[axis] = min(max(middle[axis], low), high) if low < high else length / 2
    return _affine(middle, scale, rng)


def _background(
    boxes: npt.NDArray[np.float64], height: int, width: int, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """A window with as few heads as eight tries find, mostly none: a room without people."""
    best: tuple[int, npt.NDArray[np.float64], float] | None = None
    for _ in range(8):
        scale = math.exp(rng.uniform(math.log(0.6), math.log(3.0)))
        middle = rng.uniform(0, 1, 2) * (width, height)
        half = SIZE / 2 / scale
        inside = (boxes[:, 2] > middle[0] - half) & (boxes[:, 0] < middle[0] + half)
        inside &= (boxes[:, 3] > middle[1] - half) & (boxes[:, 1] < middle[1] + half)
        if best is None or int(inside.sum()) < best[0]:
            best = int(inside.sum()), middle, scale
    assert best is not None
    return _affine(best[1], best[2], rng)


def _affine(
    middle: npt.NDArray[np.float64], scale: float, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    angle = math.radians(rng.uniform(-8, 8))
    stretch = math.exp(rng.uniform(-0.08, 0.08))
    flip = -1.0 if rng.random() < 0.5 else 1.0
    cos, sin = math.cos(angle) * scale, math.sin(angle) * scale
    linear = np.array([[cos, -sin], [sin, cos]]) @ np.diag([flip * stretch, 1 / stretch])
    shift = SIZE / 2 - linear @ middle
    return np.hstack([linear, shift[:, None]])


def _nothing(rng: np.random.Generator) -> Picture:
    """What never was a room: noise, soft blocks, boards and edges. Without it some of them count as heads."""
    coarse = int(rng.choice((6, 12, 24, 48, 160)))
    blocks = rng.integers(0, 256, (coarse, coarse, 3 if rng.random() < 0.6 else 1)).astype(np.uint8)
    method = cv2.INTER_CUBIC if rng.random() < 0.7 else cv2.INTER_NEAREST
    picture = np.asarray(cv2.resize(blocks, (SIZE, SIZE), interpolation=method), np.uint8)
    picture = np.repeat(picture[..., None], 3, 2) if picture.ndim == 2 else picture
    if rng.random() < 0.6:
        level = rng.integers(60, 220, 3)
        picture = np.asarray(picture * rng.uniform(0, 0.2) + level * 0.8, np.uint8)
        for _ in range(int(rng.integers(5, 60))):
            x, y, width, height = (
                int(value) for value in rng.integers((-40, -40, 4, 4), (SIZE, SIZE, 90, 60))
            )
            colour = tuple(int(value) for value in rng.integers(0, 256, 3))
            cv2.rectangle(picture, (x, y), (x + width, y + height), colour, -1)
    return picture


def _warp(data: Labelled, chosen: int, transform: npt.NDArray[np.float64]) -> Picture:
    scale = math.sqrt(abs(np.linalg.det(transform[:, :2])))
    level = min(LEVELS - 1, max(0, math.floor(-math.log2(scale) + 0.3)))
    source = data.level(chosen, level)
    matrix = transform.copy()
    matrix[:, :2] *= 2.0**level
    fill = (GREY, GREY, GREY)
    return np.asarray(cv2.warpAffine(source, matrix, (SIZE, SIZE), borderValue=fill), np.uint8)


NOISE = np.random.default_rng(0).normal(0, 1, (512, 512, 3)).astype(np.float32)


def _spoil(picture: Picture, rng: np.random.Generator) -> Picture:
    """Light, colour, blur, noise and compression as cameras have them."""
    if rng.random() < 0.15:
        picture = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)  # type: ignore[assignment]
    if rng.random() < 0.8:
        ramp = np.arange(256) / 255
        gain, bias, gamma = rng.uniform(0.6, 1.4), rng.uniform(-0.15, 0.15), math.exp(rng.uniform(-0.5, 0.5))
        cast = 1 + rng.uniform(-0.1, 0.1, 3)
        table = ((ramp**gamma - 0.5) * gain + 0.5 + bias)[:, None] * cast * 255
        picture = cv2.LUT(picture, np.clip(table, 0, 255).astype(np.uint8)[None])  # type: ignore[assignment]
    if rng.random() < 0.15:  # few pixels, enlarged: a cheap camera, or its digital zoom
        small = max(64, round(SIZE / rng.uniform(1.2, 2.2)))
        picture = cv2.resize(picture, (small, small), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        picture = cv2.resize(picture, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
    elif rng.random() < 0.15:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.5, 1.5))  # type: ignore[assignment]
    if rng.random() < 0.25:
        y, x = (int(value) for value in rng.integers(0, 512 - SIZE, 2))
        noise = NOISE[y : y + SIZE, x : x + SIZE] * np.float32(rng.uniform(2, 14))
        picture = cv2.add(picture, noise, dtype=cv2.CV_8U)  # type: ignore[assignment]
    if rng.random() < 0.25:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 85))]
        picture = cv2.imdecode(cv2.imencode(".jpg", picture, quality)[1], cv2.IMREAD_COLOR)  # type: ignore[assignment]
    return picture


def _targets(
    boxes: npt.NDArray[np.float64], doubtful: npt.NDArray[np.float64], transform: npt.NDArray[np.float64]
) -> Floats:
    target = np.zeros((7, GRID, GRID), np.float32)
    target[6] = 1
    for x, y, width, height in _in_cells(doubtful, transform):
        if math.sqrt(width * height) * STRIDE <= NO_HEAD_ABOVE_PX:
            _ignore(target, x, y, width * 0.5, height * 0.5)
    for x, y, width, height in _in_cells(boxes, transform):
        _draw(target, x, y, width, height)
    return target


def _in_cells(
    boxes: npt.NDArray[np.float64], transform: npt.NDArray[np.float64]
) -> list[tuple[float, float, float, float]]:
    """Centre, width and height of each box after the map, in cells of the crop."""
    linear = transform[:, :2]
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2 @ linear.T + transform[:, 2]
    # A head is an ellipse: this is the box of the turned one.
    sides = np.sqrt((boxes[:, 2:] - boxes[:, :2]) ** 2 @ (linear**2).T)
    return [(x, y, width, height) for x, y, width, height in np.hstack([centres, sides]) / STRIDE]


def _ignore(target: Floats, x: float, y: float, reach_x: float, reach_y: float) -> None:
    """So far around (x, y), in cells, the heat says neither yes nor no."""
    left, right = math.floor(x - reach_x), math.ceil(x + reach_x)
    top, bottom = math.floor(y - reach_y), math.ceil(y + reach_y)
    target[6, max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = 0


def _draw(target: Floats, x: float, y: float, width: float, height: float) -> None:
    """One head, in cells."""
    side = math.sqrt(width * height) * STRIDE
    if not (-width / 2 < x < GRID + width / 2 and -height / 2 < y < GRID + height / 2):
        return
    if side > NO_HEAD_ABOVE_PX:
        return
    inside = 0 <= x < GRID and 0 <= y < GRID
    if side < IGNORED_BELOW_PX or side > IGNORED_ABOVE_PX or not inside:
        # Too small to be seen, too large for this scale, or cut off: the middle says neither yes nor no.
        share = 0.6 if side < IGNORED_BELOW_PX else 0.25 if inside else 0.5
        _ignore(target, x, y, width * share, height * share)
        return
    sigma_x, sigma_y = 0.1 * width + 0.35, 0.1 * height + 0.35
    left, right = max(0, int(x - 3 * sigma_x)), min(GRID, int(x + 3 * sigma_x) + 1)
    top, bottom = max(0, int(y - 3 * sigma_y)), min(GRID, int(y + 3 * sigma_y) + 1)
    column, row = np.arange(left, right), np.arange(top, bottom)
    centre_x, centre_y = int(x), int(y)
    bell = np.exp(-((row - centre_y) ** 2) / (2 * sigma_y**2))[:, None]
    bell = bell * np.exp(-((column - centre_x) ** 2) / (2 * sigma_x**2))
    window = target[:, top:bottom, left:right]
    ours = bell > window[0]
    window[0][ours] = bell[ours]
    window[6][ours] = 1
    window[1][ours] = (np.broadcast_to(x - column, bell.shape))[ours]
    window[2][ours] = (np.broadcast_to((y - row)[:, None], bell.shape))[ours]
    window[3][ours], window[4][ours] = math.log(width), math.log(height)
    window[5][ours] = np.where(bell > 0.4, bell, 0)[ours]


def batch(data: Labelled, seed: int, numbers: range) -> tuple[npt.NDArray[np.uint8], Floats]:
    """Crops `numbers`: pictures (N, 320, 320, 3) and targets (N, 7, 80, 80)."""
    pictures = np.empty((len(numbers), SIZE, SIZE, 3), np.uint8)
    targets = np.empty((len(numbers), 7, GRID, GRID), np.float32)
    for place, number in enumerate(numbers):
        pictures[place], targets[place] = crop(data, seed, number)
    return pictures, targets

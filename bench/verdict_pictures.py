"""Labelled pictures and what a counter finds in them, kept between runs: finding takes half a minute of
processor time, judging what was found seconds."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from models.heads import HeadCounter

Floats = npt.NDArray[np.float64]


def picture_of(path: Path) -> npt.NDArray[np.uint8]:
    """(height, width, 3). SystemExit where it is none."""
    image = cv2.imread(str(path))
    if image is None:
        raise SystemExit(f"{path}: 不是图片 / is no picture")
    return np.asarray(image, np.uint8)


def labelled(folder: Path) -> dict[str, Floats]:
    """Picture → (n, 3): x, y, size of its heads in units of its height."""
    boxes = defaultdict(list)
    with (folder / "labels.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            boxes[row["file"]].append([float(row[key]) for key in ("x1", "y1", "x2", "y2")])
    found = {}
    for name, rows in sorted(boxes.items()):
        image = cv2.imread(str(folder / name), cv2.IMREAD_REDUCED_GRAYSCALE_8)
        if image is None:
            raise SystemExit(f"{folder / name}: 不是图片 / is no picture")
        height = 8 * image.shape[0]
        box = np.array(rows)
        middle = (box[:, :2] + box[:, 2:]) / 2 / height
        size = np.sqrt((box[:, 2:] - box[:, :2]).prod(1)) / height
        found[name] = np.column_stack([middle, size])
    return found


def counted(folder: Path, names: Iterable[str], net: HeadCounter, kept: Path | None) -> dict[str, Floats]:
    """Picture → (k, 4): x, y, size and score of what the counter finds, the surest first, in units of the
    picture's height. `kept`: a folder that remembers, by the counter's full name."""
    file = kept and kept / f"{hashlib.sha256(f'{net.name} {folder}'.encode()).hexdigest()[:16]}.json"
    known: dict[str, Any] = json.loads(file.read_text()) if file and file.is_file() else {}
    new = [name for name in names if name not in known]
    for name in new:
        image = picture_of(folder / name)
        height = image.shape[0]
        known[name] = [
            (
                (each.box.left + each.box.right) / 2 / height,
                (each.box.top + each.box.bottom) / 2 / height,
                float(np.sqrt((each.box.right - each.box.left) * (each.box.bottom - each.box.top))) / height,
                min(max(each.score, 1e-4), 1 - 1e-4),
            )
            for each in net.count(image)
        ]
    if file and new:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(known), encoding="utf-8")
    return {name: np.array(known[name], np.float64).reshape(-1, 4) for name in names}

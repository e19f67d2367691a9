"""Heads that the labels leave out: `python -m models.training.unlabelled --work FOLDER`; see README.md.

A tenth of the people of such labels have no box, and a net that is told that they are background learns to
doubt people who sit where these do. A trained net says where it sees a head nevertheless; there the training
says neither yes nor no (`crops.Labelled.doubtful`). What it takes for a head and is none is then not taught
either, which is the price.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from models.head_net import HeadNet
from models.images import Detection
from models.training.crops import open_cache

LEAST_SCORE = 0.5
NEAR = 0.6
"""A detection whose centre is nearer to a labelled one's than so many of its sizes is that head."""
LARGEST = 1.3
"""Of the size of the picture's labelled heads, their median: what is larger is a back or a bag more often."""


def left_out(found: list[Detection], boxes: npt.NDArray[np.float64]) -> list[list[float]]:
    """Boxes (x1, y1, x2, y2) of the sure detections that are none of the labelled heads `boxes` (N, 4)."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    sides = np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1))
    doubtful = []
    for detection in found:
        box = detection.box
        side = max(1.0, box.width * box.height) ** 0.5
        if detection.score < LEAST_SCORE or side > LARGEST * np.median(sides):
            continue
        x, y = box.left + box.width / 2, box.top + box.height / 2
        away = np.hypot(centres[:, 0] - x, centres[:, 1] - y)
        if not bool((away < NEAR * np.maximum(sides, side)).any()):
            doubtful.append([float(each) for each in (box.left, box.top, box.right, box.bottom)])
    return doubtful


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder with the cache of a training")
    cv2.setNumThreads(1)
    work: Path = parser.parse_args().work
    data, net = open_cache(work / "cache"), HeadNet()
    doubtful = []
    for picture, boxes in enumerate(data.boxes):
        doubtful.append(left_out(net.count(data.level(picture, 0)), boxes))
        if picture % 100 == 99:
            many, labelled = sum(map(len, doubtful)), sum(map(len, data.boxes[: picture + 1]))
            print(f"{picture + 1} of {len(data.boxes)} pictures: {many} beside {labelled} labels", flush=True)
    (work / "unlabelled.json").write_text(json.dumps(doubtful))


if __name__ == "__main__":
    main()

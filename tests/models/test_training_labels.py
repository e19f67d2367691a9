"""Labels that leave heads out: what a trained net sees beside them is neither taught nor taught away."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from models.images import Box, Detection
from models.training.crops import build_cache, crop, open_cache
from models.training.unlabelled import left_out

LABELLED = (100.0, 100.0, 124.0, 124.0)
LEFT_OUT = (160.0, 100.0, 184.0, 124.0)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """One picture of 320 × 240 with one labelled head."""
    folder = tmp_path / "train"
    folder.mkdir()
    cv2.imwrite(str(folder / "one.png"), np.full((240, 320, 3), 90, np.uint8))
    with (folder / "labels.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerows([("file", "x1", "y1", "x2", "y2"), ("one.png", *LABELLED)])
    build_cache({str(folder): 1.0}, tmp_path / "cache")
    return tmp_path


def weights(cache: Path) -> npt.NDArray[np.float32]:
    """Of the heat, in forty crops."""
    data = open_cache(cache / "cache")
    return np.stack([crop(data, 1, number)[1][6] for number in range(40)])


def test_only_what_may_be_a_head_loses_its_weight(cache: Path) -> None:
    before = weights(cache)
    (cache / "unlabelled.json").write_text(json.dumps([[LEFT_OUT]]))
    after = weights(cache)
    (cache / "unlabelled.json").write_text(json.dumps([[LABELLED]]))
    over_the_label = weights(cache)

    assert (after <= before).all()
    assert (after < before).any()
    data = open_cache(cache / "cache")
    centres = np.stack([crop(data, 1, number)[1][0] == 1 for number in range(40)])
    assert centres.any()
    assert (over_the_label[centres] == 1).all()  # a labelled head is taught, whatever lies over it


def test_left_out_is_sure_of_a_heads_size_and_no_labelled_head() -> None:
    def found(x: int, side: int, score: float) -> Detection:
        return Detection(Box(x, 100, side, side), score)

    boxes = np.array([LABELLED])
    sure, doubtful = found(160, 24, 0.6), found(160, 24, 0.4)
    labelled, back = found(106, 24, 0.9), found(160, 40, 0.9)

    assert left_out([sure, doubtful, labelled, back], boxes) == [list(LEFT_OUT)]

"""The sample media of the registries as pictures; fetched where `make samples` has not run yet."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np

from models.images import BGRImage
from scripts.samples import PEOPLE_IN_T1, fetch


@cache
def sample_files() -> dict[str, Path]:
    """Every sample by its file name."""
    return fetch()


@cache
def sample_photo(name: str) -> BGRImage:
    """A sample photo; not to be written into."""
    image = cv2.imread(str(sample_files()[name]), cv2.IMREAD_COLOR)
    assert image is not None
    return np.asarray(image, dtype=np.uint8)


def sample_stranger(number: int = 3) -> BGRImage:
    """Head and shoulders of one of the six people in t1.jpg."""
    left, top, right, bottom = PEOPLE_IN_T1[number]
    return sample_photo("t1.jpg")[top:bottom, left:right]

"""What a door camera sees, composed from sample photos: faces of a given width at given places."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from models.faces import load_engine
from models.images import BGRImage
from tests.sample_media import sample_photo

WIDTH, HEIGHT = 960, 540
NOISES = 4


_finder = cache(load_engine)


@cache
def _head(name: str) -> tuple[BGRImage, float]:
    """The head with its surroundings cut from a sample photo, and the face's width in it, pixels."""
    photo = sample_photo(name)
    box = _finder(min_face_px=80).detect(photo)[0].box
    margin = round(0.7 * box.width)
    top, left = max(0, box.top - margin), max(0, box.left - margin)
    return photo[top : box.bottom + margin, left : box.right + margin], float(box.width)


@dataclass(frozen=True)
class Standing:
    """Somebody in the doorway."""

    photo: str
    face_px: int = 180
    centre_x: int = WIDTH // 2
    blur: float = 0.0
    light: float = 1.0
    mirrored: bool = False


def scene(*people: Standing, shift: int = 0, seed: int = 0) -> BGRImage:
    """One picture with `people` in it, moved right by `shift` pixels, under a sensor's noise."""
    picture = np.full((HEIGHT, WIDTH, 3), (120, 128, 132), np.uint8)
    for person in people:
        head, width = _head(person.photo)
        scale = person.face_px / width
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        small = np.asarray(cv2.resize(head, None, fx=scale, fy=scale, interpolation=way))
        if person.mirrored:
            small = small[:, ::-1]
        if person.blur:
            small = np.asarray(cv2.GaussianBlur(small, (0, 0), person.blur))
        small = np.asarray(cv2.convertScaleAbs(small, alpha=person.light), np.uint8)[:HEIGHT]
        left = person.centre_x - small.shape[1] // 2 + shift
        top = (HEIGHT - small.shape[0]) // 2
        inside = small[:, max(0, -left) : max(0, WIDTH - left)]
        left = max(0, left)
        picture[top : top + inside.shape[0], left : left + inside.shape[1]] = inside
    return np.asarray(cv2.add(picture, _noise(seed % NOISES), dtype=cv2.CV_8U), np.uint8)


@cache
def _noise(seed: int) -> npt.NDArray[np.int16]:
    grey = np.random.default_rng(seed).normal(0, 2.0, (HEIGHT, WIDTH, 1))
    return np.repeat(grey, 3, axis=2).astype(np.int16)


def visit(*people: Standing, pictures: int = 12) -> Iterator[BGRImage]:
    """`people` standing in the doorway for so many pictures, swaying a little."""
    for number in range(pictures):
        yield scene(*people, shift=round(6 * np.sin(number / 2)), seed=number)


def empty(pictures: int = 15) -> Iterator[BGRImage]:
    """Nobody in the doorway."""
    for number in range(pictures):
        yield scene(seed=number)

"""Counting people in the picture of the rear camera.

A `HeadCounter` finds people; counting over time and what a count means are the caller's. It answers with
everything above a low floor, each with a score; who counts applies a cut, the counter's own or the room's.
"""

from __future__ import annotations

import math
from typing import Literal, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from models.images import BGRImage, Box, Detection, require_image


class HeadCounter(Protocol):
    """Finds people in one picture. Not safe for use by two threads at once."""

    name: str
    """Written beside each count, e.g. "opencv-hog-people"."""
    finds: Literal["person", "head"]
    """What a box encloses."""
    floor: float
    """Least score of what `count` answers, 0..1."""
    cut: float
    """Score from which on a detection counts where nothing was fitted to the room, `floor`..1."""

    def count(self, image: BGRImage) -> list[Detection]:
        """Everything found with a score of `floor` and more, surest first, at most one box a person; scores
        are 0..1; empty when there is nothing. ValueError for what is no picture."""
        ...


class OpencvHogPeople:
    """Dalal and Triggs' HOG with a linear SVM, trained on people who stand or walk.

    It sees whole standing bodies: people SEATED, cut off by desks or seen as a row of backs are mostly
    missed, and upright furniture is sometimes counted. Good enough to carry the data path on street
    pictures, never to judge R6 in a classroom; each count names its detector for that reason.
    Chosen and measured on the same six frames of OpenCV's vtest.avi (768x576; 36 people counted by eye):
    32 found, mean absolute error 0.7 a frame, about 150 ms a frame on one idle x86 core.
    """

    name = "opencv-hog-people"
    finds: Literal["person", "head"] = "person"
    floor: float
    cut: float

    def __init__(self, *, smallest_person_px: int = 75, hit_threshold: float = 0.6) -> None:
        """`smallest_person_px`: height of the smallest person to find (40..128): the picture is enlarged
        until that fills the detector's 128 px window, and the cost grows with the square of it.
        `hit_threshold`: the SVM's distance from its plane, 0..2; lower finds more people and furniture."""
        if not 40 <= smallest_person_px <= 128:
            raise ValueError(f"smallest_person_px is {smallest_person_px}, expected 40..128")
        if not 0 <= hit_threshold <= 2:
            raise ValueError(f"hit_threshold is {hit_threshold}, expected 0..2")
        self._scale = 128 / smallest_person_px
        self._hit_threshold = hit_threshold
        self.floor = self.cut = _squashed(hit_threshold)  # the SVM's distance is no probability: one cut only
        self._hog = cv2.HOGDescriptor()
        self._hog.setSVMDetector(np.asarray(cv2.HOGDescriptor.getDefaultPeopleDetector()))

    def count(self, image: BGRImage) -> list[Detection]:
        """Every person found, surest first; ValueError for what is no picture."""
        require_image(image)
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        enlarged = cv2.resize(grey, None, fx=self._scale, fy=self._scale, interpolation=cv2.INTER_LINEAR)
        if enlarged.shape[0] < 128 or enlarged.shape[1] < 64:
            return []  # smaller than the detector's window: HOGDescriptor would raise an assertion
        found, weights = self._hog.detectMultiScale(
            enlarged,
            hitThreshold=self._hit_threshold,
            winStride=(8, 8),
            padding=(8, 8),
            scale=1.1,
            groupThreshold=0,  # all raw hits: suppression below keeps each box's own score
        )
        scores = [float(weight) for weight in np.ravel(np.asarray(weights))]
        boxes = [self._original(rectangle) for rectangle in np.asarray(found).reshape(-1, 4)]
        kept = cv2.dnn.NMSBoxes(boxes, scores, self._hit_threshold, 0.3) if boxes else ()
        return [
            Detection(boxes[i], _squashed(scores[i]))
            for i in sorted(map(int, kept), key=lambda i: -scores[i])
        ]

    def _original(self, rectangle: npt.NDArray[np.int32]) -> Box:
        left, top, width, height = (round(int(value) / self._scale) for value in rectangle)
        return Box(left, top, width, height)


def _squashed(distance: float) -> float:
    """Any distance from the SVM's plane as 0..1."""
    return 1 / (1 + math.exp(-distance))

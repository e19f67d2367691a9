"""By how much a picture as a whole lies beside another: a building that shakes, whoever moves in the room."""

from __future__ import annotations

from functools import cache
from typing import Final

import cv2
import numpy as np

from agent.visibility.view import COARSE, Field

PARTS: Final = (4, 3)
"""Across and down. The middle one of their shifts is the picture's: a class that leans has moved some."""
FEWEST: Final = 4
"""Parts whose shift is clear."""
CLEAR: Final = 0.1
"""Response of a phase correlation."""
LARGEST_PX: Final = 10.0
SLOW_PX: Final = 6.0
BRIGHTEST: Final = 20.0
"""Grey levels of contrast that count: one lamp must not decide."""


def whole_shift(now: Field, before: Field) -> tuple[float, float]:
    """(right, down) in pixels of COARSE, both pictures of that size; (0, 0) where it is not clear."""
    first, second = _contrast(before), _contrast(now)
    width, height = COARSE[0] // PARTS[0], COARSE[1] // PARTS[1]
    found: list[tuple[float, float]] = []
    for top in range(0, COARSE[1], height):
        for left in range(0, COARSE[0], width):
            part = np.s_[top : top + height, left : left + width]
            one, other = np.ascontiguousarray(first[part]), np.ascontiguousarray(second[part])
            (right, down), response = cv2.phaseCorrelate(one, other, _window(width, height))
            if response > CLEAR and np.hypot(right, down) < LARGEST_PX:
                found.append((right, down))
    if len(found) < FEWEST:
        return 0.0, 0.0
    right, down = np.median(found, axis=0)
    return float(right), float(down)


def laid_back(grey: Field, shift: tuple[float, float]) -> Field:
    """`grey` with `shift` taken off."""
    matrix = np.array([[1, 0, -shift[0]], [0, 1, -shift[1]]], np.float32)
    size, border = (grey.shape[1], grey.shape[0]), cv2.BORDER_REPLICATE
    back = cv2.warpAffine(grey, matrix, size, flags=cv2.INTER_CUBIC, borderMode=border)
    return np.asarray(back, np.float32)


def _contrast(grey: Field) -> Field:
    flat = grey - cv2.GaussianBlur(grey, (0, 0), SLOW_PX)
    return np.asarray(np.clip(flat, -BRIGHTEST, BRIGHTEST), np.float32)


@cache
def _window(width: int, height: int) -> Field:
    return np.asarray(cv2.createHanningWindow((width, height), cv2.CV_32F), np.float32)

"""What is new in a key frame against those before it: noise, and whatever moved; no light, no shaking.

The noise of two moments is independent, in every camera that lives. So it tells a picture that stands still
(agent.visibility.stillness) and one that was seen before (agent.visibility.replay)."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from agent.visibility.view import Field

SIZE: Final = (160, 90)
"""Width and height at which it is taken."""
LIGHT_PX: Final = 15
"""Pixels of SIZE within which the light may have changed by one factor."""


def flattened(grey: Field) -> Field:
    """A picture of SIZE without its slow changes across."""
    return np.asarray(grey - cv2.GaussianBlur(grey, (0, 0), 3), np.float32)


def news_of(now: Field, before: Field) -> Field:
    """What `now` shows beside `before` (both flattened): in any light, and wherever a small shift of the
    picture moved its edges."""
    # Another light makes the same edges weaker or stronger, place by place: that is no news.
    # Where there are hardly any edges the light is held to be the same: else they would be news at each look.
    gain = (_local_mean(now * before) + 1.0) / (_local_mean(before * before) + 1.0)
    return _unmoved(np.asarray(now - gain * before, np.float32), before)


def _unmoved(news: Field, before: Field) -> Field:
    """`news` without what a small shift of the picture makes of its edges, place by place: a mount that gives
    way, a building that shakes."""
    across = cv2.Sobel(before, cv2.CV_32F, 1, 0, scale=0.125)
    down = cv2.Sobel(before, cv2.CV_32F, 0, 1, scale=0.125)
    a, b, c = _local_mean(across * across) + 0.5, _local_mean(across * down), _local_mean(down * down) + 0.5
    d, e = _local_mean(news * across), _local_mean(news * down)
    determinant = a * c - b * b
    right, below = (d * c - e * b) / determinant, (e * a - d * b) / determinant
    return np.asarray(news - right * across - below * down, np.float32)


def _local_mean(values: Field) -> Field:
    return np.asarray(cv2.boxFilter(values, cv2.CV_32F, (LIGHT_PX, LIGHT_PX)), np.float32)

"""What moved in the room from one picture to another: no light, no shaking; short enough to be kept."""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

import cv2
import numpy as np

from agent.visibility.news import SIZE, flattened, news_of
from agent.visibility.view import Field
from agent.visibility.whole_shift import laid_back, whole_shift

GRID: Final = (5, 3)
"""Cells across and down."""
CELLS: Final = GRID[0] * GRID[1]
LENGTH: Final = 24
"""Numbers kept of each cell."""
CLIPPED: Final = 3.0
"""Times the mean: somebody who walks through must not drown the movements of all the rest."""


class RoomChange(NamedTuple):
    """From one picture to a later one."""

    projected: Field
    """Shape (CELLS, LENGTH), of length one as a whole."""
    lengths: Field
    """Of each cell's part of it."""
    energy: Field
    """Mean square of each cell's change, in grey levels."""
    median: float
    """Change of most places, in grey levels."""
    shift_px: float
    """Of the whole view, taken off; pixels of COARSE."""
    light: float
    """By what share it changed."""


def change_between(now: Field, last: Field) -> RoomChange:
    """Both pictures at COARSE (`Structure.small`)."""
    shift = whole_shift(now, last)
    news = news_of(_reduced(laid_back(now, shift)), _reduced(last))
    most = CLIPPED * float(np.sqrt((news * news).mean()))
    cells = _in_cells(np.clip(news, -most, most))
    projected = cells @ _projection()
    projected = np.asarray(projected / max(float(np.linalg.norm(projected)), 1e-6), np.float32)
    light = float(np.log(np.median((now[::8, ::8] + 4) / (last[::8, ::8] + 4))))
    return RoomChange(
        projected=projected,
        lengths=np.maximum(np.linalg.norm(projected, axis=1), 1e-6).astype(np.float32),
        energy=np.asarray((cells * cells).mean(axis=1), np.float32),
        median=float(np.median(np.abs(news))),
        shift_px=float(np.hypot(*shift)),
        light=abs(light),
    )


def _reduced(grey: Field) -> Field:
    return flattened(np.asarray(cv2.resize(grey, SIZE, interpolation=cv2.INTER_AREA), np.float32))


def _in_cells(values: Field) -> Field:
    across, down = GRID
    cells = values.reshape(down, SIZE[1] // down, across, SIZE[0] // across)
    return np.asarray(cells.transpose(0, 2, 1, 3).reshape(CELLS, -1), np.float32)


@cache
def _projection() -> Field:
    """Shape (pixels of a cell, numbers kept of it); the same in every process."""
    generator = np.random.default_rng(20261123)
    return generator.standard_normal((SIZE[0] * SIZE[1] // CELLS, LENGTH), dtype=np.float32)

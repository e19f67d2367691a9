"""One template out of several frames of one face.

What is wrong with a frame (noise, blur, light, points a pixel off) differs from the next one's, and who is
seen does not: the mean of the templates lies nearer to its owner than any of them, and no nearer to others
than their fit allows, as the cut moves with the probe (agent/checkin/cut_fitting.py). Figures in
bench/RESULTS.md.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from models.faces import Template

LEAST_WEIGHT: Final = 0.05
"""Of the poorest frame beside the best one: it counts little, and never nothing."""

MEASURED_ENGINES: Final = frozenset({"sface-128-v1"})
"""Whose means were measured: no other engine's name anybody (I9)."""


class Fusion:
    """Templates of the frames that one deliberation has gathered."""

    def __init__(self) -> None:
        self._templates: list[Template] = []
        self._weights: list[float] = []

    def add(self, template: Template, quality: float, gathered: int) -> Template:
        """Take one frame's `template` (length,), of `quality` 0..1; the mean of it and the `gathered` frames
        before it, weighted by quality, and as long as they are on average: the engine's distances mean what
        they mean for one frame. Earlier frames are forgotten."""
        forgotten = max(0, len(self._templates) - gathered)
        del self._templates[:forgotten], self._weights[:forgotten]
        self._templates.append(template)
        self._weights.append(max(quality, LEAST_WEIGHT))
        frames = np.stack(self._templates).astype(np.float64)
        weights = np.array(self._weights) / sum(self._weights)
        mean = weights @ frames
        length = float(weights @ np.linalg.norm(frames, axis=1))
        return np.asarray(mean * (length / max(float(np.linalg.norm(mean)), 1e-9)), np.float32)

"""Has this been seen before? A loop of the past, found by what never repeats: a sensor's noise and people's
small movements.

Of each key frame what is new against the one before is taken: the noise, and whatever moved. Of two moments
of a living room these are independent, and their cosine is that of chance; a picture that is shown again
brings its own back, through another encoder too. Three key frames in a row that each find theirs at the same
distance are a loop. Against the one before and no older ones: another light, people who come or go, are new
once, and what comes back the same, as they do each day, comes back in one look and not in three.

For eight hours a short random projection of it is kept (7 MB), of the last minutes all of it
(`agent.visibility.recent_news`), which knows most loops out of step with the key frames. A loop of the
sensor's own pictures (from within the camera) half way between the looks is seen once it comes round. All in
memory alone: a loop longer than the process lives is not seen.
"""

from __future__ import annotations

from collections import deque
from functools import cache
from typing import Final

import cv2
import numpy as np

from agent.visibility.news import SIZE, flattened, jump_px, news_of
from agent.visibility.recent_news import (
    LARGEST_QUARTER,
    NEAREST,
    QUARTERS,
    Lags,
    RecentNews,
    beyond_the_usual,
    evened,
)
from agent.visibility.view import Field

KEPT: Final = 14_400
"""Key frames: eight hours at two seconds."""
LENGTH: Final = 256
"""Numbers kept of each: chance gives a cosine of 1/16 on average, 0.27 at the most in eight hours."""
ALIKE: Final = 0.30
"""Measured of lessons, sunsets, slides and poor streams: 0.28 at the most; of a loop that was copied 0.7 to 1
from its second key frame on, of one that was encoded again 0.3 to 0.9, rising (bench/tamper.py)."""
ALIKE_ON_AVERAGE: Final = 0.40
"""Over those in a row."""
ALIKE_EACH: Final = 0.12
"""In each quarter of the picture."""
NEARLY_BEST: Final = 0.1
"""A loop that came round several times is found at each of its lengths."""
IN_A_ROW: Final = 3
NOISE_ON_AVERAGE: Final = 0.20
MOVEMENT_ON_AVERAGE: Final = 0.34
"""Of the last minutes (`recent_news`), over those in a row."""
SHAKEN_PX: Final = 0.25
"""Pixels of `news.SIZE` (three of 1920) by which the whole picture jumped since the look before: what edges
leave then is alike whenever it jumps that way, and nothing can be said. Measured of a class that sways 0.14
at the most, of a building that shakes by 2 px of 640 0.44 at the least."""
LEAST_NEWS: Final = 0.15
"""Mean news in grey levels below which there is none: a digital black, a frozen picture."""


class _InARow:
    """Looks that each found themselves in the past, at the same distance give or take one: a loop of 9.4 s
    comes back after five key frames, and then after four."""

    def __init__(self, on_average: float) -> None:
        self._on_average = on_average
        self._found: deque[Lags] = deque(maxlen=IN_A_ROW)

    def clear(self) -> None:
        self._found.clear()

    def is_loop(self, found: Lags) -> bool:
        """Take what the next look found."""
        self._found.append(found)
        if len(self._found) < IN_A_ROW:
            return False
        return any(
            self._sum_at(lag) >= self._on_average * IN_A_ROW
            for lag in {*found, *(at + 1 for at in found), *(at - 1 for at in found)}
        )

    def _sum_at(self, lag: int) -> float:
        best = [max(each.get(lag + near, 0.0) for near in (-1, 0, 1)) for each in self._found]
        return sum(best) if min(best) > 0 else 0.0


class ReplayWatch:
    """One camera's key frames, in the order of time."""

    def __init__(self) -> None:
        self._kept = np.zeros((KEPT, QUARTERS, LENGTH // QUARTERS), np.float16)
        self._count = 0
        self._last: Field | None = None
        self._recent = RecentNews()
        self._in_a_row = _InARow(ALIKE_ON_AVERAGE), _InARow(NOISE_ON_AVERAGE), _InARow(MOVEMENT_ON_AVERAGE)

    def is_repeated(self, small: Field) -> bool:
        """Take a key frame's brightness (float32, 0..255, any size); whether it and those just before were
        seen before, in this order."""
        reduced = cv2.resize(small, SIZE, interpolation=cv2.INTER_AREA)
        grey = flattened(np.asarray(reduced, np.float32))
        last, self._last = self._last, grey
        if last is None:
            return False
        news = news_of(grey, last)
        if float(np.median(np.abs(news))) < LEAST_NEWS or jump_px(grey, last) > SHAKEN_PX:
            for each in self._in_a_row:
                each.clear()
            return False
        found = self._long_ago(news), *self._recent.find(news)
        said = [row.is_loop(lags) for row, lags in zip(self._in_a_row, found, strict=True)]
        return any(said)  # each takes the look, whatever another says

    def _long_ago(self, news: Field) -> Lags:
        projected = evened(news) @ _projection()
        projected /= np.maximum(np.linalg.norm(projected, axis=1, keepdims=True), 1e-6)
        seen = min(self._count, KEPT)
        each = beyond_the_usual(np.einsum("nqk,qk->nq", self._kept[:seen].astype(np.float32), projected))
        # A fan or a screen goes round in one part of the picture; a loop repeats all of it.
        likeness = np.where(each.min(axis=1, initial=1.0) >= ALIKE_EACH, each.mean(axis=1), 0.0)
        # Newest first: 1 is the key frame before, wherever the ring has come to.
        lag = (self._count - 1 - np.arange(seen)) % KEPT + 1
        likeness[lag <= NEAREST] = 0.0
        self._kept[self._count % KEPT] = projected
        self._count += 1
        best = float(likeness.max(initial=0.0))
        good = np.flatnonzero(likeness >= max(ALIKE, best - NEARLY_BEST))
        return {int(lag[at]): float(likeness[at]) for at in good}


@cache
def _projection() -> Field:
    """Shape (pixels of a quarter, numbers kept of it); the same in every process."""
    generator = np.random.default_rng(20261122)
    shape = (LARGEST_QUARTER, LENGTH // QUARTERS)
    return generator.standard_normal(shape, dtype=np.float32)

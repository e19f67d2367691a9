"""Has this been seen before? A loop of the past, found by what never repeats: a sensor's noise and people's
small movements.

Of each key frame what is new against the mean of those just before is kept, as a short random projection: the
noise, and whatever moved. Of two moments of a living room these are independent, and their cosine is that of
chance; a picture that is shown again brings its own back, through another encoder too. Three key frames in a
row that each find theirs at the same distance are a loop.

Whoever taps a camera's stream gets the noise of its key frames in the pictures that follow them, because an
encoder leaves alone what does not move: where enough of it stays, a loop is known at any phase. Else, and for
a loop of pictures that were never encoded (from within the camera), one that is out of step with the key
frames is seen once it comes round. What is kept takes 7 MB for eight hours, a key frame each two seconds, in
memory alone: a loop longer than the process lives is not seen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import cache
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from agent.visibility.news import SIZE, flattened, news_of
from agent.visibility.view import Field

KEPT: Final = 14_400
"""Key frames: eight hours at two seconds."""
LENGTH: Final = 256
"""Numbers kept of each: chance gives a cosine of 1/16 on average, 0.27 at the most in eight hours."""
BACKGROUND: Final = 4
"""Key frames before that a key frame's news is taken against."""
ALIKE: Final = 0.30
"""Measured of lessons, sunsets, slides and poor streams: 0.28 at the most; of a loop that was copied 0.7 to 1
from its second key frame on, of one that was encoded again 0.3 to 0.9, rising (bench/tamper.py)."""
ALIKE_ON_AVERAGE: Final = 0.40
"""Over those in a row."""
ALIKE_EACH: Final = 0.12
"""In each quarter of the picture."""
QUARTERS: Final = 4
CLIPPED: Final = 3.0
"""Times the median: somebody who walks through must not drown the noise of all the rest."""
ANOTHER_SCENE: Final = 2.0
"""Times the news of the look before: another light or view, of which nothing can be said until two looks
of it are known. Twice the same change within hours, as lamps make it, is no loop."""
SHARED_WITH: Final = 2
"""Looks before, whose news is taken off: what shows in them too is one event (somebody gone from the mean of
the looks before, edges of a view that shakes) and would count as three things in a row."""
NEARLY_BEST: Final = 0.1
"""A loop that came round several times is found at each of its lengths."""
IN_A_ROW: Final = 3
NEAREST: Final = 3
"""Key frames back from which on another may be found: nearer ones share their background."""
LEAST_NEWS: Final = 0.15
"""Mean news in grey levels below which there is none: a digital black, a frozen picture."""


class ReplayWatch:
    """One camera's key frames, in the order of time."""

    def __init__(self) -> None:
        self._kept = np.zeros((KEPT, QUARTERS, LENGTH // QUARTERS), np.float16)
        self._count = 0
        self._recent: deque[Field] = deque(maxlen=BACKGROUND)
        self._shared: deque[npt.NDArray[np.float32]] = deque(maxlen=SHARED_WITH)
        """News of the last looks."""
        self._lags: deque[frozenset[int]] = deque(maxlen=IN_A_ROW)
        self._best: deque[float] = deque(maxlen=IN_A_ROW)
        """How alike the most alike ones were."""
        self._usual: float | None = None
        """How strong the news of the look before was."""

    def is_repeated(self, small: Field) -> bool:
        """Take a key frame's brightness (float32, 0..255, any size); whether it and those just before were
        seen before, in this order."""
        reduced = cv2.resize(small, SIZE, interpolation=cv2.INTER_AREA)
        grey = flattened(np.asarray(reduced, np.float32))
        news = self._news(grey)
        self._recent.append(grey)
        if news is None:
            self._lags.clear()
            self._shared.clear()
            return False
        own = _without(news, self._shared)
        self._shared.append(news)
        news = own
        seen = min(self._count, KEPT)
        lags: frozenset[int] = frozenset()
        best = 0.0
        if seen > NEAREST:
            each = np.einsum("nqk,qk->nq", self._kept[:seen].astype(np.float32), news)
            # A fan or a screen goes round in one part of the picture; a loop repeats all of it.
            likeness = np.where(each.min(axis=1) >= ALIKE_EACH, each.mean(axis=1), 0.0)
            # Newest first: 1 is the key frame before, wherever the ring has come to.
            lag = (self._count - 1 - np.arange(seen)) % KEPT + 1
            likeness[lag <= NEAREST] = 0.0
            best = float(likeness.max())
            found = (int(each) for each in lag[likeness >= max(ALIKE, best - NEARLY_BEST)])
            # A loop of 9.4 s comes back after five key frames, and then after four.
            lags = frozenset(near for each in found for near in (each - 1, each, each + 1))
        self._kept[self._count % KEPT] = news
        self._count += 1
        self._lags.append(lags)
        self._best.append(best)
        is_one = len(self._lags) == IN_A_ROW and bool(frozenset.intersection(*self._lags))
        return is_one and sum(self._best) >= ALIKE_ON_AVERAGE * IN_A_ROW

    def _news(self, grey: Field) -> npt.NDArray[np.float32] | None:
        if len(self._recent) < 2:
            return None
        before = np.asarray(np.mean(np.stack(self._recent), axis=0), np.float32)
        news = news_of(grey, before)
        spread = float(np.median(np.abs(news)))
        usual, self._usual = self._usual, spread
        if usual is not None and spread > ANOTHER_SCENE * usual:
            # What the next looks share beside the old scene is the new one, and no noise.
            self._recent.clear()
            return None
        if spread < LEAST_NEWS:
            return None
        clipped = np.clip(news, -CLIPPED * spread, CLIPPED * spread)
        height, width = SIZE[1] // 2, SIZE[0] // 2
        quarters = clipped.reshape(2, height, 2, width).transpose(0, 2, 1, 3).reshape(QUARTERS, -1)
        return _of_length_one(quarters @ _projection())


def _without(
    news: npt.NDArray[np.float32], shared: Sequence[npt.NDArray[np.float32]]
) -> npt.NDArray[np.float32]:
    """`news` without what lies in the span of `shared`, quarter by quarter."""
    if not shared:
        return news
    basis, _ = np.linalg.qr(np.stack(shared, axis=-1))
    inside = basis @ (basis.transpose(0, 2, 1) @ news[..., None])
    return _of_length_one(news - inside[..., 0])


def _of_length_one(each: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    lengths = np.linalg.norm(each, axis=1, keepdims=True)
    return np.asarray(each / np.maximum(lengths, 1e-6), np.float32)


@cache
def _projection() -> Field:
    """Shape (pixels of a quarter, numbers kept of it); the same in every process."""
    generator = np.random.default_rng(20261122)
    shape = (SIZE[0] * SIZE[1] // QUARTERS, LENGTH // QUARTERS)
    return generator.standard_normal(shape, dtype=np.float32)

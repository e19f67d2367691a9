"""Does the camera's picture stand still? A living one has noise of its own in every picture.

Of each key frame the news against the key frames before the last is taken: noise, and whatever changed. Where
nobody moves, the news of two moments of a living picture share nothing but the little that they are both held
against; a picture that stands still brings the same news again, through any encoder that leaves some of it.

An encoder with few bits to spare leaves too little in its key frames, and spends the rest of the group of
pictures on the noise: there the last pictures of two groups are compared, which costs the decoding of a whole
group and is done only while nobody moves. Not seen: fresh noise of about the old one's strength, added to a
still picture."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from agent.visibility.news import SIZE, flattened, news_of
from agent.visibility.view import Field
from models.images import GreyImage

BLOCK: Final = 10
"""Pixels of `news.SIZE` along a block's side: 16 × 9 blocks."""
SAME_NEWS: Final = 0.70
"""Median correlation over the blocks. Measured (bench/tamper.py) 0.1 to 0.65 of living pictures with and
without people, 0.8 to 1 of pictures that stand still."""
NOBODY_MOVES: Final = 6.0
"""Grey levels by which the block that changed most may have changed on average."""
STEADY: Final = 3.0
"""Grey levels that a block may have changed by at each look to count as one where nothing happens."""
FEWEST_STEADY: Final = 24
"""Blocks of 144: another light, another slide, a busy class leave fewer, and nothing can be said."""
PAST: Final = 8
FEWEST_PAST: Final = 3
"""Key frames that a look is held against."""
LEAST_NEWS: Final = 0.02
"""Grey levels: below it there is no noise to be compared, as in a digital black."""
IDENTICAL_MEAN: Final = 0.45
IDENTICAL_BLOCK: Final = 1.5
"""Mean difference of two key frames, over the picture and in its worst block: what an encoder does to one and
the same picture."""
QUIET_BYTES: Final = (100, 2.5e-4)
"""Of a frame between two key frames that says "nothing new": headers, and so much a pixel: 620 bytes at
1920 × 1080."""

End = Callable[[], GreyImage | None]
"""Decodes the last picture before a key frame; None where there is none."""


class _Look(NamedTuple):
    small: Field
    grey: Field
    """The same at `news.SIZE`."""
    flat: Field
    """The same again, without slow changes across."""


class StillnessWatch:
    """One camera's key frames, in the order of time."""

    def __init__(self) -> None:
        self._past: deque[Field] = deque(maxlen=PAST)
        """Those before the last, while the picture lived."""
        self._changes: deque[Field] = deque(maxlen=PAST)
        """By how much each block changed from look to look, of the same time."""
        self._last: _Look | None = None
        self._end: Field | None = None
        """The last picture of the last group, flattened, if nobody moved in it."""
        self.has_moved = False
        """Whether somebody moved between the last two looks: a picture that lives."""

    def forget(self) -> None:
        """Nothing joins the next look to those before: the room may be another, and what two looks share
        beside an old one is then the room and no noise."""
        self._last, self._end = None, None
        self._past.clear()
        self._changes.clear()

    def is_still(self, small: Field, is_quiet: bool | None, end: End | None) -> bool:
        """Take a key frame's brightness (float32, 0..255, any size); whether it shows what the last one
        showed, its noise included. True too at the first look at which nobody moves and only the ends of
        groups can tell: the next look takes that back. `is_quiet`: the frames between were so small that
        they hold nothing new; None when nobody knows."""
        grey = np.asarray(cv2.resize(small, SIZE, interpolation=cv2.INTER_AREA), np.float32)
        now, last = _Look(small, grey, flattened(grey)), self._last
        self._last = now
        if last is None or last.small.shape != small.shape:
            return False
        changed = _in_blocks(np.abs(grey - last.grey)).mean(axis=1)
        most = float(changed.max())
        self.has_moved = most >= NOBODY_MOVES
        # Where the noise is not halved yet: half of it would be within what an encoder does.
        change = float(np.abs(small - last.small).mean())
        # A camera that takes the noise away, looked at by key frames alone, shows an empty room like that.
        is_known = is_quiet or (is_quiet is None and end is not None)
        if change < IDENTICAL_MEAN and most < IDENTICAL_BLOCK and is_known:
            return True
        steady = self._steady(changed) if most < NOBODY_MOVES else None
        if steady is None:
            return self._lives(last.flat, changed)
        before = np.asarray(np.mean(np.stack(self._past), axis=0), np.float32)
        if _same_news(now.flat, last.flat, before, steady):
            return True
        return self._ends_alike(end, before, steady) or self._lives(last.flat, changed)

    def _ends_alike(self, end: End | None, before: Field, steady: npt.NDArray[np.bool_]) -> bool:
        picture = None if end is None else end()
        if picture is None:
            return False
        reduced = np.asarray(cv2.resize(picture, SIZE, interpolation=cv2.INTER_AREA), np.float32)
        now, last, self._end = flattened(reduced), self._end, flattened(reduced)
        return last is None or _same_news(now, last, before, steady)

    def _lives(self, last: Field, changed: Field) -> bool:
        self._past.append(last)
        self._changes.append(changed)
        if float(changed.max()) >= NOBODY_MOVES:
            self._end = None
        return False

    def _steady(self, changed: Field) -> npt.NDArray[np.bool_] | None:
        if len(self._past) < FEWEST_PAST:
            return None
        steady = np.asarray(np.stack([*self._changes, changed]).max(axis=0) < STEADY)
        return steady if int(steady.sum()) >= FEWEST_STEADY else None


def is_quiet(between: tuple[int, ...] | None, pixels: int) -> bool | None:
    """Whether the frames between two key frames of `pixels` are so small that they hold nothing new; None
    when there were none."""
    if not between:
        return None
    return sum(between) / len(between) <= QUIET_BYTES[0] + QUIET_BYTES[1] * pixels


def _same_news(now: Field, last: Field, before: Field, steady: npt.NDArray[np.bool_]) -> bool:
    # Where the view has no edges a building that shakes cannot look like news.
    edges = (_in_blocks(before) ** 2).mean(axis=1)
    flat = steady & (edges <= np.median(edges[steady]))
    first, second = (_in_blocks(news_of(each, before))[flat] for each in (now, last))
    strong = (first * first).mean(axis=1), (second * second).mean(axis=1)
    if min(float(np.median(each)) for each in strong) < LEAST_NEWS**2:
        return False
    alike = (first * second).mean(axis=1) / np.sqrt(np.maximum(strong[0] * strong[1], 1e-9))
    return float(np.median(alike)) >= SAME_NEWS


def _in_blocks(values: Field) -> Field:
    """Shape (144, 100)."""
    rows, columns = SIZE[1] // BLOCK, SIZE[0] // BLOCK
    return values.reshape(rows, BLOCK, columns, BLOCK).transpose(0, 2, 1, 3).reshape(rows * columns, -1)

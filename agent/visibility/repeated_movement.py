"""Has this movement been seen before? A loop of the past, at any phase of the groups of pictures.

How a room changed from one picture to another two seconds later (who leaned, wrote, turned where) never comes
back: the changes of two moments of a living class have nothing in common. They last: half a second earlier or
later most of a change is the same, through any encoder. So a loop need not meet the key frames of what it was
made of, and it may have been encoded again.

Of each key frame the change since the key frame before is kept, as a short random projection cell by cell.
The newest change and that between the middles of the last two groups are both held against all of them: one
or the other, or both in part, lies within a quarter of a group of what a loop shows again. Three looks in a
row that find it at one distance, wherever something usually moves, are a loop. Screens and fans that go round
move in their own cells alone, or have done so before. Where nobody moves nothing is said: there the noise
tells (agent.visibility.replay)."""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from agent.visibility.room_change import CELLS, LENGTH, RoomChange, change_between
from agent.visibility.view import Field

KEPT: Final = 3600
"""Key frames: two hours at two seconds, 3 MB."""
IN_A_ROW: Final = 3
NEAREST: Final = 3
"""Key frames back from which on another may be found: nearer ones share pictures with it."""
ALIKE: Final = 0.60
"""On average over those in a row. Measured (bench/RESULTS.md): living classes 0.58 at the most, loops 0.72 to
0.9 at their third look."""
ABOVE_USUAL: Final = 0.10
"""More than the most alike of the last minutes."""
ALIKE_EACH: Final = 0.40
"""In a cell that repeats."""
FEWEST_CELLS: Final = 5
SHARE: Final = 0.85
"""Of what usually moves, that must repeat: people beside a screen do not."""
SURGE: Final = 2.5
"""Times what usually changes in a cell: something new moves there, of which its past tells nothing."""
FEWEST_KNOWN: Final = 0.4
"""Of what usually moves, that must lie in other cells."""
MOST_OF_ONE: Final = 6
"""One cell counts a sixth of them all at the most."""
MOVING: Final = 30.0
"""Times a still cell's change that usually moves, all cells together: in a class 100 and more, in an empty
room 0.1, with things that begin to move there 30 after a quarter of an hour."""
NOISE: Final = 4.0
"""Mean square of a still cell's change in grey levels, at the most: where every cell changes by more, all of
them must repeat."""
ANOTHER_SCENE: Final = 2.0
"""Times the change of the look before: another light or view, no movement."""
SHAKEN_PX: Final = 1.0
"""Pixels of `view.COARSE` by which the view may have shifted: what is left of a shift that was taken off is
like what is left of another one."""
LIT: Final = 0.03
"""Share by which the light of the whole may have changed."""
LEAST_CHANGE: Final = 0.15
"""Median change in grey levels below which there is none."""
USUAL_LOOKS: Final = 150
NEW_LOOKS: Final = 8
"""The newest looks say nothing of what is usual: a loop may have begun in them."""
LEARNING: Final = 0.01
"""Of what usually moves at each look, up or down."""


class _Likeness(NamedTuple):
    """To each change that is kept, the newest first."""

    whole: Field
    cells: Field
    """Shape (changes, CELLS)."""


class MovementWatch:
    """One camera's key frames, in the order of time."""

    def __init__(self) -> None:
        self._kept = np.zeros((KEPT, CELLS, LENGTH), np.float16)
        self._lengths = np.ones((KEPT, CELLS), np.float32)
        self._count = 0
        self._last: Field | None = None
        self._last_middle: Field | None = None
        self._median: float | None = None
        """How much changed at the look before."""
        self._likeness: deque[_Likeness] = deque(maxlen=IN_A_ROW)
        self._energies: deque[Field] = deque(maxlen=IN_A_ROW)
        """How much changed in each cell, of the same looks."""
        self._best: deque[float] = deque(maxlen=USUAL_LOOKS)
        """How alike the most alike ones were, while nothing was found."""
        self._moves: Field = np.zeros(CELLS, np.float32)
        """How much usually changes in each cell."""
        self._learned = 0

    def forget(self) -> None:
        """Nothing joins the next look to those before."""
        self._last, self._last_middle, self._median = None, None, None
        self._likeness.clear()

    def is_repeated(self, small: Field, middle: Field | None) -> bool:
        """Take a key frame's brightness (`Structure.small`) and, if there is one, that of the picture halfway
        to it from the one before; whether what moved was seen before, in this order."""
        last, last_middle = self._last, self._last_middle
        self._last, self._last_middle = small, middle
        found = None if last is None else self._movement(small, last)
        if found is None:
            self._likeness.clear()
            return False
        likeness = self._to_all(found)
        if middle is not None and last_middle is not None and len(likeness.whole):
            likeness = _pooled(likeness, self._to_all(change_between(middle, last_middle)))
        self._likeness.append(likeness)
        self._energies.append(found.energy)
        self._keep(found)
        best, is_one = self._judged()
        if not is_one:
            self._best.append(best)
            self._learn(found.energy)
        return is_one

    def _movement(self, now: Field, last: Field) -> RoomChange | None:
        found = change_between(now, last)
        before, self._median = self._median, found.median
        if found.median < LEAST_CHANGE or found.shift_px > SHAKEN_PX or found.light > LIT:
            return None
        return None if before is not None and found.median > ANOTHER_SCENE * before else found

    def _keep(self, change: RoomChange) -> None:
        self._kept[self._count % KEPT] = change.projected
        self._lengths[self._count % KEPT] = change.lengths
        self._count += 1

    def _to_all(self, change: RoomChange) -> _Likeness:
        seen = min(self._count, KEPT)
        newest_first = (self._count - 1 - np.arange(seen)) % KEPT
        each = np.einsum("ncl,cl->nc", self._kept[:seen].astype(np.float32), change.projected)[newest_first]
        return _Likeness(each.sum(axis=1), each / (self._lengths[newest_first] * change.lengths))

    def _judged(self) -> tuple[float, bool]:
        """How alike the most alike ones are, and whether that is a loop."""
        # What was kept since a look lies before what that look was held against: one place is one distance.
        known = min(len(each.whole) for each in self._likeness)
        if len(self._likeness) < IN_A_ROW or known < NEAREST:
            return 0.0, False
        whole = np.mean([each.whole[:known] for each in self._likeness], axis=0)[NEAREST - 1 :]
        cells = np.mean([each.cells[:known] for each in self._likeness], axis=0)[NEAREST - 1 :]
        place = int(whole.argmax())
        best, alike = float(whole[place]), cells[place] >= ALIKE_EACH
        usual = max(list(self._best)[:-NEW_LOOKS], default=0.0)
        if best < max(ALIKE, usual + ABOVE_USUAL):
            return best, False
        return best, self._share(alike) >= SHARE

    def _share(self, alike: npt.NDArray[np.bool_]) -> float:
        """Of what usually moves, how much lies in cells `alike`; 0 where too little does to be asked."""
        still = float(np.clip(np.sort(self._moves)[1], 1e-3, NOISE))
        moves = np.maximum(self._moves - 1.5 * still, 0.0)
        if self._learned < NEW_LOOKS or float(moves.sum()) < MOVING * still:
            return 0.0
        moves = np.minimum(moves, moves.sum() / MOST_OF_ONE)
        known = np.mean(self._energies, axis=0) <= SURGE * np.maximum(self._moves, still)
        if int((alike & known).sum()) < FEWEST_CELLS or moves[known].sum() < FEWEST_KNOWN * moves.sum():
            return 0.0
        return float(moves[alike & known].sum() / moves[known].sum())

    def _learn(self, energy: Field) -> None:
        self._learned += 1
        if self._learned <= NEW_LOOKS:
            self._moves = self._moves + (energy - self._moves) / np.float32(self._learned)
        else:
            # By its sign alone: a screen that is switched on moves more than all the people.
            step = np.where(energy > self._moves, 1 + LEARNING, 1 / (1 + LEARNING))
            self._moves = np.asarray(self._moves * step, np.float32)


def _pooled(keys: _Likeness, middles: _Likeness) -> _Likeness:
    """Both together. As the loop's phase is, the middles' change is most like the same kept change or the one
    before it. Two independent likenesses of chance: as strong together as one."""
    before = _Likeness(*(np.concatenate([each[1:], np.zeros_like(each[:1])]) for each in middles))
    same, other = (
        _Likeness(*((one + two) / np.float32(np.sqrt(2)) for one, two in zip(keys, each, strict=True)))
        for each in (middles, before)
    )
    better = other.whole > same.whole
    whole = np.where(better, other.whole, same.whole)
    return _Likeness(whole, np.where(better[:, None], other.cells, same.cells))

"""The news of the last minutes, pixel by pixel: a short loop of the past is known within a few looks.

What `agent.visibility.replay` keeps for hours is a short projection, whose own chance hides all but a strong
likeness. Of the last minutes the news is kept whole, where chance is a tenth of that, and two weak signs can
be asked for:

*noise*: where nothing moves, some of it came back in every quarter of the picture. A loop that was tapped
holds the noise of key frames in the pictures that follow them, at any phase; one that went through a coarse
encoder holds little;

*movement*: where people move, the news is a mixture of what was new at two looks in a row of the past. A loop
whose pictures lie between two of the looks (its noise never reached a key frame) shows people on their way
from where the one showed them to where the other did. Of many who move independently no other time does."""

from __future__ import annotations

from typing import Final

import numpy as np

from agent.visibility.news import BLOCK, SIZE, in_blocks
from agent.visibility.view import Field

KEPT: Final = 150
"""Looks: five minutes at two seconds; 17 MB."""
NEAREST: Final = 3
"""Looks back from which on another may be found: nearer ones share pictures."""
QUARTERS: Final = 4
LARGEST_QUARTER: Final = ((SIZE[1] // BLOCK + 1) // 2) * (SIZE[0] // BLOCK // 2) * BLOCK * BLOCK
"""Pixels: nine rows of blocks have no middle, and the row there belongs to the lower half."""
NOISE_EACH: Final = 0.05
"""Likeness in each quarter: a fan or a television goes round in one part of the picture; a loop repeats all.
Measured over three looks in a row of 117 of a lesson 0.03 at the most, of tapped loops 0.14 to 0.5."""
NOISE: Final = 0.12
"""On average over the quarters."""
MOVES: Final = 2.0
"""Times the quietest blocks: from there on something moves in a block."""
STRONGEST: Final = 8.0
"""Times the same: more movement in a block counts no more than this."""
FEWEST_MOVING: Final = 12
"""Blocks of 144: one person who walks there and back, a fan and a screen are fewer."""
MOVEMENT: Final = 0.28
"""Share of it that two looks of the past explain. Measured of the same lesson 0.18, of a loop 0.6 s out of
step 0.36 to 0.5; at 1 s, half way between the looks, it is not told from chance."""

Lags = dict[int, float]
"""Looks back at which the past was found again → how alike it was."""


class RecentNews:
    """One camera's, in the order of time."""

    def __init__(self) -> None:
        self._noise = np.zeros((KEPT, QUARTERS, LARGEST_QUARTER), np.float32)
        self._movement = np.zeros((KEPT, SIZE[0] * SIZE[1]), np.float32)
        self._strength = np.zeros(KEPT, np.float32)
        self._joined = np.zeros(KEPT, np.float32)
        """Product of each look's movement with that of the look before."""
        self._count = 0

    def find(self, news: Field) -> tuple[Lags, Lags]:
        """Take a look's news against the look before (of SIZE): where its noise, and where its movement, is
        found in the past."""
        noise, movement = _noise(news), _movement(news)
        # Newest first: 1 is the look before, wherever the ring has come to.
        newest_first = (self._count - 1 - np.arange(min(self._count, KEPT))) % KEPT
        shared = np.asarray((self._movement @ movement)[newest_first], np.float32)
        alike = np.asarray(np.einsum("nqk,qk->nq", self._noise, noise)[newest_first], np.float32)
        explained = _explained(shared, self._strength[newest_first], self._joined[newest_first])
        found = _noise_found(alike), _movement_found(movement, explained)
        place = self._count % KEPT
        self._noise[place], self._movement[place] = noise, movement
        self._strength[place] = movement @ movement
        self._joined[place] = shared[0] if len(shared) else 0.0
        self._count += 1
        return found


def evened(news: Field) -> Field:
    """Block after block, none louder than another: shape (QUARTERS, pixels of one), each of unit length. Cut
    off pixel by pixel, edges that move would leave what is the same for every way that they go."""
    blocks = in_blocks(news)
    strength, quiet = _strength(blocks)
    return _in_quarters(np.asarray(blocks / np.maximum(strength, quiet)[:, None], np.float32))


def _noise(news: Field) -> Field:
    """Of the blocks where nothing moves: shape (QUARTERS, pixels of one), each of unit length or 0."""
    blocks = in_blocks(news)
    strength, quiet = _strength(blocks)
    return _in_quarters(blocks * (strength <= MOVES * quiet)[:, None])


def _movement(news: Field) -> Field:
    """Of the other blocks, none much louder than another, one after another."""
    blocks = in_blocks(news)
    strength, quiet = _strength(blocks)
    weight = np.where(strength > MOVES * quiet, 1 / np.maximum(strength, STRONGEST * quiet), 0.0)
    return np.asarray((blocks * weight[:, None]).ravel(), np.float32)


def _strength(blocks: Field) -> tuple[Field, float]:
    """Of each block, and of the quietest quarter of them."""
    strength = np.asarray(np.sqrt((blocks * blocks).mean(axis=1)), np.float32)
    return strength, max(float(np.percentile(strength, 25)), 1e-3)


def _in_quarters(blocks: Field) -> Field:
    rows, columns = SIZE[1] // BLOCK, SIZE[0] // BLOCK
    top, left = rows // 2, columns // 2
    grid = blocks.reshape(rows, columns, -1)
    found = np.zeros((QUARTERS, (rows - top) * (columns - left), blocks.shape[1]), np.float32)
    for number, part in enumerate(
        (grid[:top, :left], grid[:top, left:], grid[top:, :left], grid[top:, left:])
    ):
        found[number, : part.shape[0] * part.shape[1]] = part.reshape(-1, blocks.shape[1])
    flat = found.reshape(QUARTERS, -1)
    return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6), np.float32)


def beyond_the_usual(alike: Field) -> Field:
    """Likeness of each quarter, shape (looks, QUARTERS), without what a look has in common with all of them:
    edges that move leave something that is the same whichever way they go."""
    return np.asarray(alike - np.maximum(np.median(alike, axis=0), 0.0), np.float32) if len(alike) else alike


def _noise_found(alike: Field) -> Lags:
    alike = beyond_the_usual(alike)
    likeness = alike.mean(axis=1)
    found = np.flatnonzero((alike.min(axis=1) >= NOISE_EACH) & (likeness >= NOISE))
    return {int(at) + 1: float(likeness[at]) for at in found if at >= NEAREST}


def _movement_found(movement: Field, explained: Field) -> Lags:
    strength = float(movement @ movement)
    moving = movement.reshape(-1, BLOCK * BLOCK).any(axis=1)
    if strength <= 0 or int(moving.sum()) < FEWEST_MOVING:
        return {}
    share = explained / strength
    return {int(at) + 1: float(share[at]) for at in np.flatnonzero(share >= MOVEMENT) if at >= NEAREST}


def _explained(shared: Field, own: Field, joined: Field) -> Field:
    """How much of a movement the best mixture of each past look's and of the one before that takes off;
    `shared`: its products with them, `own`: theirs with themselves, `joined`: with those before them."""
    later, earlier, both = own[:-1] + 1e-6, own[1:] + 1e-6, joined[:-1]
    first, second = np.maximum(shared[:-1], 0.0), np.maximum(shared[1:], 0.0)
    alone = np.maximum(first**2 / later, second**2 / earlier)
    # On the way from one to the other: what swings is explained by any two looks, where one may be taken off.
    is_between = (first * earlier > second * both) & (second * later > first * both)
    determinant = np.maximum(later * earlier - both * both, 1e-3 * later * earlier)
    mixed = (first**2 * earlier - 2 * first * second * both + second**2 * later) / determinant
    return np.asarray(np.where(is_between, mixed, alone), np.float32)

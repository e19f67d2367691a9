"""The structure of a picture: edges and where they point, which no light changes, held against a known view.

A picture is split into blocks. In each, the gradients of now are projected on those of the known view. What
is left of them, over what became of the block's brightness, is the block's *transmission*: 1 whatever the
light (a tone curve and a gain scale both alike), 0 where something else is seen, between them behind a veil.
Noise and moving people are in none of the known view's gradients, so they cancel. The same at a fine scale
over a coarse one is the *sharpness*: how much of the lens's resolution is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from models.images import GreyImage

Field = npt.NDArray[np.float32]

FINE: Final = (640, 360)
"""Width and height that the fine scale is judged at. A picture of another shape is stretched: the views that
are compared are stretched alike."""
COARSE: Final = (320, 180)
GRID: Final = (16, 9)
"""Blocks across and down: 20 × 20 coarse pixels each."""
COARSE_BLUR: Final = 1.5
EDGED: Final = 2.0
"""Mean coarse gradient (grey levels a pixel) from which on a block has structure to be compared."""
LARGEST_SHIFT_PX: Final = 24.0
"""Fine pixels up to which a shift is taken off before comparing: it must not look like blur."""
SHAKE_PX: Final = 4.0
SHIFTED_VISIBLE: Final = 0.6
"""A larger shift than `SHAKE_PX` is believed when it brings back so much of the view."""


@dataclass(frozen=True, slots=True)
class Structure:
    """One picture prepared for comparing. Gradients have shape (2, height, width)."""

    fine: Field
    """Brightness, shape FINE."""
    small: Field
    """The same, shape COARSE."""
    coarse: Field
    blocks: Field
    """Mean brightness of each block."""
    saturated: Field
    """Share of each block at the top of the scale."""


@dataclass(slots=True)
class KnownView:
    """What the camera shows when nothing is wrong: one picture, or the running mean of many."""

    fine: Field
    coarse: Field
    fine_gradient: Field
    blocks: Field
    saturated: Field
    fine_energy: Field
    """Of each block: the mean of its fine gradients squared that two looks share. The noise of a dark room is
    in the mean of a few looks too, and would pass for detail that a later look has lost."""
    looks: int = 1

    @classmethod
    def of(cls, seen: Structure) -> KnownView:
        """The view of a single picture (which may itself be a mean of several)."""
        fine = gradient(seen.fine)
        energy = _in_blocks((fine * fine).sum(axis=0))
        return cls(
            seen.fine.copy(), seen.coarse.copy(), fine, seen.blocks.copy(), seen.saturated.copy(), energy
        )

    def learn(self, seen: Structure, rate: float) -> None:
        """Let `seen` into the mean. People who move fade out of it; what stays comes in. It is laid on the
        view first, or a building that shakes would blur the view, and a sharp look at it be none."""
        rate = max(rate, 1 / (self.looks + 1))
        self.looks += 1
        fine, coarse = _laid_on(seen, shift_of(seen.fine, self.fine))
        self.fine += rate * (fine - self.fine)
        self.coarse += rate * (coarse - self.coarse)
        now = gradient(fine)
        shared = _in_blocks((now * self.fine_gradient).sum(axis=0))
        self.fine_energy += (rate if self.looks > 2 else 1.0) * (shared - self.fine_energy)
        self.fine_gradient += rate * (now - self.fine_gradient)
        self.blocks += rate * (seen.blocks - self.blocks)
        self.saturated += rate * (seen.saturated - self.saturated)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A picture held against a known view; arrays have shape (GRID[1], GRID[0])."""

    edged: npt.NDArray[np.bool_]
    """Blocks of the known view that have structure."""
    transmission: Field
    agreement: Field
    """Correlation of the gradients, -1..1: whether what is seen there is what was there."""
    own: Field
    """Mean gradient of now over what the known view would show in this light."""
    light: Field
    """Brightness over that of the known view."""
    sharpness: float | None
    """Fine over coarse transmission, over the blocks that still agree; None when too few do."""
    shift: tuple[float, float]
    """(right, down) in fine pixels that was taken off before comparing."""

    @property
    def visible(self) -> float:
        """Share of the edged blocks that still show what they showed, 0..1."""
        return float(self.seen[self.edged].mean()) if self.edged.any() else 1.0

    @property
    def seen(self) -> npt.NDArray[np.bool_]:
        return np.asarray((self.agreement >= SEEN_AGREEMENT) & (self.transmission >= SEEN_TRANSMISSION))


SEEN_AGREEMENT: Final = 0.30
SEEN_TRANSMISSION: Final = 0.25
FEWEST_SHARP_BLOCKS: Final = 6
LEAST_SHARED: Final = 0.1
"""Of a known view's fine structure, held to be the room's whatever its looks share."""


def structure(luma: GreyImage) -> Structure:
    """Prepare a key frame's brightness."""
    fine = cv2.resize(luma, FINE, interpolation=cv2.INTER_AREA)
    small = _small(fine)
    bright = (fine >= 250).astype(np.float32)
    return Structure(
        fine=fine.astype(np.float32),
        small=small,
        coarse=gradient(np.asarray(cv2.GaussianBlur(small, (0, 0), COARSE_BLUR), np.float32)),
        blocks=_in_blocks(small),
        saturated=_in_blocks(bright),
    )


def small_brightness(luma: GreyImage) -> Field:
    """`Structure.small` of a picture of which nothing else is asked."""
    return _small(cv2.resize(luma, FINE, interpolation=cv2.INTER_AREA))


def _small(fine: npt.NDArray[np.generic]) -> Field:
    return np.asarray(cv2.resize(fine.astype(np.float32), COARSE, interpolation=cv2.INTER_AREA), np.float32)


def known_view(png: bytes) -> KnownView | None:
    """The view of a picture that was kept as PNG; None when it is none."""
    grey = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
    return None if grey is None else KnownView.of(structure(np.asarray(grey, np.uint8)))


def gradient(grey: Field) -> Field:
    """Shape (2, height, width): across, down, in grey levels a pixel."""
    return np.stack(
        [cv2.Sobel(grey, cv2.CV_32F, 1, 0, scale=0.125), cv2.Sobel(grey, cv2.CV_32F, 0, 1, scale=0.125)]
    )


def compare(seen: Structure, known: KnownView) -> Comparison:
    """Hold `seen` against `known`, a shift of the whole taken off where there is one."""
    shift = shift_of(seen.fine, known.fine)
    found = _compare_shifted(seen, known, shift)
    if max(map(abs, shift)) > SHAKE_PX and found.visible < SHIFTED_VISIBLE:
        return _compare_shifted(seen, known, (0.0, 0.0))  # something else moved, or nothing of it is left
    return found


def _compare_shifted(seen: Structure, known: KnownView, shift: tuple[float, float]) -> Comparison:
    fine, coarse = _laid_on(seen, shift)
    cross, then, now = (
        _in_blocks((a * b).sum(axis=0))
        for a, b in ((coarse, known.coarse), (known.coarse, known.coarse), (coarse, coarse))
    )
    light = (seen.blocks + 1) / (known.blocks + 1)
    edged = np.sqrt(then) >= EDGED * 0.5
    safe = np.maximum(then, 1e-3)
    gain = np.asarray(cross / safe, np.float32)
    agreement = np.asarray(cross / np.sqrt(safe * np.maximum(now, 1e-3)), np.float32)
    return Comparison(
        edged=edged,
        transmission=np.asarray(gain / light, np.float32),
        agreement=agreement,
        own=np.asarray(np.sqrt(now / safe) / light, np.float32),
        light=np.asarray(light, np.float32),
        sharpness=_sharpness(fine, known, gain, agreement, edged),
        shift=shift,
    )


def shift_of(now: Field, known: Field) -> tuple[float, float]:
    """(right, down) in fine pixels by which the picture is shifted; (0, 0) when that is beyond
    `LARGEST_SHIFT_PX` or not clear."""
    first, second = (cv2.resize(each, COARSE, interpolation=cv2.INTER_AREA) for each in (known, now))
    first, second = (each - cv2.GaussianBlur(each, (0, 0), 6) for each in (first, second))
    window = cv2.createHanningWindow(COARSE, cv2.CV_32F)
    (right, down), response = cv2.phaseCorrelate(np.clip(first, -20, 20), np.clip(second, -20, 20), window)
    small = max(abs(right), abs(down)) * 2 <= LARGEST_SHIFT_PX
    return (
        (2 * right, 2 * down)
        if small and response > 0.05 and max(abs(right), abs(down)) > 0.05
        else (0.0, 0.0)
    )


def _laid_on(seen: Structure, shift: tuple[float, float]) -> tuple[Field, Field]:
    """Fine brightness and coarse gradients with `shift` taken off."""
    if shift == (0.0, 0.0):
        return seen.fine, seen.coarse
    coarse = np.stack([_shifted(part, (shift[0] / 2, shift[1] / 2)) for part in seen.coarse])
    return _shifted(seen.fine, shift), coarse


def _shifted(grey: Field, shift: tuple[float, float]) -> Field:
    matrix = np.array([[1, 0, -shift[0]], [0, 1, -shift[1]]], np.float32)
    size = (grey.shape[1], grey.shape[0])
    return np.asarray(
        cv2.warpAffine(grey, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.float32
    )


def _sharpness(
    fine: Field, known: KnownView, gain: Field, agreement: Field, edged: npt.NDArray[np.bool_]
) -> float | None:
    usable = edged & (agreement >= 0.5) & (gain > 0.1)
    if int(usable.sum()) < FEWEST_SHARP_BLOCKS:
        return None
    now = gradient(fine)
    cross, then = (
        _in_blocks((a * b).sum(axis=0))
        for a, b in ((now, known.fine_gradient), (known.fine_gradient, known.fine_gradient))
    )
    # Never more than is there, and not next to nothing where somebody always moves.
    then = np.clip(known.fine_energy, LEAST_SHARED * then, then)
    return float(np.median(cross[usable] / np.maximum(then[usable], 1e-3) / gain[usable]))


def _in_blocks(values: npt.NDArray[np.float32]) -> Field:
    return np.asarray(cv2.resize(values, GRID, interpolation=cv2.INTER_AREA), np.float32)

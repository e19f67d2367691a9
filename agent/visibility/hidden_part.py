"""Which part of the known view is hidden, and whether by something on the lens or by something in the room.

A lens of 2.8 mm at f/2 blurs the edge of what is 1 cm before it over a twelfth of the picture's width, at
10 cm over a hundredth, at half a metre over one pixel of 640. So whoever tapes over a part of the lens leaves
a place without structure and with a soft border, and what is in the room (a screen let down, a curtain, a
door, somebody who sits down before the camera) has a sharp one. The border is measured: the picture is taken
for a mixture of the known view and of what hides it, and the share of that is followed across the border, on
average along it, so that neither the room's own edges nor people behind it decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from agent.visibility.view import COARSE, GRID, Comparison, Field, KnownView, Structure

Blocks = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.bool_]
"""Shape of COARSE, (180, 320)."""

UNLIT: Final = 16.0
"""Mean brightness of a block below which the encoder leaves no structure to be judged."""
FLAT: Final = 0.45
"""Of the structure that should be there: below it a block that shows something else shows nothing at all."""
COVERED_SHARE: Final = 0.30
"""Of the blocks with structure, lost in one piece that reaches the picture's edge: a cover whatever its
border. A drawn curtain or a screen that was let down is less."""
FEWEST_BLOCKS: Final = 4
FEWEST_FLAT: Final = 2
"""With structure, that a hidden part must have: lost, and with nothing in their place. At a border others may
have more structure than before: the border's own."""
LEAST: Final = 0.04
"""Of the picture, that is called a part."""
FEWEST_REST: Final = 12
"""Blocks away from it that are seen, which tell the light."""
REST_ALIVE: Final = 0.8
"""Of the blocks away from it, that show what they showed or other structure: else the light went, and no
part of the view."""
AT_LENS: Final = 4.2
"""Coarse pixels (of 320) over which its border goes from four fifths hidden to one fifth: more is before the
lens by 2 or 3 cm at the most. Measured up to 2.5 of what is in the room, 3.6 of somebody at 20 cm, 4 to 10 of
what lies on the lens or 2 cm before it (bench/tamper_parts.py, other pictures of the same kind)."""
BORDER: Final = 30
"""Coarse pixels that are looked at on either side of the border."""
WITHIN, BEYOND = 12, 15
"""Coarse pixels from the border at which even a soft one is over."""
INSIDE: Final = (0.85, 1.15)
OUTSIDE: Final = 0.15
"""Share hidden there, for this to be a cover and no slope of light."""
GRAIN: Final = 3.0
"""Grey levels a coarse pixel of its own structure: more is a thing in focus."""
SECTORS: Final = 12
SHARPEST: Final = 0.25
"""Share of the sectors that may be sharper than what is called the border's width."""
SHADOW: Final = 0.03
"""Of the known view's structure: more is a place that its lamps leave dark, and no cover."""
BLACK_GRAIN: Final = 0.6
"""Grey levels a coarse pixel of any structure: more moves in the dark there."""
CLIPPED: Final = 245.0
"""Brighter is light and no thing."""
TELLS: Final = 15.0
"""Grey levels between the known view and what hides it, from which a place tells which of them is seen."""
EDGES: Final = 16.0
"""Weight of gradients beside brightness (squared coarse pixels): they tell where both are equally bright."""


@dataclass(frozen=True, slots=True)
class HiddenPart:
    """A part of the view with nothing to be seen in it, and the rest as it was."""

    piece: Blocks
    share: float
    """Of the picture."""
    border: float
    """Width of its border, coarse pixels."""
    level: float
    """Its brightness."""
    middle: tuple[float, float]
    """Of it, (across, down) in coarse pixels."""

    @property
    def is_at_lens(self) -> bool:
        """Out of focus: nothing in the room is."""
        return self.border >= AT_LENS


def covered_piece(found: Comparison, seen: Structure, lit: Blocks, factor: float) -> Blocks | None:
    """The piece of the view that is gone with nothing in its place, `COVERED_SHARE` times `factor` or more
    of it; None where none is, or a small one."""
    hidden = found.edged & ~found.seen & (found.own < FLAT)
    unlit = found.edged & (seen.blocks < UNLIT)
    if int(unlit.sum()) > int(found.edged.sum()) // 10:
        # Dark in part: a cover leaves the rest as it was; where the light went out, the rest went with it,
        # and what shines is a screen or a window.
        rest = lit & found.seen
        bright = rest & (found.light >= 0.6)
        if int(bright.sum()) < max(3, int(lit.sum()) * 6 // 10):
            return None
        hidden |= unlit
    piece = _largest_piece(_with_bare_between(hidden, found.edged))
    share = float((piece & found.edged).sum()) / float(found.edged.sum())
    return piece if share >= min(0.9, COVERED_SHARE * factor) else None


def hidden_part(found: Comparison, seen: Structure, known: KnownView) -> HiddenPart | None:
    """The largest part of the view, of any size and anywhere, that shows nothing while the rest lives; None
    where none is. 0.3 ms where nothing is lost, else about 8."""
    lost = found.edged & ~found.seen
    hidden = lost & ((found.own < FLAT) | (seen.blocks < UNLIT))
    if int(hidden.sum()) < FEWEST_FLAT or int(lost.sum()) < FEWEST_BLOCKS:
        return None
    count, labels = cv2.connectedComponents(
        _with_bare_between(hidden, found.edged).astype(np.uint8), connectivity=4
    )
    piece = np.asarray(labels == int(np.bincount(labels[hidden], minlength=count).argmax()))
    flat, around = piece & hidden, _grown(piece) & lost
    if int(flat.sum()) < FEWEST_FLAT or int(around.sum()) < FEWEST_BLOCKS:
        return None
    rest = found.edged & ~_grown(piece)
    alive = found.seen | ((found.own >= FLAT) & (seen.blocks >= UNLIT))
    if int((rest & found.seen).sum()) < FEWEST_REST or float(alive[rest].mean()) < REST_ALIVE:
        return None
    return _measured(piece, float(np.median(found.light[rest & found.seen])), seen, known)


def _measured(piece: Blocks, light: float, seen: Structure, known: KnownView) -> HiddenPart | None:
    whole = cv2.resize(piece.astype(np.uint8), COARSE, interpolation=cv2.INTER_NEAREST)
    core = cv2.erode(whole, np.ones((9, 9), np.uint8), borderValue=1) > 0
    level = float(np.median(seen.small[core])) if core.any() else 255.0
    if level > CLIPPED:
        return None
    before = light * np.asarray(cv2.resize(known.fine, COARSE, interpolation=cv2.INTER_AREA), np.float32)
    apart, slope = before - _plane(seen.small, core), light * known.coarse
    # Least squares of "seen = known view × (1 - hidden) + what hides it × hidden", for brightness and edges.
    weight = apart * apart + EDGES * (slope * slope).sum(axis=0)
    cross = apart * (before - seen.small) + EDGES * (slope * (slope - seen.coarse)).sum(axis=0)
    region = _region(weight, cross, core)
    if float(region.mean()) < LEAST:
        return None
    inner = cv2.distanceTransform(region.astype(np.uint8), cv2.DIST_L2, 5)
    deep = inner >= WITHIN - 4
    if int(deep.sum()) < 100 or _grain(seen, deep) > GRAIN:
        return None
    if level < UNLIT and _is_shadow(light * known.coarse, seen, inner >= WITHIN, inner >= WITHIN + 4):
        return None
    border = _border(region, weight, cross)
    if border is None:
        return None
    down, across = np.nonzero(region)
    return HiddenPart(piece, float(region.mean()), border, level, (float(across.mean()), float(down.mean())))


def _grain(seen: Structure, where: Pixels) -> float:
    return float(np.sqrt((seen.coarse[:, where] ** 2).sum(axis=0).mean()))


def _is_shadow(slope: Field, seen: Structure, deep: Pixels, deeper: Pixels) -> bool:
    """Whether something shows in the dark there: its lamps are out, and nothing covers it."""
    there = slope[:, deep]
    left = float((there * seen.coarse[:, deep]).sum() / max(1.0, float((there * there).sum())))
    return left > SHADOW or (bool(deeper.any()) and _grain(seen, deeper) > BLACK_GRAIN)


def _border(region: Pixels, weight: Field, cross: Field) -> float | None:
    """Width of the border of `region`, coarse pixels, in sectors of it: where people moved behind it, a sharp
    border looks soft. None where in half of them it is none."""
    inner, inner_at = _to_nearest(region)
    outer, outer_at = _to_nearest(~region)
    place = np.round(np.where(region, 0.5 - inner, outer - 0.5)).astype(np.int32) + BORDER
    ys, xs = np.nonzero(region)
    at = np.where(region, inner_at, outer_at)
    angle = np.arctan2(at // COARSE[0] - ys.mean(), at % COARSE[0] - xs.mean())
    sector = np.clip(((angle + np.pi) / (2 * np.pi) * SECTORS).astype(np.int32), 0, SECTORS - 1)
    near = (place >= 0) & (place <= 2 * BORDER)
    number = sector[near] * (2 * BORDER + 1) + place[near]
    below, above = (
        np.bincount(number, each[near], SECTORS * (2 * BORDER + 1)).reshape(SECTORS, -1).astype(np.float32)
        for each in (weight, cross)
    )
    has_border = below[:, BORDER - 3 : BORDER + 4].min(axis=1) >= TELLS**2 * 8
    widths = [_width(under, over) for under, over in zip(below, above, strict=True)]
    found = [width for width, has in zip(widths, has_border, strict=True) if width is not None and has]
    if not found or 2 * len(found) < int(has_border.sum()):
        return None
    return float(np.quantile(found, SHARPEST, method="lower"))


def _width(below: Field, above: Field) -> float | None:
    """Places (whole pixels across the border) from four fifths hidden to one fifth; None where what is hidden
    there is not all on the one side and nothing on the other."""
    tells = below >= TELLS**2 * 8
    hidden = above / np.maximum(below, 1.0)
    inside = hidden[: BORDER - WITHIN][tells[: BORDER - WITHIN]]
    outside = hidden[BORDER + BEYOND :][tells[BORDER + BEYOND :]]
    if len(inside) < 3 or len(outside) < 3 or int(tells.sum()) < BORDER:
        return None
    if not INSIDE[0] <= float(inside.mean()) <= INSIDE[1] or abs(float(outside.mean())) > OUTSIDE:
        return None
    falling, at = np.minimum.accumulate(hidden[tells]), np.nonzero(tells)[0]
    return float(np.interp(-0.2, -falling, at) - np.interp(-0.8, -falling, at))


def _to_nearest(inside: Pixels) -> tuple[Field, npt.NDArray[np.int64]]:
    """Distance of each pixel of `inside` to the nearest one outside, and which that is, counted by rows."""
    distance, label = cv2.distanceTransformWithLabels(
        inside.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    number = np.zeros(int(label.max()) + 1, np.int64)
    flat = np.nonzero(~inside.ravel())[0]
    number[label.ravel()[flat]] = flat
    return np.asarray(distance, np.float32), number[label]


def _region(weight: Field, cross: Field, core: Pixels) -> Pixels:
    """What is more than half hidden, in one piece around `core`, its holes filled. Where neither brightness
    nor edges tell, what is near decides."""
    hidden = np.zeros_like(weight)
    for sigma in (10.0, 5.0, 2.0):
        below = cv2.GaussianBlur(weight, (0, 0), sigma)
        share = cv2.GaussianBlur(cross, (0, 0), sigma) / (below + 1.0)
        hidden = np.where(below >= TELLS**2, np.clip(share, 0, 1), hidden)
    half = (cv2.GaussianBlur(hidden, (0, 0), 2.0) > 0.5).astype(np.uint8)
    count, labels = cv2.connectedComponents(half, connectivity=4)
    sizes = np.bincount(labels[core], minlength=count)
    sizes[0] = 0
    if not sizes.any():
        return np.zeros_like(core)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        (labels != int(sizes.argmax())).astype(np.uint8), connectivity=4
    )
    is_outside = stats[:, cv2.CC_STAT_AREA] >= 0.02 * core.size
    is_outside[0] = False
    return np.asarray(~is_outside[labels])


def _plane(grey: Field, core: Pixels) -> Field:
    """What hides the view, lit unevenly perhaps: the plane through its middle, over the whole picture."""
    ys, xs = np.nonzero(core)
    some = slice(None, None, len(ys) // 2000 + 1)
    ys, xs = ys[some], xs[some]
    across, down = np.meshgrid(np.arange(COARSE[0], dtype=np.float32), np.arange(COARSE[1], dtype=np.float32))
    solved, *_ = np.linalg.lstsq(np.stack([np.ones(len(ys)), xs, ys], axis=1), grey[ys, xs], rcond=None)
    return np.asarray(np.clip(solved[0] + solved[1] * across + solved[2] * down, 0, 255), np.float32)


def _grown(blocks: Blocks) -> Blocks:
    return np.asarray(cv2.dilate(blocks.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)


def _with_bare_between(hidden: Blocks, edged: Blocks) -> Blocks:
    """Bare blocks beside hidden ones belong to the piece: there was nothing to lose there."""
    return np.asarray(hidden | (_grown(hidden) & ~edged))


def _largest_piece(blocks: Blocks) -> Blocks:
    """The largest connected piece that reaches the edge of the picture; empty when none does."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(blocks.astype(np.uint8), connectivity=4)
    best, size = 0, 0
    for label in range(1, count):
        left, top, width, height, area = (int(value) for value in stats[label])
        reaches = left == 0 or top == 0 or left + width == GRID[0] or top + height == GRID[1]
        if reaches and area > size:
            best, size = label, area
    return np.asarray((labels == best) & (best > 0))

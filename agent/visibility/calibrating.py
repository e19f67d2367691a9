"""Fitting the counter to a room, from a few pictures whose people somebody counted.

A detector's count is off by an amount that belongs to the room: its sign changes from one to the next. The
cut at which it finds as many as were counted is that room's; of few pictures it is drawn towards the
default, and what it is worth is said by leaving each picture out in turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from agent.store.calibration import Mask, Polygon
from agent.store.heads import BoxRow

DEFAULT_WEIGHT: Final = 2.0
"""Pictures that the default cut counts for: with two counted, the room's own word is half."""
STEEPNESS: Final = (0.02, 0.98)
"""The cut stays between these: beyond them scores say nothing any more."""
FEWEST_HEADS: Final = 20
"""Below so many heads nothing is said about sizes."""
RELIABLE: Final = 0.80
"""Share of the heads of a size that must be found for the size to be countable."""
BIN: Final = 12
"""Heads at least in each group of a size."""
WIDENED: Final = 0.25
"""Of a false head's width and height, added to its mask on each side: boxes are not the same twice."""
MASKED_IN: Final = 0.5
"""Share of the empty pictures that must show it."""


@dataclass(frozen=True, slots=True)
class CountedPicture:
    """A picture whose people somebody counted; boxes and marks in pixels."""

    width: int
    height: int
    boxes: tuple[BoxRow, ...]
    """Everything that the detector found, from its floor up."""
    people: int
    missed: tuple[tuple[float, float], ...] = ()
    """Middles of heads that it did not find, where somebody marked them."""
    false: tuple[int, ...] = ()
    """Numbers of boxes that are no head, where somebody marked them."""


@dataclass(frozen=True, slots=True)
class Fit:
    """What the counted pictures say; differences are found minus counted, a picture."""

    cut: float | None
    """None: nothing was counted, or no cut changes anything."""
    frames: int
    people: int
    bias_before: float | None
    bias_after: float | None
    error_left_out: float | None
    """Mean absolute error of each picture at the cut that the others give; None with fewer than two."""

    def as_data(self) -> dict[str, float | int | None]:
        """For the record `room.calibrated`."""
        return {
            "frames": self.frames,
            "people": self.people,
            "bias_before": _rounded(self.bias_before),
            "bias_after": _rounded(self.bias_after),
            "error_left_out": _rounded(self.error_left_out),
        }


def fit_cut(pictures: Sequence[CountedPicture], default: float, masks: Sequence[Mask] = ()) -> Fit:
    """The cut of a room. `default`: the detector's own, 0..1; ValueError for another."""
    if not 0 < default < 1:
        raise ValueError(f"the default cut is {default}, expected 0..1")
    scores = [_scores(picture, masks) for picture in pictures]
    people = [picture.people for picture in pictures]
    if not pictures:
        return Fit(None, 0, 0, None, None, None)
    cut = _drawn(scores, people, default)
    left_out = [
        abs(
            int((mine >= _drawn(scores[:n] + scores[n + 1 :], people[:n] + people[n + 1 :], default)).sum())
            - people[n]
        )
        for n, mine in enumerate(scores)
    ]
    return Fit(
        cut=round(cut, 4),
        frames=len(pictures),
        people=sum(people),
        bias_before=_bias(scores, people, default),
        bias_after=_bias(scores, people, round(cut, 4)),
        error_left_out=float(np.mean(left_out)) if len(pictures) > 1 else None,
    )


def _scores(picture: CountedPicture, masks: Sequence[Mask]) -> np.ndarray:
    return np.array(
        [box[4] for box in picture.boxes if not is_masked(box, picture.width, picture.height, masks)], float
    )


def _bias(scores: list[np.ndarray], people: list[int], cut: float) -> float:
    return float(
        np.mean([int((mine >= cut).sum()) - told for mine, told in zip(scores, people, strict=True)])
    )


def _drawn(scores: list[np.ndarray], people: list[int], default: float) -> float:
    """The cut without bias, drawn towards the default on the scale of log odds."""
    if not scores:
        return default
    pooled = np.sort(np.concatenate(scores))[::-1]
    wanted = sum(people)
    low, high = STEEPNESS
    if wanted == 0 or len(pooled) == 0:
        own = high if len(pooled) else default
    elif wanted >= len(pooled):
        own = float(pooled[-1])
    else:
        own = float(pooled[wanted - 1] + pooled[wanted]) / 2
    own = min(high, max(low, own))
    weight = len(scores) / (len(scores) + DEFAULT_WEIGHT)
    odds = weight * np.log(own / (1 - own)) + (1 - weight) * np.log(default / (1 - default))
    return float(1 / (1 + np.exp(-odds)))


def is_masked(box: BoxRow, width: int, height: int, masks: Sequence[Mask]) -> bool:
    """Whether the middle of `box` (pixels of a picture of that size) lies where the empty room shows one."""
    x, y = (box[0] + box[2]) / 2 / width, (box[1] + box[3]) / 2 / height
    return any(left <= x <= right and top <= y <= bottom for left, top, right, bottom in masks)


def masks_of(empty: Sequence[CountedPicture], cut: float) -> tuple[Mask, ...]:
    """Where pictures of the empty room show what counts as a head at `cut`; a place counts that half of them
    show."""
    found: list[tuple[Mask, set[int]]] = []
    for number, picture in enumerate(empty):
        for left, top, right, bottom, score in picture.boxes:
            if score < cut:
                continue
            dx, dy = (right - left) * WIDENED, (bottom - top) * WIDENED
            mask = (
                max(0.0, (left - dx) / picture.width),
                max(0.0, (top - dy) / picture.height),
                min(1.0, (right + dx) / picture.width),
                min(1.0, (bottom + dy) / picture.height),
            )
            same = next((seen for other, seen in found if _overlap(mask, other) > 0.3), None)
            if same is None:
                found.append((mask, {number}))
            else:
                same.add(number)
    return tuple(
        tuple(round(value, 4) for value in mask)  # type: ignore[misc]
        for mask, seen in found
        if len(seen) >= MASKED_IN * len(empty)
    )


def _overlap(first: Mask, second: Mask) -> float:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = ((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second))
    return width * height / (sum(areas) - width * height)


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large heads are, and which of them are found. Lengths in parts of the picture's height."""

    slope: float
    """Of a head's height, from the top of the picture (0) to its bottom (1)."""
    at_top: float
    smallest: float | None
    """Below it fewer than `RELIABLE` of the heads are found; None: no head was missed, and the smallest that
    was seen says nothing of smaller ones."""
    smallest_seen: float

    def at(self, y: float) -> float:
        """Height of a head whose middle is at `y` (0..1 from the top)."""
        return self.at_top + self.slope * y


def sizes_of(pictures: Sequence[CountedPicture], cut: float, masks: Sequence[Mask] = ()) -> Sizes | None:
    """Sizes of the heads over the picture's rows, by those that were found; None when too few were."""
    found: list[tuple[float, float]] = []
    for picture in pictures:
        for number, box in enumerate(picture.boxes):
            if box[4] < cut or number in picture.false:
                continue
            if is_masked(box, picture.width, picture.height, masks):
                continue
            found.append(((box[1] + box[3]) / 2 / picture.height, (box[3] - box[1]) / picture.height))
    if len(found) < FEWEST_HEADS:
        return None
    rows, heights = np.array(found).T
    slope, at_top = _robust_line(rows, heights)
    missed = [
        max(0.0, at_top + slope * y / picture.height) for picture in pictures for _, y in picture.missed
    ]
    return Sizes(slope, at_top, _smallest(heights, np.array(missed)), float(np.percentile(heights, 5)))


def _robust_line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Theil and Sen's: the median of the slopes of all pairs, which a wrong box does not turn."""
    if len(x) > 400:
        chosen = np.linspace(0, len(x) - 1, 400).astype(int)
        x, y = x[chosen], y[chosen]
    first, second = np.triu_indices(len(x), 1)
    apart = np.abs(x[second] - x[first]) > 0.05
    if not apart.any():
        return 0.0, float(np.median(y))
    first, second = first[apart], second[apart]
    slope = float(np.median((y[second] - y[first]) / (x[second] - x[first])))
    return slope, float(np.median(y - slope * x))


def _smallest(found: np.ndarray, missed: np.ndarray) -> float | None:
    """From the largest heads down, in groups: the size above which each group is found."""
    if len(missed) == 0:
        return None
    sizes = np.concatenate([found, missed])
    is_found = np.concatenate([np.ones(len(found)), np.zeros(len(missed))])
    order = np.argsort(-sizes, kind="stable")
    sizes, is_found = sizes[order], is_found[order]
    smallest = float(sizes[0])
    for start in range(0, len(sizes), BIN):
        group = is_found[start : start + BIN]
        if len(group) < BIN and start:
            group = is_found[-BIN:]
        if float(group.mean()) < RELIABLE:
            return smallest
        smallest = float(sizes[min(start + BIN, len(sizes)) - 1])
    return smallest


def blind_of(sizes: Sizes | None) -> tuple[Polygon, ...]:
    """Regions of the picture whose heads are smaller than can be counted: a band that reaches from one side
    to the other, because heads shrink with the row; () when there is none or nobody can say."""
    if sizes is None:
        return ()
    smallest = sizes.smallest if sizes.smallest is not None else 0.5 * sizes.smallest_seen
    if abs(sizes.slope) < 1e-4:
        whole = sizes.at_top < smallest
        return (((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)),) if whole else ()
    border = round(min(1.0, max(0.0, (smallest - sizes.at_top) / sizes.slope)), 4)
    top, bottom = (0.0, border) if sizes.slope > 0 else (border, 1.0)
    return () if bottom - top < 0.005 else (((0.0, top), (1.0, top), (1.0, bottom), (0.0, bottom)),)


def share_of(polygons: Sequence[Polygon]) -> float:
    """Area of the polygons, 0..1 of the picture; what two of them cover counts twice, to 1 at the most."""
    total = 0.0
    for polygon in polygons:
        xs, ys = np.array([*polygon, polygon[0]]).T if polygon else (np.zeros(1), np.zeros(1))
        total += abs(float(np.sum(xs[:-1] * ys[1:] - xs[1:] * ys[:-1]))) / 2
    return min(1.0, total)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)

"""Is what hides a part of the view a thing, or somebody who walks by or sways before the camera?"""

from __future__ import annotations

from typing import Final

import numpy as np

from agent.visibility.hidden_part import Blocks
from agent.visibility.view import Structure
from agent.visibility.view_checks import Assessment

SAME_PLACE: Final = 0.5
"""Of the lost blocks of two looks, in both: a cover stays where it is, somebody who walks by does not."""
SAME_LEVEL: Final = 25.0
"""Grey levels between two looks at one part: the exposure settles, and a cover stays as bright as it is."""
SWAYS: Final = 8.0
"""Grey levels by which a block of what hides the view changes from look to look, its light apart, where it is
somebody who stands there and not a thing."""
SWAYING_SHARE: Final = 0.12
"""Of those blocks: the figure's edges. Less are people behind a cover's edge."""
SWAYS_PX: Final = 5.0
"""Coarse pixels by which the middle of a hidden part moves from look to look, where it is somebody."""
FEWEST_SEEN: Final = 12
"""Blocks that tell the light; else what hides the view tells its own."""
ALL_HIDDEN: Final = 0.25
"""Share of the view seen below which nobody merely stands there."""
STILL_COVERED: Final = 0.3
"""Of the part that a cover hides: as much hidden without anything in it, and the cover is still there."""
LEARNED_AFTER_S: Final = 60.0
"""What hides a part of the view for longer belongs to the room."""
WARNED_S: Final = 6.0
"""A part of the view hidden for so long is worth a word; a record needs proof that it is at the lens."""


class PartWatch:
    """For how long one part of the view has been hidden, by whatever it is."""

    def __init__(self) -> None:
        self._since_s: float | None = None
        self._any_since_s: float | None = None
        """The same, wherever it is: what keeps moving is learned in the end too."""
        self._now_s = 0.0

    @property
    def is_hidden(self) -> bool:
        """For `WARNED_S` or longer."""
        return self._since_s is not None and self._now_s - self._since_s >= WARNED_S

    @property
    def is_new(self) -> bool:
        """Something hides a part, for less than `LEARNED_AFTER_S`."""
        return self._any_since_s is not None and self._now_s - self._any_since_s < LEARNED_AFTER_S

    def note(self, found: Assessment, before: Assessment | None, monotonic_s: float) -> None:
        """Take the next look and the one before it (None after a pause)."""
        if found.part is None and found.piece is None:
            self._since_s = self._any_since_s = None
        elif self._since_s is None or before is None or not is_same_place(found, before):
            self._since_s = monotonic_s
            self._any_since_s = self._any_since_s if self._any_since_s is not None else monotonic_s
        self._now_s = monotonic_s


def still_covers(cover: Blocks | None, found: Assessment) -> bool:
    """Whether what covered a part when that was stated still hides some of it, be its border measured sharper
    by now."""
    if cover is None or found.part is None:
        return False
    return bool((cover & found.part.piece).sum() >= STILL_COVERED * cover.sum())


def is_same_place(found: Assessment, before: Assessment | None) -> bool:
    """Whether what is hidden was hidden at the look before: true too where nothing can be compared, and of a
    veil over the whole view, which nobody is who walks by."""
    if before is None or (found.kind == "covered" and found.piece is None):
        return True
    if found.part is not None and before.part is not None:
        apart = abs(found.part.level - before.part.level)
        return apart <= SAME_LEVEL and _overlap(found.part.piece, before.part.piece)
    if found.lost is None or before.lost is None or not found.lost.any():
        return True
    return before.kind is None or _overlap(found.lost, before.lost)


def sways(now: Structure, found: Assessment, seen: Structure | None, before: Assessment | None) -> bool:
    """Whether what hides a part of the view moved since the look before (`seen`, `before`): somebody, not a
    thing."""
    if seen is None or before is None or found.visible < ALL_HIDDEN:
        return False
    if found.part is not None and before.part is not None:
        (right, down), (left, up) = found.part.middle, before.part.middle
        if float(np.hypot(right - left, down - up)) >= SWAYS_PX:
            return True
    if found.piece is None or before.piece is None:
        return False
    hidden = found.piece | before.piece
    rest = ~hidden if int((~hidden).sum()) >= FEWEST_SEEN else hidden
    first, second = seen.blocks + 1, now.blocks + 1
    light = float(np.median(second[rest] / first[rest]))
    return float((np.abs(second - light * first)[hidden] >= SWAYS).mean()) >= SWAYING_SHARE


def _overlap(first: Blocks, second: Blocks) -> bool:
    return bool((first & second).sum() >= SAME_PLACE * (first | second).sum())

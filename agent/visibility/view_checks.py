"""What is wrong with one look at the room, held against a known view: covered, moved, out of focus, blinded,
dark.

Nothing here knows of time. A look that finds something proves nothing yet (somebody walks by, the exposure
settles); `agent.visibility.picture_watch` asks several looks in a row.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from agent.store.tamper import TamperKind
from agent.visibility.hidden_part import FLAT, UNLIT, Blocks, HiddenPart, covered_piece, hidden_part
from agent.visibility.view import FINE, Field, KnownView, Structure, compare

BLACK_MEAN: Final = 12.0
BLACK_BRIGHTEST: Final = 32.0
"""Of 0..255: a room with its lights off still shows a gap in the curtain, a screen or an exit sign in one
part of a thousand; behind a cap nothing is brighter than the sensor's noise."""
BURNT_SHARE: Final = 0.10
"""Of the picture's blocks, newly at the top of the scale. A patch of sun on a wall is less."""
VEILED: Final = 0.50
"""Median transmission in a light no lower than before: a film, a breath, a spray on the lens."""
BLURRED: Final = 0.55
"""Of the known view's sharpness."""
WASHED_OUT: Final = 0.60
"""Median contrast of the blocks with structure, over what the light leaves of it: so much blur that nothing
sharp is left to compare."""
GONE: Final = 0.15
"""Of the blocks with structure; fewer that are seen, where there is structure of another kind, is another
view."""
MOVED_PX: Final = 8.0
"""Fine pixels (of 640 across) that the view moved by, on average over its corners and middle: 1.25 % of the
width, 24 pixels at 1920, 1.1 degrees behind a lens of 90. Less is a building that shakes or a mount that
settles."""
DRIFTED_PX: Final = 3.0
SUSPICIOUS: Final = 0.85
"""Share seen below which it is asked whether the view moved."""
FEWEST_MATCHES: Final = 18


@dataclass(frozen=True, slots=True)
class Assessment:
    """One look. `kind` is None when nothing is wrong, or nothing can be said."""

    kind: TamperKind | None
    is_telling: bool
    """False: too dark or too bare to say anything; nothing is learned from such a look."""
    visible: float = 1.0
    sharpness: float | None = None
    transmission: float = 1.0
    displacement_px: float = 0.0
    """Fine pixels, 0..640 across."""
    lost: Blocks | None = None
    """Blocks that do not show what they showed."""
    piece: Blocks | None = None
    """Of a cover of part of the view: the blocks that it hides, in one piece."""
    part: HiddenPart | None = None
    """What hides a part of the view: at the lens, which is a cover, or in the room, which is none."""


def assess(seen: Structure, known: KnownView, *, lenient: bool) -> Assessment:
    """Hold a look against a view. `lenient`: the view is of another day and without people, so that more of
    it may be hidden, and more light have changed, before that means anything."""
    brightest = float(np.percentile(seen.small, 99.9))
    if float(seen.blocks.mean()) < BLACK_MEAN and brightest < BLACK_BRIGHTEST:
        return Assessment("dark", is_telling=False)
    found = compare(seen, known)
    edged = int(found.edged.sum())
    if edged < 8:
        return Assessment(None, is_telling=False)
    agreeing = found.edged & (found.agreement >= 0.5)
    transmission = float(np.median(found.transmission[agreeing])) if int(agreeing.sum()) >= 8 else 1.0
    lost = found.edged & ~found.seen
    displacement = float(np.hypot(*found.shift))
    is_blurred = found.sharpness is not None and found.sharpness < BLURRED * (0.8 if lenient else 1)
    turned = displacement_px(seen, known) if found.visible < SUSPICIOUS or is_blurred else 0.0
    displacement = max(displacement, turned)

    def named(kind: TamperKind | None, *, is_telling: bool = True) -> Assessment:
        return Assessment(kind, is_telling, found.visible, found.sharpness, transmission, displacement, lost)

    lit = found.edged & (seen.blocks >= UNLIT)
    if _burnt(seen, known) >= BURNT_SHARE * (2 if lenient else 1) and found.visible < SUSPICIOUS:
        return named("blinded")
    if displacement >= MOVED_PX:
        return named("moved")
    piece = covered_piece(found, seen, lit, 1.6 if lenient else 1.0)
    part = hidden_part(found, seen, known) if piece is None else None
    if part is not None and part.is_at_lens:
        piece = part.piece
    if piece is not None:
        return replace(named("covered"), piece=piece, part=part)
    if transmission < VEILED * (0.8 if lenient else 1) and float(np.median(found.light[agreeing])) >= 0.75:
        return named("covered")
    if int(lit.sum()) < edged // 4:
        return named(None, is_telling=False)
    if found.visible < GONE and float(np.median(found.own[lit])) >= FLAT:
        return named("moved")
    # A view that was tilted or zoomed a little does not lie edge on edge: that is no blur.
    is_washed_out = float(np.median(found.own[lit])) < WASHED_OUT * (0.8 if lenient else 1)
    if (is_blurred or is_washed_out) and turned < DRIFTED_PX:
        return named("out_of_focus")
    return replace(named(None), part=part)


def _burnt(seen: Structure, known: KnownView) -> float:
    return float(((seen.saturated >= 0.5) & (known.saturated < 0.25)).mean())


def displacement_px(seen: Structure, known: KnownView) -> float:
    """By how many fine pixels the view was moved, on average over its corners and its middle; 0 where it is
    not found elsewhere."""
    orb = cv2.ORB_create(nfeatures=700, fastThreshold=8)  # type: ignore[attr-defined]
    first_points, first = orb.detectAndCompute(_evened(known.fine), None)
    second_points, second = orb.detectAndCompute(_evened(seen.fine), None)
    if first is None or second is None or len(first) < FEWEST_MATCHES or len(second) < FEWEST_MATCHES:
        return 0.0
    pairs = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(first, second)
    pairs = [pair for pair in pairs if pair.distance <= 48]
    if len(pairs) < FEWEST_MATCHES:
        return 0.0
    before = np.array([first_points[pair.queryIdx].pt for pair in pairs], np.float32)
    after = np.array([second_points[pair.trainIdx].pt for pair in pairs], np.float32)
    cv2.setRNGSeed(1)
    matrix, inliers = cv2.estimateAffinePartial2D(before, after, ransacReprojThreshold=3.0)
    if matrix is None or int(inliers.sum()) < max(FEWEST_MATCHES, len(pairs) * 0.3):
        return 0.0
    if not 0.4 <= float(np.hypot(matrix[0, 0], matrix[1, 0])) <= 2.5:
        return 0.0
    # Points that stayed where they were speak against a moved camera, though others moved together.
    stayed = float((np.hypot(*(after - before).T) < 1.5).mean())
    width, height = FINE
    places = np.array([[0, 0], [width, 0], [0, height], [width, height], [width / 2, height / 2]], np.float32)
    went = places @ matrix[:, :2].T + matrix[:, 2] - places
    return 0.0 if stayed > 0.3 else float(np.hypot(*went.T).mean())


def _evened(grey: Field) -> npt.NDArray[np.uint8]:
    """Contrast made alike everywhere, so that corners are found in the dark as in the light."""
    return np.asarray(cv2.createCLAHE(3.0, (8, 8)).apply(np.clip(grey, 0, 255).astype(np.uint8)), np.uint8)

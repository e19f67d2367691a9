"""Is it a head that turns, or a flat picture that is tilted? Told from the points of two views of one face.

A flat thing seen from two sides obeys a homography: four pairs of its points give the place of every other.
The nose of a head stands before the plane of eyes and mouth, so that turning moves it where no homography of
the rest puts it. Measured on 68 points (bench/RESULTS.md): photographs tilted by up to 45 degrees keep that
error below .08 of the eye distance and their apparent turn below 19 degrees, never both; heads that turned by
15 degrees or more have a median error of .09.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from models.face_points import COUNT, NOSE_TIP

Contour = npt.NDArray[np.float64]
"""Shape (68, 2): x, y in pixels, in the order of `models.face_points`."""

_EYES = (slice(36, 42), slice(42, 48))
_NOSE = (29, 30, 31, 33, 35)
_RIGID = (*range(36, 48), 27, 28, *range(48, 55), *range(60, 65), 17, 19, 21, 22, 24, 26)
"""Eyes, bridge of the nose, upper lip and brows: nearly one plane. The jaw is left out: its points slide
along the cheek, and the lower lip talks."""
_NOSE_DEPTH = 0.5
"""How far the tip of the nose stands before the eyes' plane, in eye distances."""


@dataclass(frozen=True, slots=True)
class HeadTurn:
    """How a face differs from its reference view."""

    yaw_degrees: float
    """Change of the apparent turn, -90..90; positive towards the right side of the picture."""
    depth: float
    """How far the nose lies from where a flat picture would have it, along the turn, in eye distances;
    positive when to the side to which the face turned, as a nose that stands out does."""
    tilt_degrees: float
    """By how much the picture would have to be tilted if it were flat, 0..90 (from its foreshortening)."""
    misfit: float
    """Root mean square error of the flat picture's points, in eye distances."""


def apparent_yaw(points: Contour) -> float:
    """Turn of the head in degrees, -90..90, positive when the nose points to the right of the picture."""
    return math.degrees(math.atan2(float(_normalised(points)[NOSE_TIP, 0]), _NOSE_DEPTH))


def head_turn(reference: Contour, points: Contour) -> HeadTurn:
    """Compare `points` with `reference`, both of one face. ValueError unless both are (68, 2) and finite, and
    for points that lie on one spot."""
    before, after = _normalised(reference), _normalised(points)
    yaw = math.degrees(math.atan2(after[NOSE_TIP, 0], _NOSE_DEPTH)) - math.degrees(
        math.atan2(before[NOSE_TIP, 0], _NOSE_DEPTH)
    )
    plane = np.asarray(_RIGID)
    found, _ = cv2.findHomography(before[plane], after[plane], 0)
    if found is None:
        raise ValueError("no homography: the points of the face lie on one line")
    error = after - cv2.perspectiveTransform(before[None], found)[0]
    inside = [*_RIGID, *_NOSE]
    misfit = float(np.sqrt((error[inside] ** 2).sum(axis=1).mean()))
    sideways = float(error[list(_NOSE), 0].mean())
    return HeadTurn(yaw, math.copysign(1.0, yaw) * sideways, _tilt(before[plane], after[plane]), misfit)


def _normalised(points: Contour) -> Contour:
    """Origin between the eyes, the eyes' line as x axis, the distance of the eyes as unit."""
    if points.shape != (COUNT, 2) or not np.isfinite(points).all():
        raise ValueError(f"expected finite points of shape ({COUNT}, 2), got {points.shape}")
    one, other = points[_EYES[0]].mean(axis=0), points[_EYES[1]].mean(axis=0)
    along = other - one
    distance = float(np.linalg.norm(along))
    if distance < 1.0:
        raise ValueError("the eyes lie on one spot")
    x = along / distance
    y = np.array((-x[1], x[0]))
    moved = points - (one + other) / 2
    return np.stack([moved @ x, moved @ y], axis=1) / distance


def _tilt(before: Contour, after: Contour) -> float:
    """From the best affine map's smaller over its larger stretch: a plane tilted by t shrinks by cos t."""
    sources = np.column_stack([before, np.ones(len(before))])
    found, *_ = np.linalg.lstsq(sources, after, rcond=None)
    stretches = np.linalg.svd(found[:2], compute_uv=False)
    return math.degrees(math.acos(min(1.0, float(stretches[1] / max(stretches[0], 1e-9)))))

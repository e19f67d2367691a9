"""A head of 68 points in space, and photographs of it: what a camera sees of either when it turns."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from models.head_turn import Contour

Points3 = npt.NDArray[np.float64]
FOCAL_PX = 1000.0
CENTRE = np.array((640.0, 360.0))


def _ring(cx: float, cy: float, rx: float, ry: float, z: float, angles: tuple[float, ...]) -> Points3:
    turns = np.radians(angles)
    return np.stack([cx + rx * np.cos(turns), cy + ry * np.sin(turns), np.full(len(turns), z)], axis=1)


def head(nose: float = 0.55, width: float = 1.0, length: float = 1.0) -> Points3:
    """A head that looks ahead: x to the right of the picture, y down, z towards the camera; unit: the
    distance of the eyes; `nose`: how far its tip stands before the eyes. Shape (68, 3), in the order of
    300-W."""
    sides = np.linspace(np.pi, 0.0, 17)
    jaw = np.stack([1.15 * np.cos(sides), 0.1 + 1.7 * np.sin(sides), -1.0 + 1.0 * np.sin(sides)], axis=1)
    right_brow = np.array([(-0.9 + 0.175 * i, -0.35 - 0.1 * np.sin(i * np.pi / 4), 0.05) for i in range(5)])
    left_brow = right_brow[::-1] * (-1, 1, 1)
    bridge = np.array([(0, 0.05 + 0.2 * i, 0.15 + (nose - 0.15) * i / 3) for i in range(4)])
    under = np.array([(-0.3 + 0.15 * i, 0.85, nose - 0.2 - 0.05 * abs(i - 2)) for i in range(5)])
    right_eye = _ring(-0.5, 0.0, 0.22, 0.09, 0.0, (180, 235, 305, 0, 55, 125))
    left_eye = _ring(0.5, 0.0, 0.22, 0.09, 0.0, (180, 235, 305, 0, 55, 125))
    outer = _ring(0, 1.25, 0.4, 0.15, 0.2, (180, 210, 250, 270, 290, 330, 0, 30, 60, 90, 120, 150))
    inner = _ring(0, 1.25, 0.3, 0.05, 0.2, (180, 225, 270, 315, 0, 45, 90, 135))
    whole = np.vstack([jaw, right_brow, left_brow, bridge, under, right_eye, left_eye, outer, inner])
    assert whole.shape == (68, 3)
    return whole * (width, length, 1.0)


def rotation(yaw: float, pitch: float = 0.0, roll: float = 0.0) -> npt.NDArray[np.float64]:
    """Degrees; a positive yaw turns the nose to the right of the picture."""
    turned = np.eye(3)
    for axis, degrees in (((0, 0, 1), roll), ((1, 0, 0), pitch), ((0, 1, 0), yaw)):
        turned = np.asarray(cv2.Rodrigues(np.radians(degrees) * np.array(axis, float))[0]) @ turned
    return turned


@dataclass(frozen=True)
class View:
    """From where the camera sees it."""

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    distance: float = 9.0
    """In eye distances: 9 are about 55 cm."""
    noise: float = 0.0
    """Standard deviation of the points, in eye distances."""
    seed: int = 0


def seen(points: Points3, view: View) -> Contour:
    """Where the camera sees `points`: shape (68, 2), pixels."""
    turned = points @ rotation(view.yaw, view.pitch, view.roll).T
    depth = view.distance - turned[:, 2:]
    pixels = FOCAL_PX * turned[:, :2] / depth + CENTRE
    noise = np.random.default_rng(view.seed).normal(0, 1, pixels.shape)
    return np.asarray(pixels + noise * view.noise * FOCAL_PX / view.distance, np.float64)


def photograph(points: Points3, view: View) -> Points3:
    """A flat print of what a camera saw of `points`, held up where the head was."""
    pixels = (seen(points, view) - CENTRE) * view.distance / FOCAL_PX
    return np.column_stack([pixels, np.zeros(len(pixels))])


def bent(photo: Points3, radius: float) -> Points3:
    """The print bent around an upright cylinder of `radius` eye distances."""
    angle = photo[:, 0] / radius
    return np.column_stack([radius * np.sin(angle), photo[:, 1], radius * (np.cos(angle) - 1)])

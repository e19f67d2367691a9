"""How good a picture of a face is: small pure measures with units, no thresholds.

Each is measured on the picture itself or on the face turned upright and scaled to one size, so that a
number means the same for a near and a far face. What is good enough is the caller's business.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from models.faces import DetectedFace
from models.images import BGRImage

GreyImage = npt.NDArray[np.uint8]

CHIP_PX = 112
"""Side of the aligned face; the eyes lie at a third and two thirds of it."""
_EYE_HEIGHT = 0.35
_NOSE_DEPTH = 0.42
"""How far the point under the nose stands before the eyes' plane, in eye distances (about 26 of 62 mm)."""


@dataclass(frozen=True, slots=True)
class FaceQuality:
    """Measures of one face in one picture."""

    width_px: int
    """Width of the detector's box, pixels of the given picture."""
    eye_distance_px: float
    """Distance between the eyes' centres, pixels of the given picture."""
    sharpness: float
    """Fine detail in thousandths of all detail, 0 (flat) to about 100; see `sharpness`."""
    yaw_degrees: float
    """Estimate, -90..90; positive when the nose points to the right of the picture."""
    roll_degrees: float
    """-180..180; positive when the eye on the right of the picture is the lower one."""
    brightness: float
    """Mean grey value, 0..255."""
    contrast: float
    """Standard deviation of the grey values, 0..128."""
    clipped: float
    """Share of pixels that are nearly black or nearly white, 0..1."""


def measure(image: BGRImage, face: DetectedFace) -> FaceQuality:
    """Every measure of `face` in `image`."""
    chip = aligned_chip(image, face)
    brightness, contrast, clipped = exposure(chip)
    return FaceQuality(
        width_px=face.box.width,
        eye_distance_px=eye_distance(face),
        sharpness=sharpness(chip),
        yaw_degrees=yaw(face),
        roll_degrees=roll(face),
        brightness=brightness,
        contrast=contrast,
        clipped=clipped,
    )


def aligned_chip(image: BGRImage, face: DetectedFace) -> GreyImage:
    """The face upright with its eyes at fixed places: grey, shape (CHIP_PX, CHIP_PX), uint8."""
    scale = (CHIP_PX / 3) / max(eye_distance(face), 1.0)
    (lx, ly), (rx, ry) = face.left_eye, face.right_eye
    middle = ((lx + rx) / 2, (ly + ry) / 2)
    transform = np.asarray(cv2.getRotationMatrix2D(middle, roll(face), scale), dtype=np.float64)
    transform[:, 2] += np.array((CHIP_PX / 2 - middle[0], CHIP_PX * _EYE_HEIGHT - middle[1]))
    # Shrinking by INTER_LINEAR would alias a large face into false sharpness.
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    chip = cv2.warpAffine(image, transform, (CHIP_PX, CHIP_PX), flags=method, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.cvtColor(chip, cv2.COLOR_BGR2GRAY), dtype=np.uint8)


def sharpness(chip: GreyImage) -> float:
    """Variance of the Laplacian over the variance of the face itself, in thousandths; >= 0.

    Relative, because a face half as bright has a quarter of the Laplacian's variance and is as sharp.
    Smoothed first (Gaussian, 1 px), because sensor noise would else count as detail. Faces 100 px wide in
    sharp photos measure 15-25; blurred by 2 px they measure 3.5 and their templates drift by 0.1-0.3.
    """
    smooth = cv2.GaussianBlur(chip, (0, 0), 1.0)
    detail = float(cv2.Laplacian(smooth, cv2.CV_64F).var())
    return 1000.0 * detail / max(float(smooth.var()), 1.0)


def eye_distance(face: DetectedFace) -> float:
    """Pixels between the eyes' centres."""
    return math.dist(face.left_eye, face.right_eye)


def roll(face: DetectedFace) -> float:
    """Tilt of the line through the eyes in degrees, -180..180, 0 upright."""
    return math.degrees(
        math.atan2(face.right_eye[1] - face.left_eye[1], face.right_eye[0] - face.left_eye[0])
    )


def yaw(face: DetectedFace) -> float:
    """Turn of the head to the side in degrees, -90..90, estimated from eyes and nose alone.

    The nose stands before the eyes' plane, so turning moves it sideways between them. Good to about
    10 degrees: it assumes an average nose and a head without pitch.
    """
    tilt = math.radians(roll(face))
    dx = face.nose[0] - (face.left_eye[0] + face.right_eye[0]) / 2
    dy = face.nose[1] - (face.left_eye[1] + face.right_eye[1]) / 2
    sideways = dx * math.cos(tilt) + dy * math.sin(tilt)
    return math.degrees(math.atan2(sideways / max(eye_distance(face), 1.0), _NOSE_DEPTH))


def exposure(chip: GreyImage) -> tuple[float, float, float]:
    """Brightness (mean, 0..255), contrast (standard deviation, 0..128), clipped share (0..1) of a face."""
    clipped = float(np.mean((chip <= 8) | (chip >= 247)))
    return float(chip.mean()), float(chip.std()), clipped

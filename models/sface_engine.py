"""The fast face engine: RFB detector, 68 points, SFace templates of 128 numbers; onnxruntime.

SFace (Zhong et al., "SFace: Sigmoid-Constrained Hypersphere Loss for Robust Face Recognition", IEEE TIP
2021) is the recogniser of OpenCV's model zoo: MobileFaceNet's size, origin and licence known. Together they
cost a fraction of dlib and tell people apart better (bench/RESULTS.md); `weights.toml` says what is known of
each.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from models.face_points import (
    LEFT_EYE_CORNERS,
    RIGHT_EYE_CORNERS,
    UNDER_NOSE,
    FacePoints,
    Points,
    five_points,
)
from models.faces import DetectedFace, Template
from models.images import BGRImage, Box, Point, require_image
from models.onnx import OnnxModel
from models.rfb_detector import FoundFace, RfbDetector
from models.weights import verified

CHIP_PX = 112
_REFERENCE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
"""Where the network was taught to expect the five points (the alignment of ArcFace, 112x112)."""
TEMPLATE_NORM = 0.474
"""Length of every template. With it a distance means what it means for the other engine: near 0.53 the FMR is
1e-3, here (.532 in a class, .533 on LFW) as there. cosine = 1 - distance^2 / (2 * TEMPLATE_NORM^2)."""
BOX_SIDE = 0.81
"""Side of the square face box in heights of the detector's: as wide as dlib's box of the same face."""
BOX_DOWN = 0.06
"""And its centre lies by so much of that height lower: dlib's box ends at the brows."""
NOT_YET_NEAR = 0.6
"""Faces down to this share of `min_face_px` are found too: somebody must tell their owner to come closer."""


class SFaceEngine:
    """`FaceEngine` with 128-d templates of length `TEMPLATE_NORM`."""

    name = "sface-128-v1"
    template_length = 128
    duplicate_distance = 0.48  # FMR 0 of 67 050 on LFW, 0 of 13 101 in a class
    one_person_distance = 0.565  # FMR .015 on LFW, .018 in a class; FNMR .003 and .034
    max_yaw_degrees = 35.0  # 30-35 on LFW: FNMR 0 of 22 photos, FMR .00129 where the front has .001
    max_enrolment_yaw_degrees = 25.0  # 60 less 35: photos 50-60 apart on LFW: FNMR 0 of 22, FMR .0022

    def __init__(self, *, min_face_px: int = 96, models_folder: Path | None = None) -> None:
        """Load and verify the models. `min_face_px` 40..1000. ModelError names the file and the remedy."""
        if not 40 <= min_face_px <= 1000:
            raise ValueError(f"min_face_px is {min_face_px}, expected 40..1000")
        self._min_face_px = min_face_px
        self._detector = RfbDetector(verified("rfb-320", models_folder))
        self._points = FacePoints(verified("face-points-68", models_folder))
        self._network = OnnxModel(verified("sface-128-v1", models_folder))

    def detect(self, image: BGRImage) -> list[DetectedFace]:
        """All faces at least `min_face_px` wide, and of the smaller ones those down to NOT_YET_NEAR that are
        seen without looking closer; largest first. ValueError for what is no picture."""
        require_image(image)
        faces = [self._face(image, found) for found in self._detector.find(image, self._min_face_px)]
        return sorted(
            (face for face in faces if face.box.width >= NOT_YET_NEAR * self._min_face_px),
            key=lambda face: face.box.width,
            reverse=True,
        )

    def template(self, image: BGRImage, face: DetectedFace) -> Template:
        """128-d template of `face`, which `detect` found in this very `image`."""
        require_image(image)
        chip = _aligned(image, np.array(face.landmarks))
        values = chip[:, :, ::-1].astype(np.float32).transpose(2, 0, 1)[None]  # RGB, 0..255
        found = self._network.run(np.ascontiguousarray(values))[0][0]
        scale = TEMPLATE_NORM / max(float(np.linalg.norm(found)), 1e-9)
        return np.asarray(found * scale, dtype=np.float32)

    def _face(self, image: BGRImage, found: FoundFace) -> DetectedFace:
        height = found.bottom - found.top
        x, y = (found.left + found.right) / 2, (found.top + found.bottom) / 2
        points = self._points.find(image, (x, y), height)
        side = round(height * BOX_SIDE)
        box = Box(round(x - side / 2), round(y + BOX_DOWN * height - side / 2), side, side)
        one, two, three, four, five = (_point(point) for point in five_points(points))
        return DetectedFace(
            box=box,
            score=found.score,
            landmarks=(one, two, three, four, five),
            left_eye=_middle(points, RIGHT_EYE_CORNERS),
            right_eye=_middle(points, LEFT_EYE_CORNERS),
            nose=_point(points[UNDER_NOSE]),
            contour=tuple(_point(point) for point in points),
        )


def _aligned(image: BGRImage, points: npt.NDArray[np.float64]) -> BGRImage:
    """The face turned, moved and scaled so that its five points lie nearest to the reference."""
    transform = _similarity(points, _REFERENCE)
    scale = float(np.hypot(transform[0, 0], transform[1, 0]))
    source = image
    if scale < 0.5:  # a bilinear warp would skip pixels of a large face: shrink its surroundings first
        source, factor, corner = _shrunk(image, points, 2 * scale)
        transform[:, 2] += transform[:, :2] @ corner
        transform[:, :2] /= factor
    size = (CHIP_PX, CHIP_PX)
    warped = cv2.warpAffine(source, transform, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, np.uint8)


def _shrunk(
    image: BGRImage, points: npt.NDArray[np.float64], factor: float
) -> tuple[BGRImage, float, npt.NDArray[np.float64]]:
    """Surroundings of `points` made smaller by `factor` at most, that factor, and their corner in `image`."""
    reach = 2.0 * float(np.ptp(points, axis=0).max())
    height, width = image.shape[:2]
    left, top = (int(max(0.0, edge)) for edge in points.min(axis=0) - reach)
    right, bottom = points.max(axis=0) + reach
    part = image[top : min(height, int(bottom)), left : min(width, int(right))]
    if 0 in part.shape:  # points beyond the picture's edge: nothing to shrink
        return image, 1.0, np.zeros(2)
    return (
        np.asarray(cv2.resize(part, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8),
        factor,
        np.array((left, top), np.float64),
    )


def _similarity(source: npt.NDArray[np.float64], target: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The (2, 3) turn, scale and shift that brings `source` nearest to `target` (Umeyama, 1991)."""
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    a, b = source - source_mean, target - target_mean
    left, spread, right = np.linalg.svd(b.T @ a / len(source))
    signs = np.array([1.0, np.sign(np.linalg.det(left) * np.linalg.det(right)) or 1.0])
    rotation = left @ np.diag(signs) @ right
    scale = float((spread * signs).sum() / max(float(a.var(axis=0).sum()), 1e-9))
    shift = target_mean - scale * rotation @ source_mean
    return np.column_stack([scale * rotation, shift])


def _point(values: npt.NDArray[np.float64]) -> Point:
    return float(values[0]), float(values[1])


def _middle(points: Points, corners: tuple[int, int]) -> Point:
    return _point(points[list(corners)].mean(axis=0))

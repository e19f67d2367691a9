"""The default face engine: dlib's HOG detector, five-point landmarks and ResNet-29 templates.

No GPU and no inference runtime: dlib alone, some 50 MB. The package face_recognition is not used: it
imports `pkg_resources` and loads a 95 MB landmark model whose training data forbid commercial use.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import dlib
import numpy as np

from models.faces import DetectedFace, Template
from models.images import BGRImage, Box, Point, require_image
from models.weights import ModelError, ModelFile, verified

WINDOW_PX = 80
"""Side of the HOG detector's window: a face narrower than this in the searched picture is missed."""
CHIP_PX = 150
"""Side of the aligned face that the ResNet was trained on, with a quarter of margin around."""
MIN_SCORE = 0.3
"""Above dlib's own cut of 0, at which a badge in one of nine sample photos (score 0.06) was a face; the
weakest true face there has 0.54."""


class DlibFaceEngine:
    """`FaceEngine` with 128-d templates of length about 1.4; see `weights.toml` for what it reaches.

    Detection runs on a grey picture scaled so that a face of `min_face_px` just fills the detector's
    window: the cost of a frame falls with the square of that number.
    """

    name = "dlib-resnet-v1"
    template_length = 128
    duplicate_distance = 0.45  # FMR 1e-5 on LFW, 0 of 13 000 in a class
    one_person_distance = 0.62  # FMR .01 on LFW
    max_yaw_degrees = 30.0  # 25-30 on LFW: FNMR .16 of 31 photos (front .14), FMR .00015 (front .001)
    max_enrolment_yaw_degrees = 20.0  # 50 less 30: photos 40-50 apart on LFW: FNMR .21 of 46, FMR 0

    def __init__(self, *, min_face_px: int = 96, models_folder: Path | None = None) -> None:
        """Load and verify the models. `min_face_px` 40..1000. ModelError names the file and the remedy."""
        if not 40 <= min_face_px <= 1000:
            raise ValueError(f"min_face_px is {min_face_px}, expected 40..1000")
        self._scale = WINDOW_PX / min_face_px
        self._detector: Any = dlib.get_frontal_face_detector()
        self._predictor = _load(dlib.shape_predictor, verified("dlib-5-landmarks", models_folder))
        self._network = _load(dlib.face_recognition_model_v1, verified("dlib-resnet-v1", models_folder))

    def detect(self, image: BGRImage) -> list[DetectedFace]:
        """All faces at least `min_face_px` wide, largest first; ValueError for what is no picture."""
        require_image(image)
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        method = cv2.INTER_AREA if self._scale < 1 else cv2.INTER_LINEAR
        small = cv2.resize(grey, None, fx=self._scale, fy=self._scale, interpolation=method)
        found, scores, _ = self._detector.run(small, 0, MIN_SCORE)
        faces = [self._face(grey, box, score) for box, score in zip(found, scores, strict=True)]
        return sorted(faces, key=lambda face: face.box.width, reverse=True)

    def template(self, image: BGRImage, face: DetectedFace) -> Template:
        """128-d template of `face`, which `detect` found in this very `image`."""
        require_image(image)
        rgb = np.ascontiguousarray(image[:, :, ::-1])
        points = dlib.points([dlib.point(round(x), round(y)) for x, y in face.landmarks])
        shape = dlib.full_object_detection(_rectangle(face.box), points)
        chip = dlib.get_face_chip(rgb, shape, size=CHIP_PX, padding=0.25)
        return np.asarray(self._network.compute_face_descriptor(chip), dtype=np.float32)

    def _face(self, grey: Any, found: Any, score: float) -> DetectedFace:
        left, top = round(found.left() / self._scale), round(found.top() / self._scale)
        box = Box(left, top, round(found.width() / self._scale), round(found.height() / self._scale))
        parts = [(float(p.x), float(p.y)) for p in self._predictor(grey, _rectangle(box)).parts()]
        right_outer, right_inner, left_outer, left_inner, nose = parts
        return DetectedFace(
            box=box,
            score=float(score),
            landmarks=(right_outer, right_inner, left_outer, left_inner, nose),
            left_eye=_middle(left_outer, left_inner),
            right_eye=_middle(right_outer, right_inner),
            nose=nose,
        )


def _load(reader: Any, file: ModelFile) -> Any:
    try:
        with file.opened() as name:
            return reader(name)
    except RuntimeError as error:  # dlib's own word for a file that it cannot parse
        raise ModelError(f"{file.path}: dlib cannot read it ({error}); install dlib-bin again") from error


def _rectangle(box: Box) -> Any:
    return dlib.rectangle(box.left, box.top, box.right - 1, box.bottom - 1)


def _middle(a: Point, b: Point) -> Point:
    return (a[0] + b[0]) / 2, (a[1] + b[1]) / 2

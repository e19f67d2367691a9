"""Faces: found in a picture, turned into templates, compared.

A `FaceEngine` is one detector with one recognition network. Templates of different engines live in
different spaces and are never compared: every stored template carries its engine's `name`.

**Distance** is the Euclidean (L2) distance between two templates of one engine: 0 for the same
picture, larger for less alike. What distance still counts as one person is not a property of the
engine but of its use (`match_threshold`); `weights.toml` states what was measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from models.images import BGRImage, Box, Point

Template = npt.NDArray[np.float32]
"""Shape (template_length,), dtype float32."""


@dataclass(frozen=True, slots=True)
class DetectedFace:
    """One face in one picture; positions in that picture's pixels."""

    box: Box
    """Roughly from the brows to the chin and from ear to ear."""
    score: float
    """The detector's own score; comparable only within one engine."""
    landmarks: tuple[Point, Point, Point, Point, Point]
    """Five points in the engine's own order, which its `template` aligns by."""
    left_eye: Point
    """Centre of the eye that is on the left in the picture (the person's right eye)."""
    right_eye: Point
    nose: Point
    """Point under the tip of the nose."""

    def moved(self, right: int, down: int) -> DetectedFace:
        """The same face in a picture with `right` more columns on its left and `down` more rows on top."""

        def move(point: Point) -> Point:
            return point[0] + right, point[1] + down

        a, b, c, d, e = self.landmarks
        return DetectedFace(
            box=self.box._replace(left=self.box.left + right, top=self.box.top + down),
            score=self.score,
            landmarks=(move(a), move(b), move(c), move(d), move(e)),
            left_eye=move(self.left_eye),
            right_eye=move(self.right_eye),
            nose=move(self.nose),
        )


class FaceEngine(Protocol):
    """Detector and template network. Not safe for use by two threads at once."""

    name: str
    """Written beside each template, e.g. "dlib-resnet-v1"."""
    template_length: int

    def detect(self, image: BGRImage) -> list[DetectedFace]:
        """All faces at least as wide as the engine was told to look for, largest first."""
        ...

    def template(self, image: BGRImage, face: DetectedFace) -> Template:
        """Template of `face`, which `detect` found in this very `image`."""
        ...


def distances(probe: Template, gallery: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Distance of `probe` (length,) to every row of `gallery` (rows, length); float32 of shape (rows,)."""
    differences: npt.NDArray[np.float32] = np.linalg.norm(gallery - probe, axis=1).astype(np.float32)
    return differences


def _dlib_resnet_v1(min_face_px: int, models_folder: Path | None) -> FaceEngine:
    from models.dlib_engine import DlibFaceEngine  # 50 MB that a process without this engine need not load

    return DlibFaceEngine(min_face_px=min_face_px, models_folder=models_folder)


_ENGINES: dict[str, Callable[[int, Path | None], FaceEngine]] = {"dlib-resnet-v1": _dlib_resnet_v1}
DEFAULT_ENGINE = "dlib-resnet-v1"


def load_engine(
    name: str = DEFAULT_ENGINE, *, min_face_px: int = 96, models_folder: Path | None = None
) -> FaceEngine:
    """The engine `name`, its model files verified; `min_face_px` is the narrowest face box it must find.

    ValueError for a name that is not known, ModelError for a model file that is missing or differs.
    """
    try:
        make = _ENGINES[name]
    except KeyError:
        raise ValueError(f"face engine {name!r} is not known; known: {', '.join(_ENGINES)}") from None
    return make(min_face_px, models_folder)

"""Faces: found in a picture, turned into templates, compared.

A `FaceEngine` is one detector with one recognition network. Templates of different engines live in
different spaces and are never compared: every stored template carries its engine's `name`.

**Distance** is the Euclidean (L2) distance between two templates of one engine: 0 for the same
picture, larger for less alike. Engines choose the length of their templates so that the false match
rate per comparison is 1e-3 near 0.53, whichever the engine: HR's threshold keeps its meaning when the
engine changes. For templates of equal length it orders as their cosine does. What distance still counts
as one person is not a property of the engine but of its use (`match_threshold`); `weights.toml` states
what was measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from models.images import BGRImage, Box, Point
from models.weights import ModelError

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
    contour: tuple[Point, ...] = ()
    """The 68 points of `models.face_points` where the engine finds them, else none."""

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
            contour=tuple(move(point) for point in self.contour),
        )


class FaceEngine(Protocol):
    """Detector and template network. Not safe for use by two threads at once."""

    name: str
    """Written beside each template, e.g. "dlib-resnet-v1". Another alignment or network: another name."""
    template_length: int
    duplicate_distance: float
    """Nearer than this, photos of two people show one face: no pair of strangers in the measured sets is."""
    one_person_distance: float
    """Photos of one enrolment farther apart than this show two people: one pair of strangers in a hundred is
    nearer. Engines agree near 0.53 and drift apart from there: templates of equal length that have nothing in
    common are 1.41 times their length apart, whoever they show."""

    max_yaw_degrees: float
    """A head turned farther, by `face_quality.yaw` of this engine's points, is recognised less surely than
    one from the front, or too few were measured (bench/pose.py)."""
    max_enrolment_yaw_degrees: float
    """The same for photos to enrol with. The person may look to the other side at the door: this and
    `max_yaw_degrees` together are the widest angle between two photos that was measured as well."""

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


def _sface_128_v1(min_face_px: int, models_folder: Path | None) -> FaceEngine:
    from models.sface_engine import SFaceEngine  # 60 MB of onnxruntime

    return SFaceEngine(min_face_px=min_face_px, models_folder=models_folder)


_ENGINES: dict[str, Callable[[int, Path | None], FaceEngine]] = {
    "sface-128-v1": _sface_128_v1,
    "dlib-resnet-v1": _dlib_resnet_v1,
}
FALLBACK_ENGINE = "dlib-resnet-v1"
"""Its files come with the Python packages: it is there on every machine."""
ENGINES = tuple(_ENGINES)
"""Every engine, the better ones first: measured by bench/faces.py, figures in bench/RESULTS.md."""


def load_engine(
    name: str = FALLBACK_ENGINE, *, min_face_px: int = 96, models_folder: Path | None = None
) -> FaceEngine:
    """The engine `name`, its model files verified; `min_face_px` is the narrowest face box it must find.

    `models_folder` holds what `classroom-agent models install` put there. ValueError for a name that is not
    known, ModelError for a model file that is missing or differs.
    """
    try:
        make = _ENGINES[name]
    except KeyError:
        raise ValueError(f"face engine {name!r} is not known; known: {', '.join(_ENGINES)}") from None
    return make(min_face_px, models_folder)


@dataclass(frozen=True, slots=True)
class ChosenEngine:
    """The engine that `"auto"` came to."""

    engine: FaceEngine
    passed_over: tuple[str, ...]
    """Why each better engine cannot be used, one sentence each."""


def choose_engine(
    wanted: str = "auto", *, min_face_px: int = 96, models_folder: Path | None = None
) -> ChosenEngine:
    """The engine `wanted`, or for "auto" the best whose files are there and right.

    Only "auto" passes over an engine: whoever named one gets that or ModelError (I9). ModelError too when
    none can be used, ValueError for a name that is not known.
    """
    if wanted != "auto":
        return ChosenEngine(load_engine(wanted, min_face_px=min_face_px, models_folder=models_folder), ())
    passed_over: list[str] = []
    for name in ENGINES:
        try:
            engine = load_engine(name, min_face_px=min_face_px, models_folder=models_folder)
        except ModelError as error:
            passed_over.append(str(error))
        else:
            return ChosenEngine(engine, tuple(passed_over))
    raise ModelError(passed_over[-1])

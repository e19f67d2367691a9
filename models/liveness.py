"""Passive liveness: does one picture show a face itself, or a picture of a face?

Two independent judges, each optional, at least one needed:

- the **pair**: MiniFASNet V2 (80x80, 2.7 faces wide) and V1SE (4 faces wide), softmax averaged. It may say
  live.
- the **screener**: `fr_liveness` of the npm package (128x128, 2.7 faces wide). It stops every replay that it
  was shown and lets two of three screen stills pass, and doubts one frame in five of a live person: it may
  say attack and it may doubt, it never says live (bench/RESULTS.md).

The crop is laid by the eyes, not by the detector's box: by the detector's own box the pair refused a third of
one live person's frames, by the eyes none, with either engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from models.face_quality import eye_distance
from models.faces import DetectedFace
from models.images import BGRImage, require_image
from models.onnx import OnnxModel
from models.weights import ModelError, verified

PAIR = ("minifasnet-v2-2.7", "minifasnet-v1se-4.0")
"""Rows of weights.toml."""
SCREENER = "fr-liveness"

PAIR_FACE = 2.6
"""Side of the square taken for the face, in distances between the eyes."""
SCREENER_FACE = 2.2
FACE_DOWN = 0.3
"""The square's centre lies by so many eye distances below the eyes."""


@dataclass(frozen=True, slots=True)
class PassiveScores:
    """What the judges say of one frame."""

    pair: float | None
    """Probability of a live face, 0..1; None without that judge."""
    printed: float | None
    """The pair's probability of its class "printed or shown flat", 0..1; which kind of attack, not
    whether."""
    screener: float | None
    """Probability of a live face, 0..1; None without that judge."""


class PassiveLiveness(Protocol):
    """Judges single frames. Not safe for use by two threads at once."""

    name: str
    """Written into records, e.g. "minifasnet+fr-liveness"."""

    def score(self, image: BGRImage, face: DetectedFace) -> PassiveScores:
        """Scores of `face` in `image`; ValueError for what is no picture."""
        ...


class OnnxPassiveLiveness:
    """The judges whose files are there."""

    def __init__(self, models_folder: Path | None = None) -> None:
        """Load and verify them. ModelError, with the remedy, when there is none, or when a file is there and
        is not the one that was measured."""
        pair = _load_present(PAIR, models_folder)
        screener = _load_present((SCREENER,), models_folder)
        if not pair and not screener:
            # Whichever is missing is named with its remedy.
            verified(SCREENER, models_folder)
        self._pair = pair
        self._screener = screener
        self.name = "+".join(name for name, there in (("minifasnet", pair), (SCREENER, screener)) if there)

    def score(self, image: BGRImage, face: DetectedFace) -> PassiveScores:
        """Scores of `face` in `image`; ValueError for what is no picture."""
        require_image(image)
        pair = printed = screener = None
        if self._pair:
            narrow, wide = self._pair
            both = (
                _softmax(narrow.run(_input(face_crop(image, face, PAIR_FACE * 2.7), 80))[0][0])
                + _softmax(wide.run(_input(face_crop(image, face, PAIR_FACE * 4.0), 80))[0][0])
            ) / 2
            printed, pair = float(both[0]), float(both[1])
        if self._screener:
            (model,) = self._screener
            crop = face_crop(image, face, SCREENER_FACE * 2.7)
            screener = float(_softmax(model.run(_input(crop, 128))[0][0])[0])
        return PassiveScores(pair, printed, screener)


def _load_present(names: tuple[str, ...], folder: Path | None) -> tuple[OnnxModel, ...]:
    """The models `names` if all their files are there, () if any is missing; ModelError if one differs."""
    files = []
    for name in names:
        try:
            files.append(verified(name, folder))
        except ModelError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return ()
            raise
    return tuple(OnnxModel(file) for file in files)


def face_crop(image: BGRImage, face: DetectedFace, side_in_eye_distances: float) -> BGRImage:
    """The square around the face, as these networks were taught: where it would reach beyond the picture it
    is first made smaller, then moved inside."""
    height, width = image.shape[:2]
    between = max(eye_distance(face), 1.0)
    side = max(min(side_in_eye_distances * between, width - 1, height - 1), 1.0)
    x = (face.left_eye[0] + face.right_eye[0]) / 2
    y = (face.left_eye[1] + face.right_eye[1]) / 2 + FACE_DOWN * between
    left = min(max(x - side / 2, 0.0), width - 1 - side)
    top = min(max(y - side / 2, 0.0), height - 1 - side)
    return image[int(top) : int(top + side) + 1, int(left) : int(left + side) + 1]


def _input(crop: BGRImage, side: int) -> npt.NDArray[np.float32]:
    """BGR as they were taught, 0..255, shape (1, 3, side, side)."""
    small = np.asarray(cv2.resize(crop, (side, side)), np.float32)
    return np.ascontiguousarray(small.transpose(2, 0, 1)[None])


def _softmax(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    powers = np.exp(values.astype(np.float64) - float(values.max()))
    return np.asarray(powers / powers.sum(), np.float64)

"""From stored head counts to looks: boxes in pixels become heads in units of the picture's height, each in
its zone of the room.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from math import sqrt
from typing import Final

from agent.store.calibration import Mask, RoomCalibration
from agent.store.heads import BoxRow
from agent.visibility.estimate import DEFAULT, ErrorModel
from agent.visibility.seats import Head, Look, Polygon, inside
from models.scorer import scorer
from models.weights import manifest

MODELS: Final[dict[str, ErrorModel]] = {}
"""Detectors of earlier releases, whose counts a node may still hold: full name → what is known of their
errors. What the manifest names as bearing verdicts needs no entry."""


@dataclass(frozen=True, slots=True)
class Zones:
    """Parts of a room's picture, in 0..1 of its width and height."""

    teacher: Polygon = ()
    masks: tuple[Mask, ...] = ()

    @classmethod
    def of(cls, calibration: RoomCalibration | None) -> Zones:
        """None: the room was never calibrated, the whole picture is the trainees'."""
        return cls() if calibration is None else cls(calibration.teacher_zone, calibration.masks)

    def of_point(self, x: float, y: float) -> str:
        """`Head.zone` of a point, x and y in 0..1."""
        if any(left <= x <= right and top <= y <= bottom for left, top, right, bottom in self.masks):
            return "masked"
        return "teacher" if inside(self.teacher, x, y) else ""


def error_model(detector: str) -> ErrorModel | None:
    """What is known of the errors of a detector, named in full (`models.scorer`); None: no verdict
    may rest on it, because its scores are no probabilities, or other weights gave them than were measured."""
    return DEFAULT if detector in _bearing() else MODELS.get(detector)


@cache
def _bearing() -> frozenset[str]:
    """That weights' scores are probabilities is not enough: the manifest says whether bounds made of them
    held on a counted film."""
    rows = manifest()["weights"]
    return frozenset(
        scorer(name) for name, row in rows.items() if row.get("calibration", {}).get("bears_verdicts") is True
    )


def look_of(at_us: int, boxes: Iterable[BoxRow], width: int, height: int, zones: Zones) -> Look:
    """The look of one counted picture of `width` × `height` pixels."""
    heads = []
    for left, top, right, bottom, score in boxes:
        x, y = (left + right) / 2, (top + bottom) / 2
        size = sqrt(max(1, (right - left) * (bottom - top))) / height
        probability = min(max(score, 1e-4), 1 - 1e-4)
        zone = zones.of_point(x / width, y / height)
        heads.append(Head(x / height, y / height, size, probability, zone))
    return Look(at_us, tuple(heads))

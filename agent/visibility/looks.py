"""From stored head counts to looks: boxes in pixels become heads in units of the picture's height, each in
its zone of the room.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from math import exp, log, sqrt
from typing import Final

from agent.store.calibration import Mask, RoomCalibration
from agent.store.heads import BoxRow
from agent.visibility.error_model import DEFAULT, ErrorModel
from agent.visibility.seats import Head, Look, Polygon, inside
from models.scorer import scorer
from models.weights import manifest

MODELS: Final[dict[str, ErrorModel]] = {}
"""Detectors of earlier releases, whose counts a node may still hold: full name → what is known of their
errors. What the manifest names as bearing verdicts needs no entry."""

DOUBT_EACH: Final = 0.1
"""Variance of the count that a person in the picture brings with it: what a counted picture is worth for the
room's log-odds (measured of the head net's scores)."""
FURTHER: Final = 0.25
"""What each further counted picture is worth of the first."""


@dataclass(frozen=True, slots=True)
class Zones:
    """Parts of a room's picture, in 0..1 of its width and height."""

    teacher: Polygon = ()
    masks: tuple[Mask, ...] = ()
    shift: float = 0.0
    """Log-odds to be added to the detector's in this room (`room_errors`)."""

    @classmethod
    def of(cls, calibration: RoomCalibration | None, detector: str) -> Zones:
        """None: the room was never calibrated, the whole picture is the trainees'."""
        if calibration is None:
            return cls()
        return cls(calibration.teacher_zone, calibration.masks, room_errors(calibration, detector)[0])

    def of_point(self, x: float, y: float) -> str:
        """`Head.zone` of a point, x and y in 0..1."""
        if any(left <= x <= right and top <= y <= bottom for left, top, right, bottom in self.masks):
            return "masked"
        return "teacher" if inside(self.teacher, x, y) else ""


def error_model(detector: str) -> ErrorModel | None:
    """What is known of the errors of a detector, named in full (`models.scorer`); None: no verdict
    may rest on it, because its scores are no probabilities, or other weights gave them than were measured."""
    return DEFAULT if detector in _bearing() else MODELS.get(detector)


def scored_model(detector: str) -> ErrorModel | None:
    """What its intervals are made of, whether or not a verdict may rest on them everywhere; None: its scores
    are no probabilities, and what looked like an interval would be none."""
    return error_model(detector) or (DEFAULT if detector in _cuts() else None)


@cache
def _bearing() -> frozenset[str]:
    """That weights' scores are probabilities is not enough: the manifest says whether bounds made of them
    held on a counted film."""
    rows = manifest()["weights"]
    return frozenset(
        scorer(name) for name, row in rows.items() if row.get("calibration", {}).get("bears_verdicts") is True
    )


def room_errors(calibration: RoomCalibration | None, detector: str) -> tuple[float, float]:
    """What counted pictures of a room say of a detector there: the log-odds by which its scores are too low,
    and how far off that still is (a standard deviation), beside the room to room deviation of `DEFAULT`.

    The cut at which it counts as many as somebody counted differs from its own by just these log-odds. People
    who were counted in several pictures of one occasion are mostly the same.
    """
    own = _cuts().get(detector)
    frames = 0 if calibration is None else int(calibration.fit.get("frames") or 0)
    if calibration is None or not calibration.cut or calibration.detector != detector or not (frames and own):
        return 0.0, DEFAULT.room_sd
    worth = DOUBT_EACH * int(calibration.fit.get("people") or 0) * (1 + (frames - 1) * FURTHER) / frames
    return _logit(own) - _logit(calibration.cut), 1 / sqrt(1 / DEFAULT.room_sd**2 + worth)


@cache
def _cuts() -> dict[str, float]:
    """Detectors of the manifest → their own cut."""
    rows = manifest()["weights"].items()
    return {scorer(name): float(row["calibration"]["cut"]) for name, row in rows if "calibration" in row}


def _logit(share: float) -> float:
    return log(share / (1 - share))


def look_of(at_us: int, boxes: Iterable[BoxRow], width: int, height: int, zones: Zones) -> Look:
    """The look of one counted picture of `width` × `height` pixels."""
    heads = []
    for left, top, right, bottom, score in boxes:
        x, y = (left + right) / 2, (top + bottom) / 2
        size = sqrt(max(1, (right - left) * (bottom - top))) / height
        odds = _logit(min(max(score, 1e-4), 1 - 1e-4)) + zones.shift
        probability = min(max(1 / (1 + exp(-odds)), 1e-4), 1 - 1e-4)
        zone = zones.of_point(x / width, y / height)
        heads.append(Head(x / height, y / height, size, probability, zone))
    return Look(at_us, tuple(heads))

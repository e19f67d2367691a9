"""The quality gate: is this picture of a face worth a template, and if not, what should the person do?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from itertools import starmap

from agent.checkin.thresholds import CheckinThresholds
from models.face_quality import FaceQuality, measure
from models.faces import DetectedFace, FaceEngine
from models.images import BGRImage


class GateReason(StrEnum):
    """Why a face was taken or not; the page and the board translate it."""

    TAKEN = "taken"
    TOO_SMALL = "too_small"
    CUT_OFF = "cut_off"
    TURNED = "turned"
    TILTED = "tilted"
    BLURRED = "blurred"
    TOO_DARK = "too_dark"
    TOO_BRIGHT = "too_bright"
    FLAT = "flat"


REMEDY: dict[GateReason, tuple[str, str]] = {
    GateReason.TAKEN: ("请稍候", "One moment"),
    GateReason.TOO_SMALL: ("请走近一些", "Come closer"),
    GateReason.CUT_OFF: ("请走到画面中间", "Step into the middle of the picture"),
    GateReason.TURNED: ("请正对摄像头", "Face the camera"),
    GateReason.TILTED: ("请把头摆正", "Hold your head upright"),
    GateReason.BLURRED: ("请站稳不动", "Hold still"),
    GateReason.TOO_DARK: ("光线太暗，请面向光源", "Too dark, face the light"),
    GateReason.TOO_BRIGHT: ("光线太强，请避开强光", "Too bright, step out of the glare"),
    GateReason.FLAT: (
        "看不清面部，请靠近并面向光源",
        "The face is hard to see, come closer and face the light",
    ),
}
"""What the person is told: Chinese, English."""


@dataclass(frozen=True, slots=True)
class Check:
    """One measure of a face against its limit."""

    measure: str
    """Name of the measure, as in `FaceQuality`; `outside_px`: how far the face reaches beyond the picture."""
    value: float
    is_upper: bool
    """Whether `limit` is the largest good value (else the smallest)."""
    limit: float
    reason: GateReason
    """Why a face is not taken that fails it."""

    @property
    def is_passed(self) -> bool:
        return self.value <= self.limit if self.is_upper else self.value >= self.limit


def checks(
    image: BGRImage,
    face: DetectedFace,
    quality: FaceQuality,
    limits: CheckinThresholds,
    max_yaw_degrees: float,
) -> tuple[Check, ...]:
    """Every measure of `face` with its limit, in the order in which the person can mend them.

    `max_yaw_degrees` is the engine's (`FaceEngine`): each reads another number off the same head.
    """
    height, width = image.shape[:2]
    box = face.box
    outside = max(-box.left, -box.top, box.right - width, box.bottom - height, 0)
    table: tuple[tuple[str, float, bool, float, GateReason], ...] = (
        ("outside_px", outside, True, 0, GateReason.CUT_OFF),
        ("width_px", quality.width_px, False, limits.min_face_px, GateReason.TOO_SMALL),
        ("yaw_degrees", abs(quality.yaw_degrees), True, max_yaw_degrees, GateReason.TURNED),
        ("roll_degrees", abs(quality.roll_degrees), True, limits.max_roll_degrees, GateReason.TILTED),
        ("brightness", quality.brightness, False, limits.min_brightness, GateReason.TOO_DARK),
        ("brightness", quality.brightness, True, limits.max_brightness, GateReason.TOO_BRIGHT),
        ("clipped", quality.clipped, True, limits.max_clipped, GateReason.TOO_BRIGHT),
        ("contrast", quality.contrast, False, limits.min_contrast, GateReason.FLAT),
        ("sharpness", quality.sharpness, False, limits.min_sharpness, GateReason.BLURRED),
    )
    return tuple(starmap(Check, table))


def first_failed(made: tuple[Check, ...]) -> Check | None:
    """The check for which a face is not taken; None when it is."""
    return next((check for check in made if not check.is_passed), None)


def judge(
    image: BGRImage,
    face: DetectedFace,
    quality: FaceQuality,
    thresholds: CheckinThresholds,
    max_yaw_degrees: float,
) -> GateReason:
    """The first reason against taking `face`."""
    failed = first_failed(checks(image, face, quality, thresholds, max_yaw_degrees))
    return GateReason.TAKEN if failed is None else failed.reason


def judge_to_enrol(
    image: BGRImage, face: DetectedFace, engine: FaceEngine, thresholds: CheckinThresholds
) -> tuple[FaceQuality, GateReason]:
    """The measures of `face` and the first reason against enrolling it."""
    quality = measure(image, face)
    return quality, judge(image, face, quality, thresholds, engine.max_enrolment_yaw_degrees)


def suitability(quality: FaceQuality) -> float:
    """How good a taken face is for a template, 0..1; only for choosing the best among frames of one face."""
    sharp = min(quality.sharpness / 20.0, 1.0)
    large = min(quality.width_px / 200.0, 1.0)
    frontal = math.cos(math.radians(quality.yaw_degrees)) ** 2
    return sharp * large * frontal

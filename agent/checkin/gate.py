"""The quality gate: is this picture of a face worth a template, and if not, what should the person do?"""

from __future__ import annotations

import math
from enum import StrEnum

from agent.checkin.thresholds import CheckinThresholds
from models.face_quality import FaceQuality
from models.faces import DetectedFace
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


def judge(
    image: BGRImage, face: DetectedFace, quality: FaceQuality, thresholds: CheckinThresholds
) -> GateReason:
    """The first reason against taking `face`, in the order in which the person can mend them."""
    height, width = image.shape[:2]
    box = face.box
    checks = (
        (box.left < 0 or box.top < 0 or box.right > width or box.bottom > height, GateReason.CUT_OFF),
        (quality.width_px < thresholds.min_face_px, GateReason.TOO_SMALL),
        (abs(quality.yaw_degrees) > thresholds.max_yaw_degrees, GateReason.TURNED),
        (abs(quality.roll_degrees) > thresholds.max_roll_degrees, GateReason.TILTED),
        (quality.brightness < thresholds.min_brightness, GateReason.TOO_DARK),
        (
            quality.brightness > thresholds.max_brightness or quality.clipped > thresholds.max_clipped,
            GateReason.TOO_BRIGHT,
        ),
        (quality.contrast < thresholds.min_contrast, GateReason.FLAT),
        (quality.sharpness < thresholds.min_sharpness, GateReason.BLURRED),
    )
    return next((reason for failed, reason in checks if failed), GateReason.TAKEN)


def suitability(quality: FaceQuality) -> float:
    """How good a taken face is for a template, 0..1; only for choosing the best among frames of one face."""
    sharp = min(quality.sharpness / 20.0, 1.0)
    large = min(quality.width_px / 200.0, 1.0)
    frontal = math.cos(math.radians(quality.yaw_degrees)) ** 2
    return sharp * large * frontal

"""Enrolment at the door camera: a few pictures at slightly different poses, and words for who stands there.

Works on the pictures that the check-in role publishes (agent/checkin/picture.py): the camera stays with its
role, and the door goes on. One at a time; other people in the picture are asked to step aside.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from agent import board
from agent.checkin.gate import REMEDY, GateReason, judge_to_enrol
from agent.checkin.thresholds import CheckinThresholds
from models.faces import FaceEngine
from models.images import BGRImage

WANTED: Final = 3
STRAIGHT_DEGREES: Final = 9.0
"""The first picture is of the face straight on."""
APART_DEGREES: Final = 5.0
"""Each further one is turned by so much from those before it: other light and other outlines, one person."""
STALE_US: Final = 3_000_000


class Step(StrEnum):
    """What the person is told, beside the gate's remedies."""

    NOBODY = "nobody"
    SEVERAL = "several"
    STRAIGHT = "straight"
    TURN = "turn"
    TAKEN = "taken"
    DONE = "done"
    NO_PICTURE = "no_picture"


SAID: Final[dict[Step, tuple[str, str]]] = {
    Step.NOBODY: ("请站到门口摄像头前", "Stand before the door camera"),
    Step.SEVERAL: ("请只留本人在画面里", "Only this person may be in the picture"),
    Step.STRAIGHT: ("请正对摄像头", "Look straight into the camera"),
    Step.TURN: ("请把头稍微转向一侧", "Turn your head a little to one side"),
    Step.TAKEN: ("拍好一张", "One picture taken"),
    Step.DONE: ("拍好了", "All pictures taken"),
    Step.NO_PICTURE: (
        "门口没有新画面：签到进程没有运行，或摄像头断开",
        "no fresh picture of the door: the check-in role is not running, or its camera is away",
    ),
}


@dataclass(frozen=True, slots=True)
class Guidance:
    """What is told now."""

    step: Step | GateReason
    taken: int

    @property
    def said(self) -> tuple[str, str]:
        """Chinese, English."""
        return REMEDY[self.step] if isinstance(self.step, GateReason) else SAID[self.step]


@dataclass
class Guide:
    """Looks at one picture after another until `WANTED` are taken."""

    engine: FaceEngine
    thresholds: CheckinThresholds
    photos: list[BGRImage] = field(default_factory=list)
    _yaws: list[float] = field(default_factory=list)

    def look(self, image: BGRImage) -> Guidance:
        """Take the picture or say what to do. Whatever the engine raises is raised."""
        step = self._judged(image)
        return Guidance(step, len(self.photos))

    def _judged(self, image: BGRImage) -> Step | GateReason:
        faces = self.engine.detect(image)
        if len(faces) != 1:
            return Step.SEVERAL if faces else Step.NOBODY
        quality, reason = judge_to_enrol(image, faces[0], self.engine, self.thresholds)
        if reason is not GateReason.TAKEN:
            return reason
        yaw = quality.yaw_degrees
        if not self._yaws and abs(yaw) > STRAIGHT_DEGREES:
            return Step.STRAIGHT
        if any(abs(yaw - before) < APART_DEGREES for before in self._yaws):
            return Step.TURN
        self.photos.append(image)
        self._yaws.append(yaw)
        return Step.DONE if len(self.photos) == WANTED else Step.TAKEN


def door_pictures(
    frames: Path, wall_us: Callable[[], int], seconds: float, interval_s: float = 0.1
) -> Iterator[tuple[BGRImage, bool] | None]:
    """The door's pictures from the board as they are published, and whether they are simulated; None about
    once a second while there is none. Ends after `seconds`."""
    until, shown_us, told = time.monotonic() + seconds, 0, time.monotonic()
    while time.monotonic() < until:
        about: dict[str, Any] = board.read_json(frames / "door.json") or {}
        at_us = about.get("at_us")
        is_fresh = isinstance(at_us, int) and wall_us() - at_us < STALE_US
        if is_fresh and at_us != shown_us and "width" in about:
            image = _published(frames / "door.jpg")
            if image is not None:
                shown_us, told = int(at_us or 0), time.monotonic()
                yield image, bool(about.get("simulated", True))
        elif time.monotonic() - told >= 1 and not is_fresh:
            told = time.monotonic()
            yield None
        time.sleep(interval_s)


def _published(path: Path) -> BGRImage | None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
    return None if image is None else np.asarray(image, np.uint8)

"""Counted and moving: a person is somebody, a poster is nobody, whatever light and camera do to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest

from agent.visibility.presence import Presence
from models.head_net import HeadNet
from models.images import BGRImage, Box, Detection
from tests.clocks import ManualClock

VTEST = Path("/usr/share/doc/opencv-doc/examples/data/vtest.avi")
DRAWN = np.random.default_rng(11)
WALL = cv2.resize(DRAWN.integers(60, 120, (36, 64, 3)).astype(np.uint8), (640, 360))
SOMEBODY = cv2.resize(DRAWN.integers(0, 255, (12, 8, 3)).astype(np.uint8), (80, 160))
BOX = Detection(Box(230, 90, 140, 200), 1.0)
"""What the detector says on every picture."""


def room(left: int = 260, top: int = 110) -> BGRImage:
    picture = WALL.copy()
    picture[top : top + 160, left : left + 80] = SOMEBODY
    return np.asarray(picture, np.uint8)


def brighter(picture: BGRImage, factor: float, columns: slice = slice(None)) -> BGRImage:
    lit = picture.astype(np.float32)
    lit[:, columns] *= factor
    return np.clip(lit, 0, 255).astype(np.uint8)


def look(pictures: Iterable[BGRImage], every_s: float = 4.0) -> list[bool]:
    clock, presence, found = ManualClock(), Presence(), []
    for picture in pictures:
        clock.advance(every_s)
        presence.see(picture, [BOX], clock.now())
        found.append(presence.is_present)
    return found


DISTURBANCES: dict[str, Callable[[int], BGRImage]] = {
    "still": lambda n: room(),
    "noise": lambda n: np.clip(room() + DRAWN.normal(0, 8, WALL.shape), 0, 255).astype(np.uint8),
    "brighter and darker": lambda n: brighter(room(), 1.0 + 0.3 * (n % 2)),
    "a lamp on one side": lambda n: brighter(room(), 1.0 + 0.4 * (n % 2), slice(0, 300)),
    "a camera that shakes": lambda n: np.roll(room(), (n % 3, 4 * (n % 2)), axis=(0, 1)),
    "compression": lambda n: np.asarray(
        cv2.imdecode(cv2.imencode(".jpg", room(), [1, 30 + 20 * (n % 3)])[1], cv2.IMREAD_COLOR), np.uint8
    ),
}


@pytest.mark.parametrize("name", DISTURBANCES)
def test_a_poster_is_nobody(name: str) -> None:
    assert not any(look(DISTURBANCES[name](n) for n in range(30)))


def test_somebody_who_moves_is_there_after_three_looks_and_gone_after_five_still_minutes() -> None:
    walking = [room(250 + 15 * (n % 4), 100 + 10 * (n % 3)) for n in range(10)]
    found = look([*walking, *[room()] * 90])
    assert found.index(True) == 3, "the first look has none before it; three must agree"
    assert found[10 + 70] and not found[10 + 77]


def test_one_passing_shadow_is_nobody() -> None:
    pictures = [room()] * 5 + [room(300)] + [room()] * 12
    assert not any(look(pictures))


def test_people_who_sit_stay_as_long_as_anything_moves() -> None:
    """Once there, a hand beside every box is enough: the detector misses people who sit."""
    seated = []
    for n in range(120):
        picture = room()
        picture[300:330, 20 + 15 * (n % 2) : 50 + 15 * (n % 2)] = SOMEBODY[:30, :30]
        seated.append(picture)
    found = look([*(room(250 + 15 * (n % 4)) for n in range(10)), *seated])
    assert all(found[5:])


def test_looks_far_apart_are_not_compared() -> None:
    assert not any(look((room(250 + 15 * (n % 4)) for n in range(20)), every_s=90))


@pytest.mark.skipif(not VTEST.exists(), reason="SKIPPED LOUDLY: apt-get install opencv-doc for vtest.avi")
def test_people_of_a_real_film_are_there_and_its_still_picture_is_empty() -> None:
    source, detector, pictures = cv2.VideoCapture(str(VTEST)), HeadNet(), []
    for _ in range(6):
        pictures.append(np.asarray(source.read()[1], np.uint8))
        for _ in range(39):
            source.read()
    for shown, expected in ((pictures, True), ([pictures[0]] * 6, False)):
        clock, presence = ManualClock(), Presence()
        for picture in shown:
            clock.advance(4)
            found = detector.count(picture) if presence.has_changed(picture, clock.now()) else []
            found = [each for each in found if each.score >= detector.cut]
            presence.see(picture, found, clock.now())
        assert presence.is_present is expected

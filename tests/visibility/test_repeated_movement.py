"""What moves in a living class never comes back; in a loop it does, whatever its phase and its noise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from agent.visibility.picture_watch import PictureWatch, sight
from agent.visibility.repeated_movement import MovementWatch
from agent.visibility.view import small_brightness
from models.images import GreyImage

WIDTH, HEIGHT = 640, 360
GROUP_S = 2.0
LIVE = 20
"""Looks before anything happens."""
Picture = npt.NDArray[np.float32]
Scene = Callable[[float], Picture]
"""Seconds → grey values without noise."""


def texture(seed: int) -> Picture:
    coarse = np.random.default_rng(seed).uniform(40, 200, (45, 80)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), np.float32)


ROOM = texture(1)
RANDOM = np.random.default_rng(5)
RATES, PHASES = RANDOM.uniform(0.03, 0.3, (24, 2, 3)), RANDOM.uniform(0, 6.3, (24, 2, 3))


def lesson(at_s: float) -> Picture:
    """Four rows of six, each swaying at paces of his own."""
    picture = ROOM.copy()
    for seat in range(24):
        right, down = 6 * np.sin(2 * np.pi * RATES[seat] * at_s + PHASES[seat]).sum(axis=1)
        place = (60 + seat % 6 * 104 + right, 110 + seat // 6 * 66 + down)
        centre = (round(place[0] * 16), round(place[1] * 16))
        cv2.circle(picture, centre, 22 * 16, 30.0 + 6 * seat, -1, shift=4)
    return picture


def loop_of(offset_s: float) -> Scene:
    """From LIVE on what was seen ten seconds and `offset_s` before."""
    return lambda at_s: lesson(at_s - 10 - offset_s if at_s > LIVE * GROUP_S + 0.4 else at_s)


def screen(at_s: float) -> Picture:
    """A projector's animation over half the class comes round each ten seconds."""
    picture = lesson(at_s)
    if at_s > LIVE * GROUP_S:
        picture[10:200, 120:540] = texture(2 + int(at_s / 2) % 5)[10:200, 120:540]
    return picture


def shaking_room(at_s: float) -> Picture:
    right, down = np.random.default_rng(round(at_s + 10)).normal(0, 2, 2)
    moved = np.array([[1, 0, right], [0, 1, down]], np.float64)
    return np.asarray(cv2.warpAffine(ROOM, moved, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT), np.float32)


def empty_room(_: float) -> Picture:
    return ROOM


def looks(scene: Scene, count: int) -> Iterator[tuple[GreyImage, GreyImage]]:
    """Each key frame and the picture a second before it, with a noise that no other picture has."""
    random = np.random.default_rng(7)
    for number in range(count):
        at_s = number * GROUP_S
        yield (_grainy(scene(at_s), random), _grainy(scene(at_s - GROUP_S / 2), random))


def _grainy(picture: Picture, random: np.random.Generator) -> GreyImage:
    return np.asarray(np.clip(picture + random.normal(0, 2, picture.shape) + 0.5, 0, 255), np.uint8)


def said(scene: Scene, count: int) -> list[int]:
    """Numbers of the looks at which a loop was found."""
    watch = MovementWatch()
    pictures = enumerate(looks(scene, count))
    return [n for n, each in pictures if watch.is_repeated(*map(small_brightness, each))]


def _given(picture: GreyImage) -> GreyImage | None:
    return picture


@pytest.mark.rule("R6")
@pytest.mark.parametrize("offset_s", [0.0, 0.5, 0.9, 1.4, -0.7])
def test_a_loop_is_found_at_its_third_change_whatever_its_phase(offset_s: float) -> None:
    found = said(loop_of(offset_s), LIVE + 6)
    # Of the first look in the loop one end lies before it.
    assert found and LIVE < found[0] <= LIVE + 4


@pytest.mark.rule("R6")
def test_the_watch_says_so_within_ten_seconds() -> None:
    watch, found = PictureWatch(), []
    for number, (key, middle) in enumerate(looks(loop_of(0.9), LIVE + 5)):
        at_s = number * GROUP_S
        seen = sight(key, round(at_s * 1e6), at_s, (5000,) * 9, None, partial(_given, middle))
        change = watch.look(seen, is_lesson=True)
        found += [] if change is None else [(change.kind, at_s)]
    assert [kind for kind, _ in found] == ["replayed"]
    assert found[0][1] + 1.5 - (LIVE * GROUP_S + 0.4) <= 10.0


@pytest.mark.rule("R6")
@pytest.mark.parametrize(
    "scene",
    [lesson, screen, shaking_room, empty_room],
    ids=lambda scene: str(scene.__name__),
)
def test_a_living_class_is_no_loop(scene: Scene) -> None:
    assert said(scene, 3 * LIVE) == []

"""A loop of the past is known at any phase that leaves a trace; whatever else comes back is none."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from agent.visibility.news import SIZE
from agent.visibility.replay import ReplayWatch
from agent.visibility.view import Field
from tests.visibility.test_other_scenes import texture

Scene = npt.NDArray[np.float32]
LOOP, BEGINS = 6, 10
"""Looks: a loop's length, and when it begins."""
WIDTH, HEIGHT = SIZE
ROOM = np.asarray(60 + 120 * cv2.resize(texture(1), SIZE, interpolation=cv2.INTER_AREA), np.float32)
PACES = np.random.default_rng(5).uniform(0.02, 0.35, (30, 2))
"""Turns a look: people who move independently."""


def people(at: float) -> Scene:
    """Thirty heads in the lower part of the picture, each where it is at a time in looks."""
    picture = ROOM.copy()
    for number, (pace, phase) in enumerate(PACES):
        x = 8 + number % 10 * 16 + np.sin(6.28 * (pace * at + 7 * phase))
        y = 45 + number // 10 * 18 + np.cos(6.28 * (phase * at + 5 * pace))
        cv2.circle(picture, (round(x * 16), round(y * 16)), 4 * 16, 30, -1, cv2.LINE_AA, 4)
    return picture


def grain(seed: int, sigma: float = 0.6) -> Scene:
    return np.random.default_rng(seed).normal(0, sigma, (HEIGHT, WIDTH)).astype(np.float32)


def found(picture: Callable[[int], Scene], looks: int) -> list[int]:
    """The looks at which it is said that this was seen before."""
    watch = ReplayWatch()
    return [number for number in range(looks) if watch.is_repeated(picture(number))]


def source(number: int) -> int:
    """Of which look of the past a look shows the picture."""
    return number if number < BEGINS else BEGINS - LOOP + (number - BEGINS) % LOOP


@pytest.mark.rule("R6")
def test_a_loop_that_kept_a_third_of_its_noise_is_known_in_its_first_round() -> None:
    """As a coarse encoder leaves it, or a tapped stream at another phase."""

    def looped(number: int) -> Scene:
        old, new = grain(source(number)), grain(1000 + number)
        return ROOM + (old if number < BEGINS else 0.3 * old + 0.95 * new)

    assert min(found(looped, BEGINS + LOOP)) <= BEGINS + 3


@pytest.mark.rule("R6")
def test_a_loop_out_of_step_whose_noise_is_gone_is_known_by_how_people_move() -> None:
    def looped(number: int) -> Scene:
        return people(source(number) + (0.3 if number >= BEGINS else 0.0)) + grain(number)

    assert min(found(looped, BEGINS + LOOP)) <= BEGINS + 3
    assert found(lambda number: people(number) + grain(number), BEGINS + 3 * LOOP) == []


@pytest.mark.rule("R6")
def test_a_room_full_of_people_close_by_who_move_is_no_loop() -> None:
    """Edges that go far leave something behind that is alike whichever way they went."""

    def crowd(number: int) -> Scene:
        picture = ROOM.copy()
        for seat, (pace, phase) in enumerate(np.random.default_rng(6).uniform(0.02, 0.45, (40, 2))):
            x = 8 + seat % 10 * 16 + 1.6 * np.sin(6.28 * (pace * number + 7 * phase))
            y = 14 + seat // 10 * 21 + 1.6 * np.cos(6.28 * (phase * number + 5 * pace))
            cv2.circle(picture, (round(x * 16), round(y * 16)), 5 * 16, 30, -1, cv2.LINE_AA, 4)
        return picture + grain(number)

    assert found(crowd, 40) == []


@pytest.mark.rule("R6")
def test_people_who_come_and_go_as_before_are_no_loop() -> None:
    """They change a third of the picture, and the median of what is new hardly at all."""

    def day(number: int) -> Scene:
        picture = ROOM + grain(number)
        if number // 8 % 2:
            picture[30:, :70] = people(0)[30:, :70] + grain(number)[30:, :70]
        return picture

    assert found(day, 48) == []


@pytest.mark.rule("R6")
def test_a_building_that_shakes_is_no_loop() -> None:
    """The same edges jump the same way again and again."""
    step = np.random.default_rng(3).normal(0, 0.5, (90, 2))
    wide = np.asarray(60 + 120 * cv2.resize(texture(9, (120, 200)), (640, 360)), np.float32)

    def shaking(number: int) -> Field:
        matrix = np.array([[1, 0, 4 * step[number, 0]], [0, 1, 4 * step[number, 1]]], np.float32)
        moved = cv2.warpAffine(wide, matrix, (640, 360), borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(
            cv2.resize(moved, SIZE, interpolation=cv2.INTER_AREA) + grain(number, 0.2), np.float32
        )

    assert found(shaking, 90) == []

"""What noise does to what is known of a room: it is no detail that a later look has lost, and no past."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from agent.visibility.replay import ReplayWatch
from agent.visibility.view import KnownView, compare, structure

Scene = npt.NDArray[np.float32]


def texture(seed: int, width: int, height: int) -> Scene:
    coarse = np.random.default_rng(seed).uniform(0, 1, (height // 4, width // 4)).astype(np.float32)
    return np.asarray(
        40 + 160 * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.float32
    )


def sharpness(seen: Scene, dark_looks: int) -> float:
    """Of `seen`, against what was known after so many looks at the same room by night, at full gain."""
    random = np.random.default_rng(3)

    def night() -> npt.NDArray[np.uint8]:
        return np.clip(30 + 0.25 * room + random.normal(0, 14, room.shape), 0, 255).astype(np.uint8)

    room = texture(1, 640, 360)
    known = KnownView.of(structure(night()))
    for _ in range(dark_looks - 1):
        known.learn(structure(night()), 0.05)
    found = compare(structure(np.clip(seen, 0, 255).astype(np.uint8)), known).sharpness
    assert found is not None
    return found


@pytest.mark.parametrize("dark_looks", [3, 8])
def test_a_room_first_seen_by_night_is_not_out_of_focus_by_day(dark_looks: int) -> None:
    room = texture(1, 640, 360)
    assert sharpness(room, dark_looks) > 0.8
    blurred = np.asarray(cv2.GaussianBlur(room, (0, 0), 3), np.float32)
    assert sharpness(blurred, dark_looks) < 0.6, "and a lens out of focus is"


@pytest.mark.parametrize("seed", [2, 3])
def test_people_who_leave_and_come_back_to_their_seats_are_no_loop(seed: int) -> None:
    """They are missing from the mean of the looks before at three looks in a row, each time alike."""
    room, people = texture(1, 320, 180), texture(9, 320, 180)
    seats = np.zeros(room.shape, np.float32)
    for seat in range(12):
        radius = 14 if seat % 2 else 7
        cv2.circle(seats, (20 + seat % 6 * 55, 60 + seat // 6 * 70), radius, 1.0, -1)
    lesson = room * (1 - seats) + people * seats
    random, watch, said = np.random.default_rng(seed), ReplayWatch(), []
    for look in range(48):
        scene = lesson if look // 8 % 2 == 0 else room
        grainy = scene + random.normal(0, 3, scene.shape)
        said.append(watch.is_repeated(np.asarray(grainy, np.float32)))
    assert not any(said)


def test_a_loop_of_them_is_one() -> None:
    random, watch = np.random.default_rng(2), ReplayWatch()
    room = texture(1, 320, 180)
    looks = [np.asarray(room + random.normal(0, 3, room.shape), np.float32) for _ in range(10)]
    said = [watch.is_repeated(look) for look in [*looks, *looks[4:9]]]
    assert said.index(True) <= 13, "at the fourth look of the loop"

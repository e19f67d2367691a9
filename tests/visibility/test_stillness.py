"""A picture stands still when its noise does, in its key frames or at the ends of its groups of pictures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from agent.visibility.stillness import StillnessWatch, is_quiet
from agent.visibility.view import Field, structure
from models.images import GreyImage
from tests.visibility.test_picture_watch import class_light, noise

BEGINS = 6
LIVING, ONE = 40, 7


def grey(scene: int, grain: int) -> GreyImage:
    """Somebody walks along the wall, a step a scene."""
    light = class_light(0)
    light[60:160, 20 + scene * 70 : 60 + scene * 70] = 30
    return np.asarray(np.clip(light + noise(grain), 0, 255), np.uint8)


def small(scene: int, grain: int) -> Field:
    return structure(grey(scene, grain)).small


def looks(key_grain: Callable[[int], int], end_grain: Callable[[int], int] | None) -> list[bool]:
    """Somebody walks, then nobody moves any more; what is said from the second such look on."""
    watch, found = StillnessWatch(), []
    for number in range(BEGINS + 5):
        scene = min(number, BEGINS)
        is_over = number >= BEGINS
        grain = key_grain(number) if is_over else number
        end = None if end_grain is None else (lambda now=number: grey(BEGINS, end_grain(now)))
        found.append(watch.is_still(small(scene, grain), False, end))
    assert not any(found[: BEGINS + 1])
    return found[BEGINS + 1 :]


@pytest.mark.rule("R6")
def test_where_the_key_frames_tell_nothing_the_ends_of_the_groups_do() -> None:
    """An encoder with few bits: each key frame has other errors, the end of each group the same noise."""
    assert looks(lambda n: LIVING + n, lambda _: ONE) == [True] * 4
    living = looks(lambda n: LIVING + n, lambda n: 2 * LIVING + n)
    assert living == [True, False, False, False], "the first is open until the next"
    assert looks(lambda n: LIVING + n, None) == [False] * 4, "nobody moves, and that is all"


def test_the_same_noise_in_key_frames_needs_no_more() -> None:
    def nobody_asks(_: int) -> int:
        raise AssertionError("a whole group was decoded for nothing")

    assert looks(lambda _: ONE, nobody_asks) == [True] * 4


def test_quiet_is_so_much_a_pixel() -> None:
    assert is_quiet((), 1920 * 1080) is None and is_quiet(None, 1920 * 1080) is None
    assert is_quiet((600, 630), 1920 * 1080) is True
    assert is_quiet((600, 660), 1920 * 1080) is False

"""Another light, another room after a pause, a new process: no reason to say "frozen" or "replayed"."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from agent.store.tamper import TamperKind
from agent.visibility.picture_watch import PictureWatch, sight
from models.images import GreyImage

Scene = npt.NDArray[np.float32]
BETWEEN = (5000,) * 10
"""Bytes of the frames between two key frames: something is new in each."""


def texture(seed: int, shape: tuple[int, int] = (45, 80)) -> Scene:
    coarse = np.random.default_rng(seed).uniform(0, 1, shape).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (640, 360), interpolation=cv2.INTER_CUBIC), np.float32)


ROOM = np.asarray(40 + 160 * texture(1), np.float32)
SUNNY = np.asarray(ROOM * (0.4 + 0.8 * texture(7, (9, 16))), np.float32)


class Camera:
    """Looks of two seconds; each picture has its own noise."""

    def __init__(self, kind: TamperKind | None = None) -> None:
        self.watch = PictureWatch(None, kind, None)
        self.found: list[TamperKind | None] = []
        self._random = np.random.default_rng(1)
        self._now_s = 100.0

    def picture(self, scene: Scene, noise: float = 4) -> GreyImage:
        grainy = scene + self._random.normal(0, noise, scene.shape) + 0.5
        return np.asarray(np.clip(grainy, 0, 255), np.uint8)

    def see(self, pictures: Iterable[GreyImage]) -> list[TamperKind | None]:
        for picture in pictures:
            seen = sight(picture, round(self._now_s * 1e6), self._now_s, BETWEEN)
            change = self.watch.look(seen, is_lesson=True)
            if change is not None:
                self.found.append(change.kind)
            self._now_s += 2
        return self.found

    def scene(self, scene: Scene, looks: int, noise: float = 4) -> list[TamperKind | None]:
        return self.see(self.picture(scene, noise) for _ in range(looks))

    def pause(self, seconds: float) -> None:
        self._now_s += seconds


@pytest.mark.rule("R6")
def test_another_room_after_a_pause_does_not_stand_still() -> None:
    camera = Camera()
    camera.scene(ROOM, 12)
    camera.pause(40)
    assert camera.scene(SUNNY, 8) == []


@pytest.mark.rule("R6")
def test_the_sun_that_comes_twice_is_no_loop() -> None:
    camera = Camera()
    for scene in (ROOM, SUNNY, ROOM, SUNNY):
        assert camera.scene(scene, 12) == []


@pytest.mark.rule("R6")
@pytest.mark.parametrize("contrast", [0.01, 0.04])
def test_a_wall_without_edges_is_no_loop(contrast: float) -> None:
    camera = Camera()
    wall = np.asarray(120 + contrast * (ROOM - 120), np.float32)
    assert "replayed" not in camera.scene(wall, 35, noise=1.5)


@pytest.mark.rule("R6")
def test_a_loop_is_still_found() -> None:
    camera = Camera()
    loop = [camera.picture(ROOM) for _ in range(8)]
    camera.see(loop)
    assert camera.see(loop + loop) == ["replayed"]


@pytest.mark.rule("R6")
def test_what_froze_before_a_new_process_began_ends_when_somebody_moves() -> None:
    """The encoder's errors differ from look to look, and the new process knows no older ones."""
    camera = Camera("frozen")
    still = camera.picture(ROOM).astype(np.float32)
    assert camera.scene(still, 15, noise=1) == []
    walks = []
    for step in range(8):
        room = ROOM.copy()
        room[100:300, 60 * step : 60 * step + 80] = 20
        walks.append(camera.picture(room))
    assert camera.see(walks) == [None]


@pytest.mark.rule("R6")
def test_a_loop_from_before_a_new_process_began_does_not_end_in_its_first_round() -> None:
    camera = Camera("replayed")
    loop = [camera.picture(ROOM) for _ in range(20)]
    assert None not in camera.see([*loop, *loop])
    assert camera.watch.kind == "replayed"
    assert camera.scene(ROOM, 200)[-1] is None, "after five minutes without a picture seen before"

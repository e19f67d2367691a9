"""What comes round without anybody's doing wrong: fans, animations, a curtain in the draught; and views that
shake for minutes. Each begins when the class has been seen for two minutes, and is none of the past."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

import cv2
import numpy as np

from bench.tamper_case import FEW_FPS, Case
from bench.tamper_innocent import shaking
from bench.tamper_scenes import HEIGHT, WIDTH, Grey, Happens, Light, Room, stream

FROM_S: Final = 120.0
SECONDS: Final = 240.0
XS = np.arange(WIDTH, dtype=np.float32)[None, :]
YS = np.arange(HEIGHT, dtype=np.float32)[:, None]


def fan(round_s: float, radius: float, across: float) -> Happens:
    """Three blades."""
    right, down = XS - across * WIDTH, YS - 0.28 * HEIGHT
    disc, angle = np.hypot(right, down) < radius * WIDTH, np.arctan2(down, right)

    def happens(light: Light, at_s: float) -> Light:
        blades = np.cos(3 * (angle - 2 * np.pi * at_s / round_s)) > 0.3
        return np.asarray(np.where(blades & disc, np.float32(0.08), light), np.float32)

    return happens


def animation(pictures: int, each_s: float, left: float, top: float, width: float, height: float) -> Happens:
    """On a screen; in parts of the picture."""
    random, size = np.random.default_rng(1), (round(width * WIDTH), round(height * HEIGHT))
    shown = [cv2.resize(random.random((6, 8)).astype(np.float32), size) for _ in range(pictures)]
    x, y = round(left * WIDTH), round(top * HEIGHT)

    def happens(light: Light, at_s: float) -> Light:
        lit = light.copy()
        lit[y : y + size[1], x : x + size[0]] = 0.05 + 0.9 * shown[int(at_s / each_s) % pictures]
        return lit

    return happens


def swaying_curtain(round_s: float, width: float) -> Happens:
    def happens(light: Light, at_s: float) -> Light:
        cloth = 0.25 + 0.12 * np.sin(XS / 9 + 3 * np.sin(2 * np.pi * at_s / round_s) + 0 * YS)
        hung, edge = light.copy(), round(width * WIDTH)
        hung[: round(0.8 * HEIGHT), :edge] = cloth[: round(0.8 * HEIGHT), :edge]
        return hung

    return happens


def _after(*scenes: Happens) -> Happens:
    def happens(light: Light, at_s: float) -> Light:
        for scene in scenes if at_s >= FROM_S else ():
            light = scene(light, at_s)
        return light

    return happens


def _case(what: str, *scenes: Happens) -> Case:
    return Case("comes round", what, (), lambda room: stream(room, SECONDS, _after(*scenes), fps=FEW_FPS))


def _shaken(room: Room, pixels: float) -> Iterator[Grey]:
    return stream(room, SECONDS, fps=FEW_FPS, warp=shaking(pixels))


def periodic() -> list[Case]:
    other = animation(4, 2, 0.35, 0.1, 0.28, 0.25)
    narrow, wide = animation(5, 2, 0.35, 0.1, 0.28, 0.25), animation(9, 1, 0.2, 0.05, 0.55, 0.45)
    found = [
        _case("a fan, 0.4 of the width", fan(2.13, 0.2, 0.5)),
        _case("two fans, 0.3 each", fan(9, 0.15, 0.25), fan(12, 0.15, 0.75)),
        _case("an animation of 10 s", narrow),
        _case("an animation of 9 s, half the width", wide),
        _case("a curtain and an animation of 8 s", swaying_curtain(8, 0.3), other),
    ]
    found.extend(
        Case(
            "comes round",
            f"shaken by {pixels:g} px of 640 for minutes",
            (),
            partial(_shaken, pixels=pixels),
        )
        for pixels in (0.5, 1.0, 2.0)
    )
    return found

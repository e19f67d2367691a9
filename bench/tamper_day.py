"""A day in a training room without anybody's doing wrong, hours made minutes: what is said of it is a false
alarm. Whatever happens slowly (sunset, sun that wanders) happens faster than in life, and so shows more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from agent.visibility.picture_watch import PictureWatch
from agent.visibility.view import KnownView
from bench.tamper_case import BEGINS_S, FEW_FPS
from bench.tamper_encoder import encoded, is_counted, seen_at
from bench.tamper_innocent import (
    clouds,
    curtain,
    exposure_steps,
    let_down_screen,
    lights_off,
    passer_by,
    rows_off,
    stands_close,
    sun_on_wall,
    television,
    window,
)
from bench.tamper_scenes import Camera, Grey, Happens, Light, Room

DAY_LIGHT: Final = 1.3
NIGHT: Final = 0.0015
"""Of the light by day: an exit sign and the street."""


@dataclass(frozen=True)
class Part:
    """Some minutes of the day."""

    name: str
    seconds: int
    is_lesson: bool
    people: bool
    happens: Callable[[Light, float], Light]
    """(the room's light, seconds since the part began)"""


def lit(level: float) -> Callable[[Light, float], Light]:
    return lambda light, _: np.asarray(light * np.float32(level), np.float32)


def over(first: float, last: float, seconds: float) -> Callable[[Light, float], Light]:
    """From one light to another, evenly to the eye."""

    def happens(light: Light, at_s: float) -> Light:
        share = min(1.0, at_s / seconds)
        return np.asarray(light * np.float32(first ** (1 - share) * last**share), np.float32)

    return happens


def of_scene(scene: Happens, first_s: float = 10.0) -> Callable[[Light, float], Light]:
    """A scene of bench/tamper_innocent.py, beginning `first_s` into the part."""
    return lambda light, at_s: scene(light, at_s - first_s + BEGINS_S)


def part_of_scene(change: Callable[[Light, float], Light]) -> Callable[[Light, float], Light]:
    return lambda light, at_s: change(light, at_s - 10) if at_s >= 10 else light


def exit_sign(light: Light, _: float) -> Light:
    dark = light * np.float32(NIGHT)
    dark[12:22, 560:600] = 0.4
    return np.asarray(dark, np.float32)


DAY: Final = (
    Part("night", 80, False, False, exit_sign),
    Part("the cleaner switches the light on", 60, False, False, of_scene(passer_by(0.4, 3, 0.1))),
    Part("and off", 80, False, False, exit_sign),
    Part("dawn", 90, False, False, over(0.004, 0.5, 80)),
    Part("lamps on, people come in", 40, False, True, lit(1.0)),
    Part("first lesson", 90, True, True, lit(1.0)),
    Part("lamps off, slides", 70, True, True, of_scene(lights_off(0.04, slides=True))),
    Part("lamps on", 40, True, True, lit(1.0)),
    Part("front lamps off", 50, True, True, of_scene(rows_off(0.1))),
    Part("lamps on again", 30, True, True, lit(1.0)),
    Part("curtains closed", 50, True, True, of_scene(window(0.2, 4))),
    Part("break: everybody is out", 60, True, False, lit(1.0)),
    Part("second lesson, sun", 60, True, True, part_of_scene(sun_on_wall)),
    Part("clouds", 60, True, True, part_of_scene(clouds)),
    Part("somebody walks by close", 40, True, True, of_scene(passer_by(0.5, 3, 0.06))),
    Part("the teacher stops before the camera for 3 s", 40, True, True, of_scene(stands_close(0.5, 3))),
    Part("noon, empty", 80, False, False, lit(DAY_LIGHT)),
    Part("lamps off at noon", 80, False, False, lit(0.3)),
    Part("third lesson", 60, True, True, lit(1.0)),
    Part("screen let down", 50, True, True, part_of_scene(let_down_screen)),
    Part("a film in the dark", 70, True, True, part_of_scene(television)),
    Part("lamps on after the film", 40, True, True, lit(1.0)),
    Part("a curtain drawn into the picture", 50, True, True, of_scene(curtain(5))),
    Part("exposure steps", 40, True, True, part_of_scene(exposure_steps)),
    Part("sunset without lamps", 120, True, True, over(1.0, 0.06, 110)),
    Part("lamps on in the evening", 60, True, True, lit(1.0)),
    Part("people leave", 60, False, False, lit(1.0)),
    Part("lamps off", 90, False, False, exit_sign),
)


@dataclass(frozen=True)
class Alarm:
    """Something was said of a day on which nothing was done."""

    room: str
    part: str
    kind: str
    after_s: float
    """Since the part began."""


def run_day(
    room: Room, known: KnownView | None, *, crf: int = 27, afterwards: bool = False
) -> tuple[int, list[Alarm]]:
    """Number of key frames looked at, and what was said. `afterwards`: of those of lessons that are counted
    then."""
    watch, alarms, looks = PictureWatch(known), [], 0
    for key in encoded(_pictures(room), fps=FEW_FPS, crf=crf):
        part, began_s = _part_at(key.seconds)
        if afterwards and not (part.is_lesson and is_counted(key)):
            continue
        seen = seen_at(key, afterwards=afterwards)
        change = watch.look(seen, is_lesson=part.is_lesson, repeats=afterwards)
        looks += 1
        if change is not None and change.kind is not None:
            alarms.append(Alarm(room.name, part.name, change.kind, key.seconds - began_s))
    return looks, alarms


def day_s() -> int:
    """Seconds that the day takes."""
    return sum(part.seconds for part in DAY)


def _part_at(at_s: float) -> tuple[Part, float]:
    began = 0
    for part in DAY:
        if at_s < began + part.seconds:
            return part, began
        began += part.seconds
    return DAY[-1], began - DAY[-1].seconds


def _pictures(room: Room) -> Iterator[Grey]:
    camera, empty = Camera(seed=11), room.empty()
    for number in range(day_s() * FEW_FPS):
        at_s = number / FEW_FPS
        part, began_s = _part_at(at_s)
        light = room.at(at_s) if part.people else empty
        yield camera.picture(part.happens(light, at_s - began_s), at_s, 1 / FEW_FPS)

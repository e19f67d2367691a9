"""What happens in a room without anybody's doing wrong, as bench/tamper.py plays it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from bench.tamper_case import AFTER_S, BEGINS_S, FEW_FPS, Case, after
from bench.tamper_scenes import HEIGHT, WIDTH, Grey, Happens, Light, Room, stream


def _screen(light: Light, picture: float) -> Light:
    """A projector's picture on the front wall: where it hangs, and what of it lights the room."""
    lit = light * np.float32(1 + 0.02)
    top, left = round(HEIGHT * 0.1), round(WIDTH * 0.35)
    height, width = round(HEIGHT * 0.25), round(WIDTH * 0.28)
    slide = np.full((height, width), 0.9, np.float32)
    for row in range(3, 10):
        length = round(width * (0.3 + 0.5 * ((row * 7919 + int(picture) * 104729) % 100) / 100))
        slide[row * height // 11 : row * height // 11 + 3, width // 10 : width // 10 + length] = 0.1
    lit[top : top + height, left : left + width] = slide
    return np.asarray(lit, np.float32)


def lights_off(level: float, *, slides: bool) -> Happens:
    """Lamps out, `level` of the light left, the projector on; a new slide each eight seconds."""

    def happens(light: Light, since_s: float) -> Light:
        dark = light * np.float32(level)
        return _screen(dark, since_s // 8 if slides else 0)

    return after(happens)


def lights_off_and_on(level: float) -> Happens:
    def happens(light: Light, since_s: float) -> Light:
        return _screen(light * np.float32(level), 0) if since_s < 8 else light

    return after(happens)


def rows_off(level: float) -> Happens:
    """The front lamps out, the rear ones on: a slope of light from the top of the picture to its bottom."""
    slope = np.linspace(level, 1.0, HEIGHT, dtype=np.float32)[:, None]
    return after(lambda light, _: np.asarray(light * slope, np.float32))


def window(level: float, over_s: float, share: float = 0.25) -> Happens:
    """Daylight from the left: a curtain drawn (`level` 0.2) or opened (3) over some seconds."""
    side = np.exp(-np.arange(WIDTH, dtype=np.float32) / (WIDTH * share))[None, :]

    def happens(light: Light, since_s: float) -> Light:
        now = 1 + (level - 1) * min(1.0, since_s / over_s)
        return np.asarray(light * (0.5 + 0.5 * now + (now - 1) * side * 0.8).clip(0.02), np.float32)

    return after(happens)


def curtain(over_s: float) -> Happens:
    """A plain cloth drawn over a fifth of the picture, with its folds; less light behind it."""
    cloth = (0.12 + 0.03 * np.sin(np.arange(WIDTH, dtype=np.float32) / 7))[None, :].repeat(HEIGHT, 0)

    def happens(light: Light, since_s: float) -> Light:
        width = round(WIDTH * 0.22 * min(1.0, since_s / over_s))
        drawn = light * np.float32(0.85)
        drawn[: round(HEIGHT * 0.7), :width] = cloth[: round(HEIGHT * 0.7), :width]
        return drawn

    return after(happens)


def let_down_screen(light: Light, since_s: float) -> Light:
    """A white canvas comes down before the board."""
    shown = light.copy()
    bottom = round(HEIGHT * (0.05 + 0.35 * min(1.0, since_s / 6)))
    shown[round(HEIGHT * 0.05) : bottom, round(WIDTH * 0.3) : round(WIDTH * 0.62)] = 0.5
    return shown


def sunset(over_s: float) -> Happens:
    """From day to lamps: the side light goes through red to nothing, the room falls to a fifteenth."""
    side = np.exp(-np.arange(WIDTH, dtype=np.float32) / (WIDTH * 0.3))[None, :]

    def happens(light: Light, at_s: float) -> Light:
        left = max(0.0, 1 - at_s / over_s)
        return np.asarray(light * (0.07 + left * (0.6 + 1.6 * side)), np.float32)

    return happens


def sun_on_wall(light: Light, since_s: float) -> Light:
    """A patch of sun wanders over desks and wall."""
    shown = light * np.float32(1.15)
    left = round(WIDTH * 0.2 + since_s * 3)
    shown[round(HEIGHT * 0.45) : round(HEIGHT * 0.7), left : left + round(WIDTH * 0.22)] *= 9
    return np.asarray(shown, np.float32)


def exposure_steps(light: Light, since_s: float) -> Light:
    return np.asarray(light * np.float32((1.0, 2.5, 0.4, 1.6)[int(since_s // 4) % 4]), np.float32)


def clouds(light: Light, since_s: float) -> Light:
    return np.asarray(light * np.float32(1 + 0.6 * np.sin(since_s * 1.3)), np.float32)


def television(light: Light, since_s: float) -> Light:
    """A film on the screen of a dark room: its light jumps with every cut."""
    cut = int(since_s * 0.7)
    flash = (0.05, 0.9, 0.3, 0.6, 0.12)[cut % 5]
    shown = light * np.float32(0.04 + 0.1 * flash)
    top, left = round(HEIGHT * 0.1), round(WIDTH * 0.35)
    shown[top : top + HEIGHT // 4, left : left + WIDTH // 4] = flash * (
        0.6 + 0.4 * np.random.default_rng(cut).random()
    )
    return np.asarray(shown, np.float32)


def passer_by(width: float, seconds: float, level: float, *, repeats: bool = False) -> Happens:
    """Somebody walks close before the camera: a dark, blurred figure of `width` of the picture that takes
    `seconds` from one side to the other."""
    xs = np.arange(WIDTH, dtype=np.float32)[None, :]
    ys = np.arange(HEIGHT, dtype=np.float32)[:, None]
    cloth = (level * (1 + 0.25 * np.sin(xs / 23) + 0.2 * np.sin(ys / 31 + xs / 40))).astype(np.float32)

    def happens(light: Light, since_s: float) -> Light:
        run = since_s % (seconds * 2) if repeats else since_s
        centre = (run / seconds * (1 + width) - width / 2) * WIDTH
        body = 1 / (1 + np.exp(np.clip((np.abs(xs - centre) - width * WIDTH / 2) / 6, -50, 50)))
        head = 1 / (1 + np.exp((HEIGHT * 0.12 - ys) / 6))
        mask = np.asarray(body * head, np.float32)
        return np.asarray(light * (1 - mask) + cloth * mask, np.float32)

    return after(happens)


def stands_close(width: float, seconds: float) -> Happens:
    """Somebody stops before the camera for some seconds, swaying, and goes on."""
    walk = 1.5

    def happens(light: Light, since_s: float) -> Light:
        if since_s < walk:
            at = since_s / walk * 0.5
        elif since_s < walk + seconds:
            at = 0.5 + 0.02 * float(np.sin(since_s * 1.7))
        else:
            at = min(2.0, 0.5 + (since_s - walk - seconds) / walk * 0.5)
        return passer_by(width, 1.0, 0.06)(light, BEGINS_S + at)

    return after(happens)


def shaking(pixels: float) -> Callable[[float], np.ndarray | None]:
    rng = np.random.default_rng(3)

    def warp(at_s: float) -> np.ndarray:
        right, down = rng.normal(0, pixels, 2)
        return np.array([[1, 0, right], [0, 1, down]], np.float64)

    return warp


def creeping(share: float) -> Callable[[float], np.ndarray | None]:
    """A mount that settles by so much of the width."""
    return lambda at_s: np.array([[1, 0, share * WIDTH * min(1.0, at_s / 30)], [0, 1, 0]], np.float64)


Warp = Callable[[float], np.ndarray | None]


def _shown_by(room: Room, warp: Warp) -> Iterator[Grey]:
    """By a camera that moves."""
    return stream(room, BEGINS_S + AFTER_S, fps=FEW_FPS, warp=warp)


def innocent() -> list[Case]:
    def lit(happens: Happens) -> Callable[[Room], Iterator[Grey]]:
        return lambda room: stream(room, BEGINS_S + AFTER_S, fps=FEW_FPS, happens=happens)

    def scene(name: str, happens: Happens, *, crf: int = 27, bitrate: int = 0) -> Case:
        return Case("nothing wrong", name, (), lit(happens), crf, bitrate)

    plain: Happens = lambda light, _: light  # noqa: E731
    found = [
        scene("a lesson", plain),
        scene("a lesson, 150 kbit/s", plain, bitrate=150_000),
        scene("a lesson, crf 34", plain, crf=34),
        *(
            scene(f"lamps off to {level:g}, slides", lights_off(level, slides=True))
            for level in (0.2, 0.05, 0.02, 0.005)
        ),
        scene("lamps off to 0.02, one slide", lights_off(0.02, slides=False)),
        scene("lamps off to 0.02, 150 kbit/s", lights_off(0.02, slides=True), bitrate=150_000),
        scene("lamps off for 8 s", lights_off_and_on(0.02)),
        *(scene(f"front lamps off to {level:g}", rows_off(level)) for level in (0.15, 0.04)),
        scene("curtain closed, less light", window(0.2, 4)),
        scene("curtain opened", window(4.0, 3)),
        scene("curtain drawn into the picture", curtain(5)),
        scene("screen let down", after(let_down_screen)),
        scene("sunset in 35 s", sunset(35)),
        scene("a patch of sun", after(sun_on_wall)),
        scene("exposure steps", after(exposure_steps)),
        scene("clouds", after(clouds)),
        scene("a film in the dark", after(television)),
        scene(
            "light flickers",
            lambda light, at_s: np.asarray(light * np.float32(1 + 0.2 * np.sin(at_s * 97)), np.float32),
        ),
        *(
            scene(f"somebody walks by, {width:.0%} in {seconds:g} s", passer_by(width, seconds, 0.06))
            for width, seconds in ((0.3, 1.5), (0.5, 3), (0.7, 3), (0.7, 6))
        ),
        scene("people walk by all the time", passer_by(0.35, 3, 0.08, repeats=True)),
        scene("somebody in white walks by", passer_by(0.5, 3, 0.5)),
        scene("somebody stops before it for 2 s", stands_close(0.5, 2)),
        scene("somebody stops before it for 4 s", stands_close(0.5, 4)),
        scene("somebody stops before it for 8 s", stands_close(0.5, 8)),
    ]
    found.extend(
        Case(
            "nothing wrong",
            f"the building shakes, {pixels:g} px of 640",
            (),
            partial(_shown_by, warp=shaking(pixels)),
        )
        for pixels in (0.5, 1.0, 2.0)
    )
    found.extend(
        Case(
            "nothing wrong",
            f"the mount settles by {share:.1%}",
            (),
            partial(_shown_by, warp=creeping(share)),
        )
        for share in (0.005, 0.01)
    )
    found.append(
        Case(
            "nothing wrong",
            "people come in",
            (),
            lambda room: stream(
                room,
                BEGINS_S + AFTER_S,
                fps=FEW_FPS,
                happens=lambda light, at_s: room.empty() if at_s < BEGINS_S else light,
            ),
        )
    )
    return found

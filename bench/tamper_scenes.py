"""Rooms, lights, cameras and attacks for bench/tamper.py: real pictures and films as a camera would show
them.

A `Room` gives the scene's light without a camera: one real photo whose people move a little, or a real film.
A `Camera` makes pictures of it: light, exposure that follows it, noise that grows with gain; a real encoder
follows (bench/tamper_encoder.py). What happens (an attack, another light) is a function of the scene's light
or of the finished picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import av
import cv2
import numpy as np
import numpy.typing as npt

Light = npt.NDArray[np.float32]
"""Shape (HEIGHT, WIDTH), linear light, 1.0 is a white sheet under the room's lamps."""
Grey = npt.NDArray[np.uint8]
Rng = np.random.Generator

WIDTH, HEIGHT, FPS = 640, 360, 5
GAMMA = 2.2
MARGIN = 0.12
"""Share of the source picture left outside the view on each side, so that a moved camera sees more of it."""


TONES = 8191
TONE = (np.arange(TONES + 1, dtype=np.float32) / TONES) ** np.float32(1 / GAMMA) * np.float32(255)
"""Grey level of each step of light: the camera's tone curve."""


class Room(Protocol):
    """What is before the camera."""

    name: str

    def __hash__(self) -> int: ...

    def at(self, seconds: float, warp: npt.NDArray[np.float64] | None = None) -> Light:
        """Its light at a time; `warp` (2 × 3) is how the camera was moved, in pixels of the view."""
        ...

    def empty(self) -> Light:
        """Without people, or with the fewest there are."""
        ...


def linear(grey: npt.NDArray[np.uint8]) -> Light:
    table = (np.arange(256, dtype=np.float32) / 255.0) ** GAMMA
    return np.asarray(table[grey], dtype=np.float32)


def _view(whole: npt.NDArray[np.float32], warp: npt.NDArray[np.float64] | None) -> Light:
    """The middle of a source picture, scaled to the view."""
    height, width = whole.shape
    crop = (1 - 2 * MARGIN) * width / WIDTH
    to_source = np.array(
        [[crop, 0, MARGIN * width], [0, (1 - 2 * MARGIN) * height / HEIGHT, MARGIN * height], [0, 0, 1]]
    )
    moved = np.vstack([warp, [0, 0, 1]]) if warp is not None else np.eye(3)
    matrix = (to_source @ np.linalg.inv(moved))[:2]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(whole, matrix, (WIDTH, HEIGHT), flags=flags, borderMode=cv2.BORDER_REFLECT), np.float32
    )


class Photo:
    """A photo of a class: its people (boxes of heads in pixels) sway where they sit."""

    def __init__(self, name: str, path: Path, heads: list[tuple[int, int, int, int]], seed: int) -> None:
        image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if image is None:
            raise FileNotFoundError(path)
        self.name = name
        scale = WIDTH / (1 - 2 * MARGIN) / image.shape[1]
        size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
        self._whole = linear(np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8))
        self._heads = [
            ((x1 + x2) / 2 * scale, (y1 + y2) / 2 * scale, max(4.0, (x2 - x1) * scale))
            for x1, y1, x2, y2 in heads
        ]
        rng = np.random.default_rng(seed)
        self._waves = rng.uniform(0.02, 0.35, (len(heads), 2, 4)), rng.uniform(0, 6.28, (len(heads), 2, 4))
        ys, xs = np.mgrid[0 : size[1], 0 : size[0]].astype(np.float32)
        self._grid = xs, ys
        small = (size[0] // 4, size[1] // 4)
        sy, sx = np.mgrid[0 : small[1], 0 : small[0]].astype(np.float32) * 4
        self._bells = (
            np.stack(
                [
                    np.exp(-(((sx - x) / (1.2 * w)) ** 2) - ((sy - y - w) / (2.2 * w)) ** 2)
                    for x, y, w in self._heads
                ]
            ).reshape(len(heads), -1)
            if heads
            else np.zeros((0, small[0] * small[1]), np.float32)
        )
        self._small = small
        self._empty: npt.NDArray[np.float32] | None = None

    def _swayed(self, seconds: float) -> npt.NDArray[np.float32]:
        rates, phases = self._waves
        moves = np.sin(6.28 * rates * seconds + phases).sum(axis=2) * 0.5
        widths = np.array([w for _, _, w in self._heads])[:, None] * 0.12
        shift = (moves * widths).astype(np.float32)
        dx, dy = (
            cv2.resize((shift[:, k] @ self._bells).reshape(self._small[::-1]), self._whole.shape[::-1])
            for k in (0, 1)
        )
        xs, ys = self._grid
        return np.asarray(
            cv2.remap(self._whole, xs + dx, ys + dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT),
            np.float32,
        )

    def at(self, seconds: float, warp: npt.NDArray[np.float64] | None = None) -> Light:
        return _view(self._swayed(seconds) if self._heads else self._whole, warp)

    def empty(self) -> Light:
        """Where people sit, what their surroundings are like: nothing of their own structure is left."""
        if self._empty is None:
            whole = self._whole.copy()
            blurred = cv2.GaussianBlur(whole, (0, 0), 12)
            for x, y, w in self._heads:
                left, right = round(x - w), round(x + w)
                top, bottom = round(y - 0.7 * w), round(y + 2.2 * w)
                box = slice(max(0, top), max(0, bottom)), slice(max(0, left), max(0, right))
                whole[box] = blurred[box]
            self._empty = whole
        return _view(self._empty, None)


class Film:
    """A real film of a fixed camera, played at `speed` from its beginning; still once it is over."""

    def __init__(self, name: str, path: Path, *, speed: float = 1.0) -> None:
        self.name = name
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            rate = float(stream.average_rate or 10)
            frames = [frame.to_ndarray(format="gray") for frame in container.decode(stream)]
        self._frames = [self._scaled(np.asarray(frame, np.uint8)) for frame in frames]
        self._rate = rate * speed
        self.seconds = len(frames) / self._rate
        self._median: npt.NDArray[np.uint8] | None = None

    @staticmethod
    def _scaled(grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        width = round(WIDTH / (1 - 2 * MARGIN))
        size = (width, round(grey.shape[0] * width / grey.shape[1]))
        return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)

    def at(self, seconds: float, warp: npt.NDArray[np.float64] | None = None) -> Light:
        number = min(len(self._frames) - 1, int(seconds * self._rate))
        return _view(linear(self._frames[number]), warp)

    def empty(self) -> Light:
        if self._median is None:
            chosen = self._frames[:: max(1, len(self._frames) // 40)]
            self._median = np.asarray(np.median(np.stack(chosen), axis=0), np.uint8)
        return _view(linear(self._median), None)


Happens = Callable[[Light, float], Light]
"""(the scene's light, seconds) → the light that reaches the lens."""


def as_it_is(light: Light, seconds: float) -> Light:
    return light


@dataclass
class Camera:
    """Exposure that follows the light, noise, a tone curve. Keeps its exposure from picture to picture."""

    seed: int = 1
    noise: float = 1.6
    """Grey levels of 255 at middle grey and gain 1."""
    target: float = 0.19
    highest_gain: float = 24.0
    blur: float = 0.0
    flicker: float = 0.01
    gain: float | None = None
    settle_s: float = 0.8
    rng: Rng = field(init=False)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self._noise = self.rng.standard_normal((8, HEIGHT * 2, WIDTH * 2), dtype=np.float32)

    def picture(self, light: Light, seconds: float, step_s: float) -> Grey:
        """One picture of what reaches the lens."""
        mean = float(np.minimum(light, 4.0).mean())
        wanted = float(np.clip(self.target / max(mean, 1e-5), 0.05, self.highest_gain))
        if self.gain is None:
            self.gain = wanted
        self.gain *= (wanted / self.gain) ** min(1.0, step_s / self.settle_s)
        if self.blur:
            light = np.asarray(cv2.GaussianBlur(light, (0, 0), self.blur), np.float32)
        waver = 1 + self.flicker * float(np.sin(seconds * 37.0))
        grey = TONE[np.clip(light * (self.gain * waver * TONES), 0, TONES).astype(np.int32)]
        y, x = self.rng.integers(0, HEIGHT), self.rng.integers(0, WIDTH)
        noise = self._noise[self.rng.integers(0, 8), y : y + HEIGHT, x : x + WIDTH]
        strength = self.noise * np.sqrt(max(1.0, self.gain)) if self.noise else 0.0
        return np.asarray(np.clip(grey + noise * strength + 0.5, 0, 255), np.uint8)


def stream(
    room: Room,
    seconds: float,
    happens: Happens = as_it_is,
    *,
    camera: Camera | None = None,
    fps: int = FPS,
    warp: Callable[[float], npt.NDArray[np.float64] | None] | None = None,
    blur: Callable[[float], float] | None = None,
    start_s: float = 0.0,
) -> Iterator[Grey]:
    """Pictures of `room` with what happens to it."""
    camera = camera or Camera()
    for number in range(round(seconds * fps)):
        at_s = start_s + number / fps
        if blur is not None:
            camera.blur = blur(at_s)
        light = room.at(at_s, warp(at_s) if warp is not None else None)
        yield camera.picture(happens(light, at_s), at_s, 1 / fps)

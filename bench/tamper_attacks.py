"""Attacks on a camera, as bench/tamper.py plays them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache, partial

import cv2
import numpy as np

from bench.tamper_case import AFTER_S, BEGINS_S, FEW_FPS, FROZEN_FPS, LOOP_BEGINS_S, Case, after
from bench.tamper_encoder import encoded, recorded
from bench.tamper_scenes import (
    FPS,
    HEIGHT,
    WIDTH,
    Grey,
    Happens,
    Light,
    Rng,
    Room,
    stream,
)


def _part(share: float, side: str) -> tuple[slice, slice]:
    height, width = round(HEIGHT * share), round(WIDTH * share)
    return {
        "left": (slice(None), slice(0, width)),
        "right": (slice(None), slice(WIDTH - width, None)),
        "top": (slice(0, height), slice(None)),
        "bottom": (slice(HEIGHT - height, None), slice(None)),
    }[side]


def cover(share: float, side: str, level: float, *, alpha: float = 1.0, soft: float = 10.0) -> Happens:
    """Something before the lens: `level` of light, `alpha` opaque, its edge out of focus by `soft` pixels."""
    mask = np.zeros((HEIGHT, WIDTH), np.float32)
    mask[_part(share, side)] = alpha
    if soft and share < 1:
        mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), soft), np.float32)

    def happens(light: Light, _: float) -> Light:
        return np.asarray(light * (1 - mask) + level * mask, np.float32)

    return after(happens)


def film_before_lens(alpha: float, blur: float) -> Happens:
    def happens(light: Light, _: float) -> Light:
        seen = cv2.GaussianBlur(light, (0, 0), blur) if blur else light
        return np.asarray(seen * (1 - alpha) + alpha * float(light.mean()), np.float32)

    return after(happens)


def torch(radius: float, power: float, glare: float) -> Happens:
    """A lamp held at the lens: a burnt disc, and stray light over everything."""
    ys, xs = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    distance = np.hypot(xs - WIDTH * 0.55, ys - HEIGHT * 0.45) / WIDTH
    blob = np.asarray(power / (1 + (distance / radius) ** 4) + glare / (1 + distance * 2), np.float32)
    return after(lambda light, _: np.asarray(light + blob, np.float32))


def warped(shift: float = 0.0, angle: float = 0.0, zoom: float = 1.0) -> Callable[[float], np.ndarray | None]:
    matrix = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), angle, zoom)
    matrix[0, 2] += shift * WIDTH
    return lambda at_s: matrix if at_s >= BEGINS_S else None


def _frozen(room: Room, noise: float) -> Iterator[Grey]:
    """At a camera's own rate: an encoder needs some pictures to come to rest."""
    last: Grey | None = None
    rng = np.random.default_rng(5)
    for picture in _live(room, BEGINS_S, FROZEN_FPS):
        last = picture
        yield picture
    assert last is not None  # noqa: S101 (BEGINS_S is more than one picture)
    for _ in range(round(AFTER_S * FROZEN_FPS)):
        yield _noisy(last, noise, rng)


def _noisy(picture: Grey, noise: float, rng: Rng) -> Grey:
    if not noise:
        return picture
    return np.asarray(np.clip(picture + rng.normal(0, noise, picture.shape), 0, 255), np.uint8)


@lru_cache(maxsize=2)
def _live(room: Room, seconds: float, fps: int) -> list[Grey]:
    return list(stream(room, seconds, fps=fps))


def _looped(
    room: Room, loop_s: float, offset_s: float, crf: int | None, noise: float, tapped: bool
) -> Iterator[Grey]:
    """Live until LOOP_BEGINS_S; then, for ever, the `loop_s` that ended then, `offset_s` out of step with the
    key frames, through another encoder at `crf`. `tapped`: what was kept is the camera's own stream,
    decoded, and not the pictures of its sensor."""
    live = _live(room, LOOP_BEGINS_S, FPS)
    yield from live
    start = len(live) - round(loop_s * FPS)
    kept = (recorded(iter(live)) if tapped else live)[start:]
    if crf is not None:
        kept = [key.luma for key in encoded(iter(kept), gop_s=1 / FPS, crf=crf)]
    rng = np.random.default_rng(6)
    skip = round(offset_s * FPS)
    for number in range(round((max(AFTER_S, loop_s) + 8) * FPS)):  # once round, and three looks more
        yield _noisy(kept[(number + skip) % len(kept)], noise, rng)


def _dimmed(light: Light, _: float, level: float) -> Light:
    return np.asarray(light * np.float32(level), np.float32)


def attacks() -> list[Case]:
    def lit(happens: Happens) -> Callable[[Room], Iterator[Grey]]:
        return lambda room: stream(room, BEGINS_S + AFTER_S, fps=FEW_FPS, happens=happens)

    def moved(**how: float) -> Callable[[Room], Iterator[Grey]]:
        return lambda room: stream(room, BEGINS_S + AFTER_S, fps=FEW_FPS, warp=warped(**how))

    def blurred(sigma: float) -> Callable[[Room], Iterator[Grey]]:
        return lambda room: stream(
            room, BEGINS_S + AFTER_S, fps=FEW_FPS, blur=lambda at_s: sigma if at_s >= BEGINS_S else 0.0
        )

    hidden = ("covered", "dark", "blinded")
    found: list[Case] = []
    for share, side in (
        (1.0, "left"),
        (0.75, "top"),
        (0.5, "left"),
        (0.5, "bottom"),
        (0.33, "right"),
        (0.25, "left"),
    ):
        for stuff, level in (("cloth", 0.05), ("paper", 0.4), ("tape", 0.0)):
            found.append(
                Case("covered", f"{stuff} {share:.0%} {side}", hidden, lit(cover(share, side, level)))
            )
    for alpha, blur in ((0.3, 0.0), (0.5, 0.0), (0.7, 0.0), (0.9, 0.0), (0.3, 3.0), (0.5, 6.0)):
        found.append(
            Case(
                "veiled",
                f"film {alpha:.0%}, blur {blur:g} px",
                ("covered", "out_of_focus"),
                lit(film_before_lens(alpha, blur)),
            )
        )
    for shift in (0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.6):
        found.append(Case("moved", f"turned by {shift:.0%} of the width", ("moved",), moved(shift=shift)))
    for angle in (1.0, 2.0, 4.0, 10.0):
        found.append(Case("moved", f"tilted {angle:g} degrees", ("moved",), moved(angle=angle)))
    for zoom in (1.04, 1.1, 1.3):
        found.append(Case("moved", f"zoomed {zoom:g}", ("moved",), moved(zoom=zoom)))
    for sigma in (1.0, 1.5, 2.0, 3.0, 5.0, 8.0):
        found.append(
            Case("out of focus", f"{sigma:g} px of 640", ("out_of_focus", "covered"), blurred(sigma))
        )
    found.extend(
        Case(
            "frozen",
            name,
            ("frozen", "replayed"),
            partial(_frozen, noise=noise),
            bitrate=bitrate,
            fps=FROZEN_FPS,
        )
        for name, noise, bitrate in (
            ("last picture", 0.0, 0),
            ("last picture, 300 kbit/s", 0.0, 300_000),
            ("last picture, 1 Mbit/s", 0.0, 1_000_000),
            ("with noise added, 1 level", 1.0, 0),
            ("with noise added, 2 levels", 2.0, 0),
        )
    )
    found.extend(
        Case(
            "replayed",
            f"{loop_s:g} s, {'tapped' if tapped else 'raw'}, {offset:g} s out of step"
            + (f", encoded again at {crf}" if crf is not None else "")
            + (f", noise {noise:g}" if noise else ""),
            ("replayed", "frozen"),
            partial(_looped, loop_s=loop_s, offset_s=offset, crf=crf, noise=noise, tapped=tapped),
            fps=FPS,
            begins_s=LOOP_BEGINS_S,
        )
        for loop_s, offset, crf, noise, tapped in (
            (10.0, 0.0, None, 0.0, False),
            (10.0, 0.0, 23, 0.0, False),
            (10.0, 0.0, 30, 0.0, False),
            (10.0, 0.0, 23, 1.5, False),
            (10.0, 0.6, 23, 0.0, False),
            (10.0, 1.0, None, 0.0, False),
            (10.0, 0.6, None, 0.0, True),
            (10.0, 1.0, 23, 0.0, True),
            (9.4, 1.4, None, 0.0, True),
            (20.0, 1.0, None, 0.0, True),
        )
    )
    for radius, power, glare in (
        (0.02, 5, 0.0),
        (0.1, 5, 0.2),
        (0.2, 10, 0.5),
        (0.35, 20, 1.0),
        (0.1, 30, 3.0),
    ):
        found.append(
            Case(
                "blinded",
                f"torch {radius:g} of the width, glare {glare:g}",
                ("blinded", "covered"),
                lit(torch(radius, power, glare)),
            )
        )
    for level in (0.0, 0.0003, 0.001):
        found.append(
            Case(
                "turned dark",
                f"light {level:g}",
                ("dark", "covered"),
                lit(after(partial(_dimmed, level=level))),
            )
        )
    return found

"""A part of the view hidden: by something on the lens, which is tampering, and by what is in the room, which
is none. Thresholds of agent/visibility/hidden_part.py were chosen on pictures of train_scenes and
train_rooms."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from bench.tamper_case import AFTER_S, BEGINS_S, FEW_FPS, Case, after
from bench.tamper_scenes import HEIGHT, WIDTH, Happens, Light, stream

XS = np.arange(WIDTH, dtype=np.float32)[None, :] / WIDTH
YS = np.arange(HEIGHT, dtype=np.float32)[:, None] / HEIGHT
SITS_S = 60.0
"""Somebody who sits down before the camera stays for so long at least."""
IN_FOCUS = 0.7
"""Pixels of 640 over which an edge in the room is soft."""


def _box(left: float, top: float, right: float, bottom: float) -> Light:
    across = (left <= XS) & (right > XS)
    return np.asarray(across & (top <= YS) & (bottom > YS), np.float32)


def _shapes() -> dict[str, Light]:
    """What is hidden, 0 or 1."""
    fields = {
        "15 % right": XS + 0 * YS > 0.85,
        "20 % bottom": YS + 0 * XS > 0.8,
        "corner of 15 %": XS + YS < 0.55,
        "sticker of 6 %": np.hypot(XS - 0.35, (YS - 0.6) * HEIGHT / WIDTH) < 0.105,
        "strip across of 25 %": np.abs(XS * 0.17 + YS - 0.7) < 0.125,
    }
    return {name: np.asarray(field, np.float32) for name, field in fields.items()}


def hidden_by(mask: Light, level: float | Light, soft: float) -> Happens:
    """`level` of light where `mask` is 1, from BEGINS_S on, its edge soft by `soft` pixels."""
    share = np.asarray(cv2.GaussianBlur(mask, (0, 0), soft), np.float32)
    return after(lambda light, _: np.asarray(light * (1 - share) + level * share, np.float32))


def part_covers() -> list[Case]:
    """On the lens (soft by 7 and 10 px of 640), 3 cm off it (4) and in focus (1)."""
    uneven = 1 + 0.3 * (XS - 0.5)
    stuffs = {"cloth": 0.05, "paper": 0.4, "tape": 0.0}
    chosen = [(shape, stuff, 10.0) for shape in _shapes() for stuff in stuffs]
    chosen += [("corner of 15 %", "cloth", soft) for soft in (7.0, 4.0, 1.0)]
    return [
        _case(f"{stuff}, {shape}, soft by {soft:g}", "a part covered", hidden_by(shapes, level, soft))
        for shape, stuff, soft in chosen
        for shapes, level in [(_shapes()[shape], np.asarray(stuffs[stuff] * uneven, np.float32))]
    ]


def _case(strength: str, name: str, happens: Happens, seconds: float = AFTER_S) -> Case:
    expected = ("covered", "dark", "blinded") if name == "a part covered" else ()
    return Case(
        name,
        strength,
        expected,
        lambda room: stream(room, BEGINS_S + seconds, fps=FEW_FPS, happens=happens),
    )


def sits_close(middle: float, width: float, *, sways: float) -> Happens:
    """Somebody sits down before the camera, at two metres: head and shoulders in focus, dark clothes."""
    cloth = 0.06 * (1 + 0.25 * np.sin(XS * WIDTH / 23) + 0.2 * np.sin(YS * HEIGHT / 31 + XS * WIDTH / 40))

    def happens(light: Light, since_s: float) -> Light:
        at = middle + sways * np.sin(since_s * 0.9) + sways * np.sin(since_s * 2.3 + 1)
        head = np.hypot((XS - at) / (0.35 * width), (YS - 0.55) / 0.28) < 1
        shoulders = np.abs(XS - at) < width * 0.5 * np.clip((YS - 0.7) / 0.1, 0, 1)
        share = cv2.GaussianBlur(np.asarray(head | shoulders, np.float32), (0, 0), IN_FOCUS)
        return np.asarray(light * (1 - share) + cloth * share, np.float32)

    return after(happens)


def half_the_lamps(level: float, where: float, width: float) -> Happens:
    """The lamps of one side out: `level` of the light is left there."""
    slope = level + (1 - level) / (1 + np.exp(-(XS - where) / (width / 4)))
    return after(lambda light, _: np.asarray(light * slope, np.float32))


def part_innocent() -> list[Case]:
    """What hides or darkens a part of the view without anybody's doing wrong."""
    name = "nothing wrong"
    print_ = np.random.default_rng(5).normal(0, 1, (HEIGHT, WIDTH)).astype(np.float32)
    print_ = np.asarray(cv2.GaussianBlur(print_, (0, 0), 6), np.float32)
    poster = np.clip(0.3 + 0.12 * print_ / print_.std(), 0.02, 1).astype(np.float32)
    things: dict[str, tuple[Light, float | Light]] = {
        "a white screen let down to the picture's edge": (_box(0.2, 0, 0.75, 0.42), 0.5),
        "a grey screen let down to the picture's edge": (_box(0.2, 0, 0.75, 0.42), 0.12),
        "a poster put up": (_box(0.05, 0.1, 0.3, 0.6), poster),
        "a plain sheet hung over the left quarter": (_box(0, 0, 0.25, 1), 0.3),
        "a door opened to a dark corridor": (_box(0, 0.2, 0.2, 0.95), 0.01),
        "a board slid before another": (_box(0.3, 0.05, 0.6, 0.4), 0.08),
    }
    found = [_case(what, name, hidden_by(mask, level, IN_FOCUS)) for what, (mask, level) in things.items()]
    sitting: list[tuple[str, Callable[[], Happens]]] = [
        ("somebody sits down before it at the left", lambda: sits_close(0.2, 0.3, sways=0.006)),
        ("somebody sits down before it in the middle", lambda: sits_close(0.5, 0.4, sways=0.006)),
        ("somebody sits down before it and never stirs", lambda: sits_close(0.8, 0.3, sways=0.0)),
    ]
    found += [_case(f"{what}, {SITS_S:g} s", name, make(), SITS_S) for what, make in sitting]
    found += [
        _case(f"the lamps of one side out, {level:g} left", name, half_the_lamps(level, where, width))
        for level, where, width in ((0.2, 0.5, 0.3), (0.05, 0.5, 0.3), (0.05, 0.3, 0.1), (0.01, 0.3, 0.2))
    ]
    return found

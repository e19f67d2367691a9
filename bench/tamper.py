"""Camera tamper: which attacks are seen within ten seconds, and what is taken for one that is none.

Each stream is a room made of real material (bench/tamper_scenes.py), encoded to H.264 and decoded as the
watch role does. A lesson is on; the attack begins 8 s into it, just after a key frame. Rooms are split:
thresholds of agent/visibility were chosen on those of `CHOSEN_ON`, the figures to quote are those of
`REPORTED_ON`.

    python -m bench.tamper --media FOLDER [--part reported|chosen] [--only NAME] [--out FILE.json]
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from agent.visibility.picture_watch import PictureChange, PictureWatch, sight
from agent.visibility.view import KnownView, structure
from bench.tamper_scenes import (
    FPS,
    HEIGHT,
    WIDTH,
    Camera,
    Film,
    Grey,
    Happens,
    KeyPicture,
    Light,
    Photo,
    Room,
    encoded,
    stream,
)

BEGINS_S, AFTER_S = 8.4, 10.0
"""Just after a key frame: the next one is almost two seconds away."""
WITHIN_S = 10.0
LOOP_BEGINS_S = 24.4
FEW_FPS, FROZEN_FPS = 1, 12
"""Pictures a second where only key frames tell; FPS where what lies between them does too."""
LATE_S = 1.5
"""From a key frame's time until the watch role has looked at it: durable within a second, looked for each
half second."""
VTEST = Path("/usr/share/doc/opencv-doc/examples/data/vtest.avi")
CHOSEN_ON = ("train_room_a", "vtest")
REPORTED_ON = ("train_room_b", "val_room", "room_video")


@dataclass
class Case:
    """One stream: what is done to it, and what must be said."""

    name: str
    strength: str
    expected: tuple[str, ...]
    """Kinds that are right; () where nothing may be said."""
    pictures: Callable[[Room], Iterator[Grey]]
    crf: int = 27
    bitrate: int = 0
    fps: int = FEW_FPS
    begins_s: float = BEGINS_S


@dataclass
class Result:
    """What was said of one stream."""

    room: str
    name: str
    strength: str
    expected: tuple[str, ...]
    said: list[tuple[float, str]] = field(default_factory=list)
    seen_after_s: float | None = None
    false_alarms: int = 0
    cpu_ms_a_look: float = 0.0


def rooms(media: Path) -> dict[str, Callable[[], Room]]:
    """Every room by its name; each is read when it is asked for."""
    heads = media / "heads"

    def photo(name: str, folder: str, number: int) -> Callable[[], Room]:
        def make() -> Room:
            boxes: dict[str, list[tuple[int, int, int, int]]] = {}
            with (heads / folder / "labels.csv").open(encoding="utf-8") as file:
                for row in csv.reader(file):
                    if row[0] != "file":
                        x1, y1, x2, y2 = (round(float(value)) for value in row[1:5])
                        boxes.setdefault(row[0], []).append((x1, y1, x2, y2))
            chosen = sorted(boxes)[number]
            return Photo(name, heads / folder / chosen, boxes[chosen], number)

        return make

    return {
        "train_room_a": photo("train_room_a", "train_rooms", 0),
        "vtest": lambda: Film("vtest", VTEST),
        "train_room_b": photo("train_room_b", "train_rooms", 101),
        "train_room_c": photo("train_room_c", "train_rooms", 200),
        "val_room": photo("val_room", "val_room", 7),
        "val_rear": photo("val_rear", "val_rear", 11),
        "room_video": lambda: Film(
            "room_video", media / "room_video" / "fixed_corner_13_people.mp4", speed=0.2
        ),
    }


def reference(room: Room) -> KnownView:
    """What the acceptance check keeps: the mean of some key frames of the room with nobody in it."""
    camera = Camera(seed=99)
    pictures = [camera.picture(room.empty(), 0.0, 0.2).astype(np.float32) for _ in range(8)]
    return KnownView.of(structure(np.asarray(np.mean(pictures, axis=0), np.uint8)))


def judge(case: Case, room: Room, known: KnownView | None) -> Result:
    """Run one stream through the watch's own checks."""
    result = Result(room.name, case.name, case.strength, case.expected)
    watch = PictureWatch(known)
    looks, spent = 0, 0.0
    for key in encoded(case.pictures(room), fps=case.fps, crf=case.crf, bitrate=case.bitrate):
        began = time.process_time()
        change = watch.look(
            sight(key.luma, round(key.seconds * 1e6), key.seconds, key.between), is_lesson=True
        )
        spent += time.process_time() - began
        looks += 1
        if change is not None:
            _note(result, change, key, case.begins_s)
    result.cpu_ms_a_look = round(spent / max(1, looks) * 1000, 1)
    return result


def _note(result: Result, change: PictureChange, key: KeyPicture, begins_s: float) -> None:
    result.said.append((round(key.seconds, 1), change.kind or "normal"))
    after_s = key.seconds + LATE_S - begins_s
    if change.kind is None:
        return
    if not result.expected or after_s < 0:
        result.false_alarms += 1
    elif result.seen_after_s is None:
        result.seen_after_s = round(after_s, 1)


# --- what is done -----------------------------------------------------------------------------------------


def _after(change: Callable[[Light, float], Light]) -> Happens:
    return lambda light, at_s: change(light, at_s - BEGINS_S) if at_s >= BEGINS_S else light


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

    return _after(happens)


def film_before_lens(alpha: float, blur: float) -> Happens:
    def happens(light: Light, _: float) -> Light:
        seen = cv2.GaussianBlur(light, (0, 0), blur) if blur else light
        return np.asarray(seen * (1 - alpha) + alpha * float(light.mean()), np.float32)

    return _after(happens)


def torch(radius: float, power: float, glare: float) -> Happens:
    """A lamp held at the lens: a burnt disc, and stray light over everything."""
    ys, xs = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    distance = np.hypot(xs - WIDTH * 0.55, ys - HEIGHT * 0.45) / WIDTH
    blob = np.asarray(power / (1 + (distance / radius) ** 4) + glare / (1 + distance * 2), np.float32)
    return _after(lambda light, _: np.asarray(light + blob, np.float32))


def warped(shift: float = 0.0, angle: float = 0.0, zoom: float = 1.0) -> Callable[[float], np.ndarray | None]:
    matrix = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), angle, zoom)
    matrix[0, 2] += shift * WIDTH
    return lambda at_s: matrix if at_s >= BEGINS_S else None


def _frozen(room: Room, noise: float) -> Iterator[Grey]:
    """At a camera's own rate: an encoder needs some pictures to come to rest."""
    last: Grey | None = None
    rng = np.random.default_rng(5)
    for number, picture in enumerate(stream(room, BEGINS_S + AFTER_S, fps=FROZEN_FPS)):
        if number / FROZEN_FPS < BEGINS_S or last is None:
            last = picture
            yield picture
        elif noise:
            yield np.asarray(np.clip(last + rng.normal(0, noise, last.shape), 0, 255), np.uint8)
        else:
            yield last


def _looped(room: Room, loop_s: float, offset_s: float, crf: int | None, noise: float) -> Iterator[Grey]:
    """Live until LOOP_BEGINS_S; then, for ever, the `loop_s` that ended then, `offset_s` out of step with the
    key frames, through another encoder at `crf`."""
    live = list(stream(room, LOOP_BEGINS_S))
    yield from live
    start = len(live) - round(loop_s * FPS)
    kept = live[start:]
    if crf is not None:
        kept = _through_encoder(kept, crf)
    rng = np.random.default_rng(6)
    skip = round(offset_s * FPS)
    for number in range(round((AFTER_S + 6) * FPS)):
        picture = kept[(number + skip) % len(kept)]
        if noise:
            picture = np.asarray(np.clip(picture + rng.normal(0, noise, picture.shape), 0, 255), np.uint8)
        yield picture


def _through_encoder(pictures: list[Grey], crf: int) -> list[Grey]:
    return [key.luma for key in encoded(iter(pictures), gop_s=1 / FPS, crf=crf)]


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
    found.append(
        Case("frozen", "last picture", ("frozen", "replayed"), lambda room: _frozen(room, 0), fps=FROZEN_FPS)
    )
    found.append(
        Case(
            "frozen",
            "last picture, 300 kbit/s",
            ("frozen", "replayed"),
            lambda room: _frozen(room, 0),
            bitrate=300_000,
            fps=FROZEN_FPS,
        )
    )
    found.append(
        Case(
            "frozen",
            "with noise added, 2 levels",
            ("frozen", "replayed"),
            lambda room: _frozen(room, 2),
            fps=FROZEN_FPS,
        )
    )
    for loop_s in (10.0,):
        for offset, crf, noise in (
            (0.0, None, 0.0),
            (0.0, 23, 0.0),
            (0.0, 30, 0.0),
            (0.0, 23, 1.5),
            (0.6, 23, 0.0),
            (1.0, None, 0.0),
        ):
            how = "as it was" if crf is None else f"re-encoded at {crf}"
            name = f"{loop_s:g} s, {how}, {offset:g} s out of step" + (f", noise {noise:g}" if noise else "")
            found.append(
                Case(
                    "replayed",
                    name,
                    ("replayed",),
                    partial(_looped, loop_s=loop_s, offset_s=offset, crf=crf, noise=noise),
                    fps=FPS,
                    begins_s=LOOP_BEGINS_S,
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
                lit(_after(partial(_dimmed, level=level))),
            )
        )
    return found


# --- what happens in a room without anybody's doing wrong ---------------------------------------------------


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

    return _after(happens)


def lights_off_and_on(level: float) -> Happens:
    def happens(light: Light, since_s: float) -> Light:
        return _screen(light * np.float32(level), 0) if since_s < 8 else light

    return _after(happens)


def rows_off(level: float) -> Happens:
    """The front lamps out, the rear ones on: a slope of light from the top of the picture to its bottom."""
    slope = np.linspace(level, 1.0, HEIGHT, dtype=np.float32)[:, None]
    return _after(lambda light, _: np.asarray(light * slope, np.float32))


def window(level: float, over_s: float, share: float = 0.25) -> Happens:
    """Daylight from the left: a curtain drawn (`level` 0.2) or opened (3) over some seconds."""
    side = np.exp(-np.arange(WIDTH, dtype=np.float32) / (WIDTH * share))[None, :]

    def happens(light: Light, since_s: float) -> Light:
        now = 1 + (level - 1) * min(1.0, since_s / over_s)
        return np.asarray(light * (0.5 + 0.5 * now + (now - 1) * side * 0.8).clip(0.02), np.float32)

    return _after(happens)


def curtain(over_s: float) -> Happens:
    """A plain cloth drawn over a fifth of the picture, with its folds; less light behind it."""
    cloth = (0.12 + 0.03 * np.sin(np.arange(WIDTH, dtype=np.float32) / 7))[None, :].repeat(HEIGHT, 0)

    def happens(light: Light, since_s: float) -> Light:
        width = round(WIDTH * 0.22 * min(1.0, since_s / over_s))
        drawn = light * np.float32(0.85)
        drawn[: round(HEIGHT * 0.7), :width] = cloth[: round(HEIGHT * 0.7), :width]
        return drawn

    return _after(happens)


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

    return _after(happens)


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

    return _after(happens)


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
        scene("screen let down", _after(let_down_screen)),
        scene("sunset in 35 s", sunset(35)),
        scene("a patch of sun", _after(sun_on_wall)),
        scene("exposure steps", _after(exposure_steps)),
        scene("clouds", _after(clouds)),
        scene("a film in the dark", _after(television)),
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


def main() -> None:
    cv2.setNumThreads(1)
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--media", type=Path, required=True, help="folder with heads/ and room_video/")
    parser.add_argument("--part", choices=("reported", "chosen"), default="reported")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--rooms", default="", help="names, with commas between, instead of a part's")
    parser.add_argument("--without-reference", action="store_true")
    parser.add_argument("--out", type=Path, default=None)
    asked = parser.parse_args()
    names = CHOSEN_ON if asked.part == "chosen" else REPORTED_ON
    names = tuple(asked.rooms.split(",")) if asked.rooms else names
    results: list[Result] = []
    for name in names:
        room = rooms(asked.media)[name]()
        known = None if asked.without_reference else reference(room)
        for case in [*attacks(), *innocent()]:
            if asked.only not in f"{case.name} {case.strength}":
                continue
            results.append(judge(case, room, known))
            print(_line(results[-1]), flush=True)
    if asked.out is not None:
        asked.out.write_text(json.dumps([asdict(each) for each in results], indent=1), encoding="utf-8")
    wrong = [each for each in results if each.false_alarms]
    missed = [each for each in results if each.expected and (each.seen_after_s or 99) > WITHIN_S]
    attacked = [each for each in results if each.expected]
    print(
        f"{len(attacked)} attacks, {len(missed)} not seen within {WITHIN_S:g} s; "
        f"{len(results) - len(attacked)} innocent scenes, {len(wrong)} with a false alarm"
    )


def _line(result: Result) -> str:
    seen = (
        "-"
        if not result.expected
        else "MISSED"
        if result.seen_after_s is None
        else f"{result.seen_after_s:.1f} s"
    )
    alarm = f" FALSE {result.false_alarms}" if result.false_alarms else ""
    said = " ".join(f"{at_s:g}:{kind}" for at_s, kind in result.said)
    what = f"{result.room:13} {result.name:14} {result.strength:42}"
    return f"{what} {seen:>7}{alarm} [{said}] {result.cpu_ms_a_look} ms"


if __name__ == "__main__":
    main()

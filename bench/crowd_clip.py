"""Eighty people at a door in ten minutes, as a clip: real faces of the shared media, walked up to a camera.

Made at run time into a folder of its own and never kept: the people in these sets are shown nowhere. Each
visitor comes nearer, stands and leaves. A quarter come in twos; of thirty visitors three are dark (face at
DARK), three have strong light behind them (face at BACKLIT) and three are blurred while they walk. Photos are
stills: what moves is place, size and noise. Nobody in a still follows the door's "face the camera", so
PROMPTED_S after stepping up each visitor's next photo takes the first one's place, where the set has one.
"""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import cv2
import numpy as np
import numpy.typing as npt

from models.images import BGRImage

WIDTH, HEIGHT, FPS = 1280, 720, 10
WALK_S, STAND_S, LEAVE_S, PROMPTED_S = 1.5, 4.5, 0.7, 2.0
FAR_PX, TAKEN_PX = 70.0, 96.0
"""Face widths: at first sight, and the narrowest that the door takes (CheckinThresholds.min_face_px)."""
SMALLEST_PICTURE_PX = 320
_BORDER = (60, 60, 60, 60)
LEAST_PROBE_PX = 100
"""Of class_faces' probes, which are cut close: smaller faces are smaller than the door takes."""

DARK, BACKLIT = 45.0, 60.0
"""Mean grey value of the face; the cameras' own exposure is not played."""
Condition = Literal["plain", "dark", "backlight", "blur"]
_CONDITIONS: tuple[Condition, ...] = ("dark", "backlight", "blur")


@dataclass(frozen=True)
class Person:
    """Somebody with photos to enrol and others to come with; the name is the set's own and shown nowhere."""

    name: str
    enrolled: tuple[Path, ...]
    seen: tuple[Path, ...]


@dataclass(frozen=True)
class Visit:
    """One visitor in the clip."""

    name: str
    photos: tuple[Path, ...]
    """One or two."""
    begins: float
    """Seconds of the clip at which the face comes into view."""
    centre_x: int
    stand_px: float
    condition: Condition
    is_stranger: bool

    @property
    def reaches(self) -> float:
        """From then on the face is wide enough for the door."""
        return self.begins + WALK_S * (TAKEN_PX - FAR_PX) / (self.stand_px - FAR_PX)

    @property
    def ends(self) -> float:
        return self.begins + WALK_S + STAND_S + LEAVE_S


def people(media: Path, chance: random.Random) -> Iterator[Person]:
    """Those of class_faces with enough photos of later days first, then those of lfw."""
    probes = defaultdict(list)
    with (media / "class_faces/probes.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if int(row["width"]) >= LEAST_PROBE_PX:
                probes[int(row["identity"])].append((int(row["day"]), row["file"]))
    for identity, found in sorted(probes.items()):
        found.sort()
        first = found[:2]
        later = [file for day, file in found[2:] if day > first[-1][0]]
        enrolled = next((media / "class_faces/enrol").glob(f"{identity:02d}.*"), None)
        if later and enrolled:
            photos = (enrolled, *(media / "class_faces" / file for _, file in first))
            seen = [media / "class_faces" / file for file in later]
            yield Person(f"class-{identity}", photos, tuple(chance.sample(seen, len(seen))))
    everybody = sorted((media / "lfw").iterdir())
    for folder in chance.sample(everybody, len(everybody)):
        photos = tuple(sorted(folder.iterdir()))
        yield Person(folder.name, photos[:2], photos[2:])


def framed(path: Path) -> BGRImage:
    """A photo of a set, enlarged and with a border: the sets are cut close."""
    image = cv2.imread(str(path))
    if image is None:
        raise SystemExit(f"{path.parent}: 有读不了的图片 / holds a picture that cannot be read")
    scale = max(1.0, SMALLEST_PICTURE_PX / min(image.shape[:2]))
    large = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.copyMakeBorder(large, *_BORDER, borderType=cv2.BORDER_REPLICATE), np.uint8)


def timetable(
    enrolled: Sequence[Person], strangers: Sequence[Person], seconds: float, chance: random.Random
) -> list[Visit]:
    """Everybody once within `seconds`, every fourth and the one after it together."""
    order = [*enrolled, *strangers]
    chance.shuffle(order)
    unknown = {person.name for person in strangers}
    groups: list[list[Person]] = []
    while order:
        together = len(groups) % 7 == 0 and len(order) > 1
        groups.append([order.pop() for _ in range(2 if together else 1)])
    step = (seconds - 3.0) / len(groups)
    visits: list[Visit] = []
    for number, group in enumerate(groups):
        places = (WIDTH // 2,) if len(group) == 1 else (WIDTH // 3, 2 * WIDTH // 3)
        for place, person in zip(places, group, strict=True):
            turn = len(visits) % 30
            condition: Condition = _CONDITIONS[turn % 3] if turn < 9 else "plain"
            begins = 2.0 + number * step + (0.4 if place > WIDTH // 2 else 0.0)
            stand_px = chance.uniform(115, 190)
            visits.append(
                Visit(
                    person.name,
                    person.seen[:2],
                    begins,
                    place + chance.randint(-60, 60),
                    stand_px,
                    condition,
                    person.name in unknown,
                )
            )
    return visits


FaceWidth = Callable[[BGRImage], tuple[float, float, float] | None]
"""Centre and width of the largest face in a picture, pixels; None where none is found."""


def write(
    out: Path,
    visits: Sequence[Visit],
    seconds: float,
    face_of: FaceWidth,
    preset: str = "ultrafast",
    group_s: float = 2.0,
) -> None:
    """H.264 at 10 pictures/s, key frame every `group_s` seconds, no B-frames, readable by its owner alone.

    x264's `ultrafast` leaves out what makes a stream dear to decode (CABAC, deblocking), which cameras use.
    """
    out.touch(mode=0o600)
    with av.open(str(out), "w", format="mp4") as container:
        options = {"preset": preset, "crf": "27" if preset == "ultrafast" else "23", "sc_threshold": "0"}
        stream = container.add_stream("libx264", rate=FPS, options=options)
        assert isinstance(stream, av.VideoStream)  # noqa: S101 (libx264 is a video encoder)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.gop_size, stream.max_b_frames = round(group_s * FPS), 0
        for number, image in enumerate(_pictures(visits, seconds, face_of)):
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _pictures(visits: Sequence[Visit], seconds: float, face_of: FaceWidth) -> Iterator[BGRImage]:
    wall, noise = _doorway(), _noise()
    heads: dict[tuple[str, Path], _Head] = {}
    for number in range(round(seconds * FPS)):
        now = number / FPS
        scene = wall.copy()
        shown = {visit.name for visit in visits if visit.begins <= now < visit.ends}
        for visit in visits:
            if visit.begins <= now < visit.ends:
                is_prompted = now - visit.begins >= WALK_S + PROMPTED_S
                key = visit.name, visit.photos[-1 if is_prompted else 0]
                if key not in heads:
                    heads = {known: heads[known] for known in heads if known[0] in shown}
                    heads[key] = _Head.of(visit, key[1], face_of)
                heads[key].draw(scene, now)
        yield np.asarray(cv2.add(scene, noise[number % len(noise)]), np.uint8)


@dataclass(frozen=True)
class _Head:
    visit: Visit
    photo: BGRImage
    soft_edge: npt.NDArray[np.float32]
    centre: tuple[float, float]
    face_px: float

    @classmethod
    def of(cls, visit: Visit, path: Path, face_of: FaceWidth) -> _Head:
        photo = framed(path)
        height, width = photo.shape[:2]
        x, y, face_px = face_of(photo) or (width / 2, height / 2, 0.5 * width)
        wanted = {"dark": DARK, "backlight": BACKLIT}.get(visit.condition)
        if wanted is not None:
            half = face_px / 2
            face = photo[round(y - half) : round(y + half), round(x - half) : round(x + half)]
            photo = np.asarray(cv2.convertScaleAbs(photo, alpha=wanted / float(face.mean())), np.uint8)
        # Warping to less than half the size would skip pixels.
        shrink = min(1.0, 1.6 * visit.stand_px / face_px)
        photo = np.asarray(
            cv2.resize(photo, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA), np.uint8
        )
        x, y, face_px, (height, width) = x * shrink, y * shrink, face_px * shrink, photo.shape[:2]
        mask = np.zeros((height, width), np.float32)
        mask[12:-12, 12:-12] = 1.0
        return cls(visit, photo, np.asarray(cv2.blur(mask, (25, 25)), np.float32), (x, y), face_px)

    def draw(self, scene: BGRImage, now: float) -> None:
        visit, age = self.visit, now - self.visit.begins
        near = min(1.0, age / WALK_S)
        leaving = max(0.0, age - WALK_S - STAND_S) / LEAVE_S
        scale = (FAR_PX + (visit.stand_px - FAR_PX) * near) / self.face_px
        way_out = WIDTH / 2 if visit.centre_x > WIDTH / 2 else -WIDTH / 2
        x = visit.centre_x + 8 * np.sin(2 * age) + leaving * way_out
        y = HEIGHT * (0.5 - 0.08 * near) + 4 * np.sin(3 * age)
        if visit.condition == "backlight":
            cv2.circle(scene, (round(x), round(y) - 60), 330, (252, 252, 250), -1)
        turn = cv2.getRotationMatrix2D(self.centre, 3 * float(np.sin(1.3 * age)), scale)
        move = np.asarray(turn, np.float64)
        move[:, 2] += np.array((x, y)) - self.centre
        photo, mask = self.photo, self.soft_edge
        if visit.condition == "blur" and near < 1.0:
            photo = np.asarray(cv2.GaussianBlur(photo, (0, 0), 2.5 / scale), np.uint8)
        reach = round(0.72 * max(photo.shape[:2]) * scale)
        left, top = max(0, round(x) - reach), max(0, round(y) - reach)
        part = scene[top : round(y) + reach, left : max(left, round(x) + reach)]
        if 0 in part.shape:
            return
        move[:, 2] -= (left, top)
        size = (part.shape[1], part.shape[0])
        placed = cv2.warpAffine(photo, move, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        weight = cv2.warpAffine(mask, move, size, flags=cv2.INTER_LINEAR)
        part[:] = cv2.blendLinear(placed, np.ascontiguousarray(part), weight, 1 - weight)


def _doorway() -> BGRImage:
    wall = np.full((HEIGHT, WIDTH, 3), (120, 128, 132), np.uint8)
    cv2.rectangle(wall, (WIDTH // 5, HEIGHT // 12), (4 * WIDTH // 5, HEIGHT), (178, 184, 186), -1)
    return np.asarray(cv2.GaussianBlur(wall, (31, 31), 0), np.uint8)


def _noise() -> list[BGRImage]:
    """A sensor's, with the pedestal that keeps it positive."""
    source = np.random.default_rng(1)
    grey = [source.normal(8, 2.5, (HEIGHT, WIDTH, 1)).clip(0, 16).astype(np.uint8) for _ in range(4)]
    return [np.repeat(one, 3, axis=2) for one in grey]

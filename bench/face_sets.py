"""The face sets that recognition is measured on, read with one engine. Numbers only: nobody in them is
shown."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from agent.checkin.gate import suitability
from models import face_quality
from models.faces import DetectedFace, FaceEngine, Template
from models.images import BGRImage

SMALLEST_PICTURE_PX, BORDER_PX = 320, 60
ENROLMENT_PHOTO = -1
"""The "day" of the photo that a person was enrolled with."""


@dataclass(frozen=True)
class Photo:
    """One photo of one person, and what the engine found in it."""

    person: str
    day: int
    template: Template
    width_px: float
    """Of the face, in pixels of the original photo."""
    quality: float
    """Suitability, 0..1."""
    path: Path
    yaw_degrees: float
    """As read off this engine's points."""


def media_folder() -> Path:
    """Where the measurement media lie; SystemExit names the remedy."""
    beside = Path(__file__).resolve().parent.parent.parent / "shared"
    media = Path(os.environ.get("CLASSROOM_AGENT_SHARED", beside)) / "media"
    if not media.is_dir():
        raise SystemExit(
            f"{media}: 没有测量用的图片 / no pictures to measure with; set CLASSROOM_AGENT_SHARED"
        )
    return media


def class_faces(media: Path) -> Iterator[tuple[str, int, Path]]:
    """(person, day, photo): 34 students, one enrolment photo each, then faces cut out in class over 25
    days."""
    folder = media / "class_faces"
    for path in sorted((folder / "enrol").iterdir()):
        yield str(int(path.stem)), ENROLMENT_PHOTO, path
    with (folder / "probes.csv").open(encoding="utf-8") as rows:
        for row in csv.DictReader(rows):
            yield row["identity"], int(row["day"]), folder / row["file"]


def lfw(media: Path) -> Iterator[tuple[str, int, Path]]:
    """(person, number, photo): 150 people of four photos; the first is the enrolment photo."""
    for person in sorted((media / "lfw").iterdir()):
        for number, path in enumerate(sorted(person.iterdir())):
            yield person.name, number + ENROLMENT_PHOTO, path


SETS = {"class_faces": class_faces, "lfw": lfw}


def read(engine: FaceEngine, set_name: str, media: Path) -> tuple[list[Photo], int]:
    """Every photo of the set in which a face was found, and in how many none was."""
    found, missed = [], 0
    for person, day, path in SETS[set_name](media):
        photo = _read_one(engine, person, day, path)
        if photo is None:
            missed += 1
        else:
            found.append(photo)
    return found, missed


def _read_one(engine: FaceEngine, person: str, day: int, path: Path) -> Photo | None:
    image = cv2.imread(str(path))
    if image is None:
        raise SystemExit(f"{path.parent}: 有读不了的图片 / holds a picture that cannot be read")
    # The sets are cut close around the face: no detector was made for that.
    scale = max(1.0, SMALLEST_PICTURE_PX / min(image.shape[:2]))
    large = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    side = BORDER_PX
    framed = np.asarray(
        cv2.copyMakeBorder(large, side, side, side, side, borderType=cv2.BORDER_REPLICATE), np.uint8
    )
    face = _in_the_middle(framed, engine.detect(framed))
    if face is None:
        return None
    quality = face_quality.measure(framed, face)
    width, template = face.box.width / scale, engine.template(framed, face)
    return Photo(person, day, template, width, suitability(quality), path, quality.yaw_degrees)


def _in_the_middle(image: BGRImage, faces: list[DetectedFace]) -> DetectedFace | None:
    """Whom the photo is of: both sets are cut around that face, and others look in from the sides."""
    height, width = image.shape[:2]

    def away(face: DetectedFace) -> float:
        box = face.box
        return math.hypot(box.left + box.width / 2 - width / 2, box.top + box.height / 2 - height / 2)

    return min(faces, key=away, default=None)

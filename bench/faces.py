#!/usr/bin/env python3
"""Accuracy of the face engine: the figures of models/weights.toml, measured again.

    CLASSROOM_AGENT_SHARED=../shared python bench/faces.py [--out result.json]

One enrolled photo a person against every probe, every person against every other; faces are made larger
where the picture is smaller than 320 px, because the sets are cut close. Prints numbers only: the people
in these sets are shown nowhere.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from agent.checkin.thresholds import CheckinThresholds
from models.faces import FaceEngine, Template, distances, load_engine

SMALLEST_PICTURE_PX, BORDER_PX = 320, 60
WANTED_FMR = 1e-3


@dataclass(frozen=True)
class Probe:
    """One photo: who it shows, its template, the face's width in pixels of the original."""

    person: str
    template: Template
    width_px: float


def read(engine: FaceEngine, person: str, path: Path) -> Probe | None:
    """The largest face in `path`; None when none is found."""
    image = cv2.imread(str(path))
    if image is None:
        raise SystemExit(f"{path.parent}: 有读不了的图片 / holds a picture that cannot be read")
    scale = max(1.0, SMALLEST_PICTURE_PX / min(image.shape[:2]))
    large = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    framed = np.asarray(
        cv2.copyMakeBorder(large, *[BORDER_PX] * 4, borderType=cv2.BORDER_REPLICATE), np.uint8
    )
    faces = engine.detect(framed)
    if not faces:
        return None
    return Probe(person, engine.template(framed, faces[0]), faces[0].box.width / scale)


def class_faces(folder: Path) -> Iterator[tuple[str, Path, bool]]:
    """(person, photo, is it the enrolled one)."""
    for path in sorted((folder / "enrol").iterdir()):
        yield path.stem, path, True
    for path in sorted((folder / "probe").iterdir()):
        yield path.stem.split("_")[0], path, False


def lfw(folder: Path) -> Iterator[tuple[str, Path, bool]]:
    for person in sorted(folder.iterdir()):
        for number, path in enumerate(sorted(person.iterdir())):
            yield person.name, path, number == 0


def rates(enrolled: list[Probe], probes: list[Probe]) -> dict[str, Any]:
    """FMR and FNMR at the default distance, and FNMR where FMR is WANTED_FMR."""
    matrix = np.stack([one.template for one in enrolled])
    people = np.array([one.person for one in enrolled])
    found: dict[bool, list[float]] = defaultdict(list)
    for probe in probes:
        for same, distance in zip(people == probe.person, distances(probe.template, matrix), strict=True):
            found[bool(same)].append(float(distance))
    genuine, impostor = np.array(found[True]), np.sort(found[False])
    strict = float(impostor[int(WANTED_FMR * len(impostor))])
    default = CheckinThresholds().match_distance
    return {
        "genuine": len(genuine),
        "impostor": len(impostor),
        "at_default": {
            "distance": default,
            "fmr": round(float(np.mean(impostor < default)), 5),
            "fnmr": round(float(np.mean(genuine >= default)), 3),
        },
        "at_fmr_1e-3": {"distance": round(strict, 3), "fnmr": round(float(np.mean(genuine >= strict)), 3)},
    }


def measure(engine: FaceEngine, photos: Iterator[tuple[str, Path, bool]]) -> dict[str, Any]:
    enrolled, probes, missed = [], [], 0
    for person, path, is_enrolled in photos:
        probe = read(engine, person, path)
        if probe is None:
            missed += 1
        else:
            (enrolled if is_enrolled else probes).append(probe)
    large = [probe for probe in probes if probe.width_px >= CheckinThresholds().min_face_px]
    result = {"people": len(enrolled), "no_face_found": missed, "all_sizes": rates(enrolled, probes)}
    if len(large) not in (0, len(probes)):
        result["large_enough"] = rates(enrolled, large)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description="人脸引擎精度 / accuracy of the face engine")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    beside = Path(__file__).resolve().parent.parent.parent / "shared"
    media = Path(os.environ.get("CLASSROOM_AGENT_SHARED", beside)) / "media"
    if not media.is_dir():
        raise SystemExit(
            f"{media}: 没有测量用的图片 / no pictures to measure with; set CLASSROOM_AGENT_SHARED"
        )
    engine = load_engine(min_face_px=80)
    result = {
        "benchmark": "faces",
        "engine": engine.name,
        "class": measure(engine, class_faces(media / "class_faces")),
        "lfw": measure(engine, lfw(media / "lfw")),
    }
    text = json.dumps(result, indent=2)
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

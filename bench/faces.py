#!/usr/bin/env python3
"""Accuracy and speed of the face engines: the figures of models/weights.toml, measured again.

    CLASSROOM_AGENT_SHARED=../shared python bench/faces.py [--out result.json]

One enrolled photo a person against every probe, every person against every other; faces are made larger
where the picture is smaller than 320 px, because the sets are cut close. Prints numbers only: the people
in these sets are shown nowhere.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from agent.checkin.thresholds import CheckinThresholds
from models.faces import ENGINES, FaceEngine, Template, distances, load_engine

SMALLEST_PICTURE_PX, BORDER_PX = 320, 60
FMRS = (1e-3, 1e-4)
BANDS = (0, 48, 64, 80, 112)
"""Lower edges of the widths by which class faces are told apart, pixels of the original picture."""
SAMPLE = Path(__file__).resolve().parent.parent / ".samples" / "obama.jpg"

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Probe:
    """One photo: who it shows, its template, the face's width in pixels of the original."""

    person: str
    template: Template
    width_px: float


def read(engine: FaceEngine, person: str, path: Path) -> Probe | None:
    """The face nearest to the middle of `path`, where these sets have theirs; None when none is found."""
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
    middle = framed.shape[1] / 2, framed.shape[0] / 2
    face = min(faces, key=lambda face: math.dist(face.box.centre, middle))
    return Probe(person, engine.template(framed, face), face.box.width / scale)


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


def scores(enrolled: list[Probe], probes: list[Probe]) -> tuple[Numbers, Numbers]:
    """Distances of every probe to its own person's photo, and to every other's (sorted)."""
    matrix = np.stack([one.template for one in enrolled])
    people = np.array([one.person for one in enrolled])
    found: dict[bool, list[float]] = defaultdict(list)
    for probe in probes:
        for same, distance in zip(people == probe.person, distances(probe.template, matrix), strict=True):
            found[bool(same)].append(float(distance))
    return np.array(found[True]), np.sort(found[False])


def rank_1(enrolled: list[Probe], probes: list[Probe]) -> float:
    """Share of probes whose nearest enrolled person is the right one."""
    matrix = np.stack([one.template for one in enrolled])
    right = [
        enrolled[int(distances(probe.template, matrix).argmin())].person == probe.person for probe in probes
    ]
    return round(float(np.mean(right)), 3)


def rates(enrolled: list[Probe], probes: list[Probe], cuts: tuple[float, ...] = FMRS) -> dict[str, Any]:
    """FMR and FNMR at the default distance, and FNMR with its interval where the FMR is each of `cuts`."""
    genuine, impostor = scores(enrolled, probes)
    default = CheckinThresholds().match_distance
    result: dict[str, Any] = {
        "genuine": len(genuine),
        "impostor": len(impostor),
        "rank_1": rank_1(enrolled, probes),
        "at_default": {
            "distance": default,
            "fmr": round(float(np.mean(impostor < default)), 5),
            "fnmr": round(float(np.mean(genuine >= default)), 3),
        },
    }
    for fmr in cuts:
        cut = float(impostor[int(fmr * len(impostor))])
        wrong = int(np.sum(genuine >= cut))
        result[f"at_fmr_{fmr:.0e}"] = {
            "distance": round(cut, 3),
            "fnmr": round(wrong / len(genuine), 3),
            "fnmr_95": wilson(wrong, len(genuine)),
        }
    return result


def wilson(wrong: int, of: int, z: float = 1.96) -> tuple[float, float]:
    """95 % interval of a share (Wilson, 1927); too narrow: one person's comparisons hang together."""
    middle, spread = wrong + z * z / 2, z * math.sqrt(wrong * (of - wrong) / of + z * z / 4)
    low, high = (middle - spread) / (of + z * z), (middle + spread) / (of + z * z)
    return round(low, 3), round(high, 3)


def measure(
    engine: FaceEngine, photos: Iterator[tuple[str, Path, bool]], bands: tuple[int, ...]
) -> dict[str, Any]:
    """Rates over all probes, over those large enough for the door, and by width of the face."""
    enrolled, probes, missed = [], [], 0
    for person, path, is_enrolled in photos:
        probe = read(engine, person, path)
        if probe is None:
            missed += 1
        else:
            (enrolled if is_enrolled else probes).append(probe)
    result = {"people": len(enrolled), "no_face_found": missed, "all_sizes": rates(enrolled, probes)}
    for low, high in pairwise((*bands, 10_000)):
        part = [probe for probe in probes if low <= probe.width_px < high]
        if part and len(part) != len(probes):
            result[f"width_{low}_px"] = rates(enrolled, part, (1e-3,))
    large = [probe for probe in probes if probe.width_px >= CheckinThresholds().min_face_px]
    if len(large) not in (0, len(probes)):
        result["large_enough"] = rates(enrolled, large)
    return result


def cost(engine_name: str, folder: Path, photo: Path) -> dict[str, Any]:
    """Milliseconds of CPU and wall time: searching a 1280x720 picture with one face, making its template."""
    engine = load_engine(engine_name, min_face_px=96, models_folder=folder)
    image = cv2.imread(str(photo))
    if image is None:
        raise SystemExit(f"{photo}: 读不了 / cannot be read; run make samples")
    scale = 600 / image.shape[0]
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    door = np.full((720, 1280, 3), 110, np.uint8)
    door[60 : 60 + small.shape[0], 400 : 400 + small.shape[1]] = small
    (face,) = engine.detect(door)[:1]
    return {
        "face_px": face.box.width,
        "detect_ms": _timed(lambda: engine.detect(door)),
        "template_ms": _timed(lambda: engine.template(door, face)),
    }


def _timed(action: Callable[[], object], times: int = 30) -> dict[str, float]:
    """Median of `times`: other work on the machine lengthens some."""
    action()
    cpu, wall = [], []
    for _ in range(times):
        cpu_before, wall_before = time.process_time(), time.perf_counter()
        action()
        cpu.append(time.process_time() - cpu_before)
        wall.append(time.perf_counter() - wall_before)
    return {"cpu": round(1e3 * float(np.median(cpu)), 1), "wall": round(1e3 * float(np.median(wall)), 1)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description="人脸引擎精度与速度 / accuracy and speed of the face engines"
    )
    parser.add_argument("--out", type=Path)
    parser.add_argument("--engine", choices=ENGINES, action="append", help="不写则全部 / all if left out")
    parser.add_argument("--models", type=Path, default=Path(sys.prefix) / "share/classroom-agent/models")
    parser.add_argument("--no-lfw", action="store_true")
    arguments = parser.parse_args()
    beside = Path(__file__).resolve().parent.parent.parent / "shared"
    media = Path(os.environ.get("CLASSROOM_AGENT_SHARED", beside)) / "media"
    if not media.is_dir():
        raise SystemExit(
            f"{media}: 没有测量用的图片 / no pictures to measure with; set CLASSROOM_AGENT_SHARED"
        )
    results = []
    for name in arguments.engine or ENGINES:
        engine = load_engine(name, min_face_px=80, models_folder=arguments.models)
        result: dict[str, Any] = {"benchmark": "faces", "engine": engine.name}
        result["cost"] = cost(name, arguments.models, SAMPLE)
        result["class"] = measure(engine, class_faces(media / "class_faces"), BANDS)
        if not arguments.no_lfw:
            result["lfw"] = measure(engine, lfw(media / "lfw"), ())
        results.append(result)
        print(json.dumps(result, indent=2), flush=True)
    if arguments.out:
        arguments.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

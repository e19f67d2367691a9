#!/usr/bin/env python3
"""How far may a head be turned? Yaw as each engine reads it, and what recognition does as it grows.

    python -m bench.pose [--engine NAME] [--out result.json]        (CLASSROOM_AGENT_SHARED set)

Each engine reads yaw off its own points (`models.face_quality.yaw`), so the same head has another number with
another engine: the regression over faces that two engines found says by how much. The limits follow from two
tables, at the cut where the FMR of faces from the front (both below FRONT degrees) is 1e-3:

probe: photos from the front against photos turned by so much: the door's limit, and enrolment's for people
who come straight on. apart: both turned, by the angle between them: somebody enrolled to one side who comes
looking to the other. FNMR with Wilson's 95 % interval over the photos, each counted by the share of its pairs
that fail, as one photo's pairs hang together. Prints numbers only.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.face_sets import SETS, Photo, media_folder, read
from bench.faces import wilson
from models.faces import ENGINES, load_engine

FRONT = 15.0
FMR = 1e-3
YAWS = (0, 10, 15, 20, 25, 30, 35, 40, 90)
ANGLES = (0, 10, 20, 30, 40, 50, 60, 180)
LEAST_WIDTH_PX = {"class_faces": 80, "lfw": 0}

Numbers = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Pairs:
    """Every photo against every other of one set."""

    yaw: Numbers
    """Shape (photos,), degrees."""
    distance: Numbers
    """Shape (photos, photos), no photo against itself: NaN."""
    is_same: Flags
    """Whether both show one person; the same shape."""

    @classmethod
    def of(cls, photos: list[Photo]) -> Pairs:
        templates = np.stack([photo.template for photo in photos]).astype(np.float64)
        people = np.array([photo.person for photo in photos])
        lengths = (templates**2).sum(1)
        squares = lengths[:, None] + lengths - 2 * templates @ templates.T
        distance = np.sqrt(np.maximum(squares, 0))
        np.fill_diagonal(distance, np.nan)
        yaw = np.array([photo.yaw_degrees for photo in photos])
        return cls(yaw, distance, people[:, None] == people)

    def cut(self, chosen: Flags) -> float:
        """Where the FMR of the `chosen` pairs is `FMR`."""
        impostors = np.sort(self.distance[chosen & ~self.is_same])
        return float(impostors[int(FMR * len(impostors))])

    def rates(self, chosen: Flags, cut: float) -> dict[str, Any]:
        """FNMR and FMR of the `chosen` pairs, (one, other): counted by the other."""
        genuine = chosen & self.is_same & ~np.isnan(self.distance)
        of_photo = genuine.sum(0)
        missed = (genuine & (self.distance >= cut)).sum(0)[of_photo > 0] / of_photo[of_photo > 0]
        if not len(missed):
            return {}
        impostors = self.distance[chosen & ~self.is_same]
        return {
            "photos": len(missed),
            "pairs": int(of_photo.sum()),
            "fnmr": round(float(missed.mean()), 4),
            "fnmr_95": wilson(round(float(missed.sum())), len(missed)),
            "fmr": round(float((impostors < cut).mean()), 5),
            "impostor_pairs": len(impostors),
        }


def by_yaw(photos: list[Photo]) -> dict[str, Any]:
    pairs = Pairs.of(photos)
    turned = np.abs(pairs.yaw)
    front = turned < FRONT
    cut = pairs.cut(front[:, None] & front)
    angle = np.abs(pairs.yaw[:, None] - pairs.yaw)
    either = np.maximum(turned[:, None], turned)
    return {
        "photos": len(photos),
        "cut": round(cut, 4),
        "probe": {
            f"{low}-{high}": pairs.rates(front[:, None] & (turned >= low) & (turned < high), cut)
            for low, high in pairwise(YAWS)
        },
        "apart": {
            f"{low}-{high}": pairs.rates((angle >= low) & (angle < high) & (either < YAWS[-2]), cut)
            for low, high in pairwise(ANGLES)
        },
    }


def read_alike(one: list[Photo], other: list[Photo]) -> dict[str, Any]:
    """The yaw of `other` as a line over the yaw of `one`, over photos in which both found a face."""
    known = {photo.path: photo.yaw_degrees for photo in one}
    both = [(known[photo.path], photo.yaw_degrees) for photo in other if photo.path in known]
    x, y = np.array(both).T
    slope, offset = np.polyfit(x, y, 1)
    # Either reading has errors, which flatten a regression: the ratio of spreads is free of that.
    return {
        "faces": len(both),
        "slope": round(float(slope), 3),
        "offset_degrees": round(float(offset), 2),
        "spread_around_the_line_degrees": round(float((y - slope * x - offset).std()), 2),
        "ratio_of_spreads": round(float(y.std() / x.std()), 3),
        "correlation": round(float(np.corrcoef(x, y)[0, 1]), 3),
        "beyond": {
            limit: [round(float((np.abs(values) > limit).mean()), 3) for values in (x, y)]
            for limit in YAWS[1:-1]
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="头转多少还认得 / how far a head may be turned")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--engine", choices=ENGINES, action="append", help="不写则全部 / all if left out")
    parser.add_argument("--models", type=Path, default=Path(sys.prefix) / "share/classroom-agent/models")
    arguments = parser.parse_args()
    media, results = media_folder(), []
    wanted = arguments.engine or ENGINES
    for set_name in SETS:
        found = {}
        for name in wanted:
            photos, _ = read(
                load_engine(name, min_face_px=80, models_folder=arguments.models), set_name, media
            )
            found[name] = [photo for photo in photos if photo.width_px >= LEAST_WIDTH_PX[set_name]]
            results.append({"benchmark": "pose", "engine": name, "set": set_name, **by_yaw(found[name])})
        for one, other in pairwise(wanted):
            results.append(
                {"benchmark": "pose", "of": one, "over": other, "set": set_name}
                | read_alike(found[other], found[one])
            )
    text = json.dumps(results, indent=2)
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

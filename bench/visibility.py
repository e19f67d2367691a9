#!/usr/bin/env python3
"""Heads counted: our net beside NanoDet on tiles, on pictures of rooms that neither was trained on.

    python -m bench.visibility [--weights FILE] [--models FOLDER] [--out result.json]

Needs CLASSROOM_AGENT_SHARED (labelled pictures), and NanoDet as the product installs it: `classroom-agent
models install nanodet-g-416 --folder FOLDER`. A detection finds a labelled head when their
boxes share half (IoU .5); NanoDet answers with whole people, so both are also matched by place: the middle
of the head found, for a person the middle of the top of the box, lies in the labelled box enlarged by a
quarter. Each detection finds one head, the surest first. The labels of val_rear leave out one head in eight:
precision there is a lower bound, and `place_completed` counts those known as people. Prints numbers only.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from bench.door_node import MODELS
from bench.face_sets import media_folder
from bench.head_labels import Numbers, completed, labelled
from models.head_net import Calibration, HeadNet
from models.heads import HeadCounter
from models.images import BGRImage, Detection
from models.nanodet import NanodetTiles
from models.weights import ModelError

SETS = ("val_rear", "val_room")
CUTS = tuple(round(0.1 + 0.05 * step, 2) for step in range(17))
SIZES = ((0, 12), (12, 16), (16, 24), (24, 32), (32, 48), (48, 64), (64, 96), (96, 1000))
"""Root of a head's area, px of the picture."""
RELIABILITY = tuple(round(0.1 * step, 1) for step in range(11))
FILMS = {"1080p": (1920, 1080), "4k": (3840, 2160)}
SECONDS_PER_COUNT = 5


@dataclass(frozen=True)
class CountedPicture:
    """One labelled picture and what was found in it."""

    heads: Numbers
    """Labelled boxes, (N, 4): left, top, right, bottom."""
    completed: Numbers
    """The same with the heads that the labels leave out (bench/head_labels.py)."""
    found: Sequence[Detection]


def by_overlap(heads: Numbers, found: Sequence[Detection], finds: str) -> Numbers:
    """(detections, heads): intersection over union where it reaches .5, else 0."""
    boxes = np.array([(d.box.left, d.box.top, d.box.right, d.box.bottom) for d in found]).reshape(-1, 1, 4)
    low, high = np.maximum(boxes[..., :2], heads[:, :2]), np.minimum(boxes[..., 2:], heads[:, 2:])
    shared = np.clip(high - low, 0, None).prod(2)
    union = (boxes[..., 2:] - boxes[..., :2]).prod(2) + (heads[:, 2:] - heads[:, :2]).prod(1) - shared
    overlap: Numbers = shared / union
    return np.where(overlap >= 0.5, overlap, 0)


def by_place(heads: Numbers, found: Sequence[Detection], finds: str) -> Numbers:
    """(detections, heads): nearness of the head's middle, 0 outside the box enlarged by a quarter."""
    middles = (heads[:, :2] + heads[:, 2:]) / 2
    reach = (heads[:, 2:] - heads[:, :2]) / 2 * 1.25
    points = []
    for each in found:
        x, y = each.box.centre
        if finds == "person":  # a head is about two fifths as wide as the box and begins at its top
            y = each.box.top + 0.25 * each.box.width
        points.append((x, y))
    away = np.abs(np.array(points).reshape(-1, 1, 2) - middles) / reach
    return np.asarray(np.clip(1 - away.max(2), 0, None))


Match = Callable[[Numbers, Sequence[Detection], str], Numbers]
MATCHES: dict[str, Match] = {"iou_50": by_overlap, "place": by_place}


def matched(heads: Numbers, found: Sequence[Detection], finds: str, match: Match) -> list[int | None]:
    """For each detection, surest first, the head that it finds."""
    nearness = match(heads, found, finds)
    taken: set[int] = set()
    answers: list[int | None] = []
    for row in nearness:
        best = next((int(i) for i in np.argsort(-row) if row[i] > 0 and int(i) not in taken), None)
        answers.append(best)
        if best is not None:
            taken.add(best)
    return answers


def judged(pictures: Sequence[CountedPicture], cut: float, finds: str, match: Match) -> dict[str, Any]:
    """Recall, precision, errors of the count, and recall by size, at one cut."""
    hits = heads = found = 0
    errors: list[int] = []
    sizes: dict[str, list[int]] = {f"{low}-{high}": [0, 0] for low, high in SIZES}
    for picture in pictures:
        sure = [each for each in picture.found if each.score >= cut]
        got = {index for index in matched(picture.heads, sure, finds, match) if index is not None}
        hits, heads, found = hits + len(got), heads + len(picture.heads), found + len(sure)
        errors.append(len(sure) - len(picture.heads))
        sides = np.sqrt((picture.heads[:, 2:] - picture.heads[:, :2]).prod(1))
        for index, side in enumerate(sides):
            low, high = next((low, high) for low, high in SIZES if low <= side < high)
            sizes[f"{low}-{high}"][0] += index in got
            sizes[f"{low}-{high}"][1] += 1
    return {
        "cut": round(cut, 3),
        "recall": round(hits / heads, 3),
        "precision": round(hits / max(1, found), 3),
        "count_mae": round(float(np.abs(errors).mean()), 2),
        "count_bias": round(float(np.mean(errors)), 2),
        "heads_each": round(heads / len(pictures), 1),
        "recall_by_px": {name: [round(got / of, 3), of] for name, (got, of) in sizes.items() if of},
    }


def reliability(pictures: Sequence[CountedPicture], finds: str) -> list[dict[str, Any]]:
    """In each band of scores: how many, their mean score, and what share finds a head (by place)."""
    rows = []
    scores: list[float] = []
    hits: list[bool] = []
    for picture in pictures:
        answers = matched(picture.heads, picture.found, finds, by_place)
        scores += [each.score for each in picture.found]
        hits += [answer is not None for answer in answers]
    score, hit = np.array(scores), np.array(hits)
    for low, high in pairwise(RELIABILITY):
        band = (score >= low) & (score < high + (high == 1) * 1e-9)
        if band.any():
            rows.append(
                {
                    "score": [low, high],
                    "detections": int(band.sum()),
                    "mean_score": round(float(score[band].mean()), 3),
                    "share_heads": round(float(hit[band].mean()), 3),
                }
            )
    return rows


def empty_pictures() -> dict[str, BGRImage]:
    """Pictures without people: planes, slopes, blocks, noise, furniture drawn with lines and boxes."""
    rng = np.random.default_rng(5)
    slope = np.linspace(40, 220, 1280).astype(np.uint8)
    room = np.full((720, 1280, 3), 170, np.uint8)
    for row in range(4):
        for column in range(8):
            left, top = 60 + column * 150, 300 + row * 100
            cv2.rectangle(room, (left, top), (left + 100, top + 12), (60, 90, 130), -1)
            cv2.rectangle(room, (left + 30, top - 40), (left + 70, top), (40, 40, 50), -1)
    return {
        "grey": np.full((1080, 1920, 3), 90, np.uint8),
        "black": np.zeros((1080, 1920, 3), np.uint8),
        "white": np.full((720, 1280, 3), 255, np.uint8),
        "slope": np.repeat(np.repeat(slope[None], 720, 0)[..., None], 3, 2),
        "noise": rng.integers(0, 255, (720, 1280, 3)).astype(np.uint8),
        "coarse blocks": np.asarray(
            cv2.resize(rng.integers(0, 255, (24, 40, 3)).astype(np.uint8), (1280, 768)), np.uint8
        ),
        "drawn furniture": room,
    }


def milliseconds(counter: HeadCounter, picture: BGRImage, rounds: int) -> float:
    """CPU time of one count, the least of some rounds."""
    counter.count(picture)
    spent = []
    for _ in range(rounds):
        began = time.process_time()
        counter.count(picture)
        spent.append(time.process_time() - began)
    return round(min(spent) * 1000, 1)


def times(counters: dict[str, HeadCounter], picture: BGRImage, rounds: int) -> dict[str, Any]:
    """Of each counter at each size, their ratio, and the share of a core at one count per five seconds."""
    result: dict[str, Any] = {}
    for name, size in FILMS.items():
        film = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), np.uint8)
        spent = {who: milliseconds(counter, film, rounds) for who, counter in counters.items()}
        result[name] = {
            "cpu_ms": spent,
            "share_of_core": {who: round(ms / 1000 / SECONDS_PER_COUNT, 3) for who, ms in spent.items()},
        }
        if len(spent) == 2:
            result[name]["ours_to_nanodet"] = round(spent["heads"] / spent["nanodet"], 2)
    return result


Sets = dict[str, list[CountedPicture]]


def counted(counter: HeadCounter, media: Path) -> Sets:
    """Both sets, counted."""
    return {
        name: [
            CountedPicture(heads, completed(file, heads, image.shape[0]), counter.count(image))
            for file, image, heads in labelled(media / "heads" / name)
        ]
        for name in SETS
    }


def _whole(pictures: Sequence[CountedPicture]) -> list[CountedPicture]:
    return [replace(picture, heads=picture.completed) for picture in pictures]


def measure(counter: HeadCounter, sets: Sets) -> dict[str, Any]:
    """One counter on every set, and on pictures of nobody."""
    result: dict[str, Any] = {}
    for name, pictures in sets.items():
        matches = MATCHES if counter.finds == "head" else {"place": by_place}
        result[name] = {
            key: judged(pictures, counter.cut, counter.finds, match) for key, match in matches.items()
        }
        result[name]["by_cut"] = [judged(pictures, cut, counter.finds, by_place) for cut in CUTS]
        for row in result[name]["by_cut"]:
            del row["recall_by_px"]
        whole = judged(_whole(pictures), counter.cut, counter.finds, by_place)
        if whole["heads_each"] > result[name]["place"]["heads_each"]:
            result[name]["place_completed"] = whole
        result[name]["reliability"] = reliability(pictures, counter.finds)
    result["empty"] = {
        name: sum(each.score >= counter.cut for each in counter.count(picture))
        for name, picture in empty_pictures().items()
    }
    return result


def fit(weights: Path | None, media: Path) -> tuple[HeadNet, Sets]:
    """The net with slope and offset that make its logits probabilities of a head (each set weighs half),
    and with the cut at which both sets count best, their labels completed; and the sets with such scores."""
    raw = HeadNet(weights, Calibration(1.0, 0.0, 0.5))
    raw.floor = 0.02
    sets = counted(raw, media)
    logits, hits, weight = [], [], []
    for pictures in sets.values():
        mine = [
            (_logit(each.score), answer is not None)
            for picture in pictures
            for each, answer in zip(
                picture.found, matched(picture.completed, picture.found, "head", by_place), strict=True
            )
        ]
        logits += [logit for logit, _ in mine]
        hits += [hit for _, hit in mine]
        weight += [1 / len(mine)] * len(mine)
    slope, offset = logistic(np.array(logits), np.array(hits, float), np.array(weight))
    fitted = {
        name: [
            replace(
                each,
                found=[
                    Detection(d.box, 1 / (1 + math.exp(-(slope * _logit(d.score) + offset))))
                    for d in each.found
                ],
            )
            for each in pictures
        ]
        for name, pictures in sets.items()
    }
    errors = {
        round(float(cut), 2): sum(
            judged(_whole(pictures), float(cut), "head", by_place)["count_mae"]
            / np.mean([len(p.completed) for p in pictures])
            for pictures in fitted.values()
        )
        for cut in np.arange(0.2, 0.8, 0.02)
    }
    best = min(errors, key=lambda cut: errors[cut])
    calibration = Calibration(round(slope, 3), round(offset, 3), best)
    print(
        f"slope = {calibration.slope}\noffset = {calibration.offset}\ncut = {calibration.cut}",
        file=sys.stderr,
    )
    counter = HeadNet(weights, calibration)
    floor = counter.floor
    return counter, {
        name: [replace(p, found=[d for d in p.found if d.score >= floor]) for p in pictures]
        for name, pictures in fitted.items()
    }


def _logit(score: float) -> float:
    return math.log(score / (1 - score))


def logistic(logits: Numbers, hits: Numbers, weight: Numbers) -> tuple[float, float]:
    """Slope and offset of the likeliest logistic curve, by Newton's steps (Platt, 1999)."""
    inputs = np.stack([logits, np.ones_like(logits)], 1)
    answer = np.array([1.0, 0.0])
    for _ in range(50):
        probability = 1 / (1 + np.exp(-inputs @ answer))
        gradient = inputs.T @ (weight * (probability - hits))
        curvature = (inputs * (weight * probability * (1 - probability))[:, None]).T @ inputs
        step = np.linalg.solve(curvature + 1e-9 * np.eye(2), gradient)
        answer -= step
        if np.abs(step).max() < 1e-8:
            break
    return float(answer[0]), float(answer[1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", type=Path, help="another file for the head net than the product's")
    parser.add_argument("--models", type=Path, default=MODELS, help="folder with NanoDet")
    parser.add_argument("--rounds", type=int, default=3, help="counts timed at each size")
    parser.add_argument("--fit", action="store_true", help="fit calibration and cut first, and print them")
    parser.add_argument("--only", choices=("heads", "nanodet"), help="one of the two")
    parser.add_argument("--out", type=Path)
    words = parser.parse_args()
    media = media_folder()
    counters: dict[str, HeadCounter] = {}
    result: dict[str, Any] = {"load": os.getloadavg()}
    if words.only != "nanodet":
        net, sets = fit(words.weights, media) if words.fit else (HeadNet(words.weights), None)
        counters["heads"] = net
        result["heads"] = measure(net, sets or counted(net, media))
    if words.only != "heads":
        nanodet = NanodetTiles(words.models)
        try:
            nanodet.load()
        except ModelError as error:
            raise SystemExit(f"NanoDet: {error} (--folder {words.models}), or --only heads") from error
        counters["nanodet"] = nanodet
        result["nanodet"] = measure(nanodet, counted(nanodet, media))
    _, image, _ = next(labelled(media / "heads" / "val_room"))
    result["time"] = times(counters, image, words.rounds)
    text = json.dumps(result, indent=1)
    if words.out:
        words.out.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Error rates of a class hour's verdict, on lessons made from labelled pictures with errors that persist.

    python -m bench.verdict [--part report|choose] [--counter stand-in|head-net] [--streams N] [--out FILE]
    python -m bench.verdict --film
    python -m bench.verdict --lesson [--streams N]

Needs CLASSROOM_AGENT_SHARED. A lesson takes a labelled picture's heads as its people (a group of exactly as
many neighbours as are wanted) and a detector's errors as they persist: who is seen badly stays so, a thing
that looks like a head stays, both with noise from look to look; people bend down and come up again.
`head-net` takes each head's and each false place's own score from the net; `stand-in` draws them so that
recall and precision are those measured of the net's predecessor, calibrated by construction. Hidden people
are checked in and in no picture. The parameters of `agent.visibility.estimate.ErrorModel` are chosen with
`--part choose` (train_rooms); `--part report` (val_room, val_rear) is what is published. `--film` counts the
room video (13 people) with the head net; `--lesson` judges classes of a real lesson, see
bench/verdict_lesson.py. Prints numbers only.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from math import sqrt
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from agent.store.attendance import Expected
from agent.visibility.estimate import DEFAULT
from agent.visibility.looks import Zones, look_of
from agent.visibility.seats import Head, Look
from agent.visibility.verdict import Scene, judge
from bench.face_sets import media_folder
from bench.verdict_lesson import lesson_rates, real_lesson
from models.heads import HeadCounter

PARTS: Final = {"choose": ("train_rooms",), "report": ("val_room", "val_rear")}
PEOPLE: Final = (10, 30, 80)
HIDDEN_PERCENT: Final = (0, 1, 2, 3, 5, 10)
POSTURES: Final = ("seated", "standing")
HOUR_S: Final = 900
"""A class hour of a quarter of its length: one of 45 minutes has three times as many chances to err."""
EVERY_S: Final = 5
NEEDED_US: Final = 300_000_000
FLOOR: Final = 0.05

SLOW, QUICK = 0.6, 0.4
"""Standard deviations of a head's log-odds from half minute to half minute and from look to look."""
BENDS_PER_HOUR, BENT_S = 12, 20
"""How often and how long somebody is bent over the work and hardly seen."""
THINGS: Final = 0.7
"""Share of false places that do not move."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Cast:
    """What there is to be seen in one labelled picture; lengths in units of the picture's height."""

    people: Floats
    """(n, 4): x, y, size, log-odds of the detector; -inf: never found."""
    false: Floats
    """(k, 4): the same of what is no head."""


def stand_in(pictures: Sequence[Floats], random: np.random.Generator) -> list[Cast]:
    """Casts with scores so drawn that of those with score p a share p are heads: recall .88 and precision .89
    at a cut of .38, as measured of the net's predecessor on val_room."""
    casts = []
    for heads in pictures:
        # Of all that is reported, a score's density g; heads have g * p, the rest g * (1 - p).
        many = 40 * len(heads)
        score = np.where(random.random(many) < 0.7, random.beta(14, 0.9, many), random.beta(0.6, 2.2, many))
        is_head = random.random(many) < score
        people, false = score[is_head], score[~is_head & (score >= FLOOR)]
        share = len(false) / max(1, len(people))
        odds = np.log(people[: len(heads)] / np.maximum(1e-9, 1 - people[: len(heads)]))
        count = random.poisson(share * len(heads))
        near = heads[random.integers(0, len(heads), count), :3]
        places = near + random.normal(0, 2.5, (count, 3)) * near[:, 2:3] * (1, 1, 0)
        casts.append(
            Cast(
                np.column_stack([heads, odds]),
                np.column_stack([places, np.log(false[:count] / (1 - false[:count]))]),
            )
        )
    return casts


def of_net(folder: Path, pictures: dict[str, Floats]) -> list[Cast]:
    """Casts with the scores that the installed head net gives."""
    import cv2

    from models.head_net import HeadNet

    net, casts = HeadNet(), []
    for name, heads in pictures.items():
        image = cv2.imread(str(folder / name))
        if image is None:
            raise SystemExit(f"{folder / name}: 不是图片 / is no picture")
        height = image.shape[0]
        found = net.count(np.asarray(image, np.uint8))
        odds, false = np.full(len(heads), -np.inf), []
        for each in found:  # the surest first
            x, y = (
                (a + b) / 2 / height
                for a, b in ((each.box.left, each.box.right), (each.box.top, each.box.bottom))
            )
            score = min(max(each.score, 1e-4), 1 - 1e-4)
            value = float(np.log(score / (1 - score)))
            away = np.hypot(heads[:, 0] - x, heads[:, 1] - y) / heads[:, 2]
            away[np.isfinite(odds)] = np.inf
            nearest = int(np.argmin(away))
            if away[nearest] < 0.6:
                odds[nearest] = value
            else:
                size = sqrt((each.box.right - each.box.left) * (each.box.bottom - each.box.top)) / height
                false.append((x, y, size, value))
        casts.append(Cast(np.column_stack([heads, odds]), np.array(false).reshape(-1, 4)))
    return casts


def film(net: HeadCounter) -> list[dict[str, Any]]:
    """The room video of 13 people, eleven seconds of it played to and fro as a lesson of looks half a second
    apart that count as five seconds apart."""
    import cv2

    video = cv2.VideoCapture(str(media_folder() / "room_video" / "fixed_corner_13_people.mp4"))
    counted: list[tuple[Head, ...]] = []
    number = 0
    while True:
        done, image = video.read()
        if not done:
            break
        number += 1
        if number % 10 == 1:
            height, width = image.shape[:2]
            boxes = [
                (each.box.left, each.box.top, each.box.right, each.box.bottom, each.score)
                for each in net.count(np.asarray(image, np.uint8))
            ]
            counted.append(look_of(0, boxes, width, height, Zones()).heads)
    order = [*range(len(counted)), *range(len(counted) - 2, 0, -1)]
    looks = [
        Look(at * EVERY_S * 1_000_000, counted[order[at % len(order)]]) for at in range(HOUR_S // EVERY_S)
    ]
    results = []
    for expected in (10, 12, 13, 14, 15, 17, 20):
        # Nobody of the thirteen is known for a teacher: all of them count as trainees here.
        scene = Scene([Expected(0, 2**62, expected, 0)], has_teacher_zone=True)
        found = judge(looks, (0, HOUR_S * 1_000_000), scene, NEEDED_US)
        results.append(
            {"expected": expected, "verdict": found.verdict, "reason": found.reason}
            | {"lower": found.lower, "upper": found.upper}
        )
    return results


def labelled(folder: Path) -> dict[str, Floats]:
    """Picture → (n, 3): x, y, size of its heads in units of its height."""
    import cv2

    boxes = defaultdict(list)
    with (folder / "labels.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            boxes[row["file"]].append([float(row[key]) for key in ("x1", "y1", "x2", "y2")])
    found = {}
    for name, rows in sorted(boxes.items()):
        image = cv2.imread(str(folder / name), cv2.IMREAD_REDUCED_GRAYSCALE_8)
        if image is None:
            raise SystemExit(f"{folder / name}: 不是图片 / is no picture")
        height = 8 * image.shape[0]
        box = np.array(rows)
        middle = (box[:, :2] + box[:, 2:]) / 2 / height
        size = np.sqrt((box[:, 2:] - box[:, :2]).prod(1)) / height
        found[name] = np.column_stack([middle, size])
    return found


def group(cast: Cast, people: int, random: np.random.Generator) -> Cast | None:
    """So many neighbours of a picture and what is false among them; None where it has fewer people."""
    if len(cast.people) < people:
        return None
    first = cast.people[random.integers(len(cast.people)), :2]
    order = np.argsort(np.hypot(*(cast.people[:, :2] - first).T))[:people]
    chosen = cast.people[order]
    low, high = chosen[:, :2].min(0) - 0.03, chosen[:, :2].max(0) + 0.03
    inside = ((cast.false[:, :2] >= low) & (cast.false[:, :2] <= high)).all(1)
    return Cast(chosen, cast.false[inside])


def lesson(cast: Cast, posture: str, random: np.random.Generator, seconds: int = HOUR_S) -> list[Look]:
    """What the counter reports of the group over a class hour, a look each five seconds."""
    looks = seconds // EVERY_S
    actors = np.concatenate([cast.people, cast.false])
    is_person = np.arange(len(actors)) < len(cast.people)
    moves = is_person | (random.random(len(actors)) >= THINGS)
    shape = (len(actors), looks)
    slow = np.repeat(random.normal(0, SLOW, (len(actors), looks // 6 + 1)), 6, axis=1)[:, :looks]
    odds = actors[:, 3:4] + slow + random.normal(0, QUICK, shape)
    begins = random.random(shape) < BENDS_PER_HOUR / 3600 * EVERY_S
    bent = np.zeros(shape, dtype=bool)
    for later in range(BENT_S // EVERY_S):
        bent[:, later:] |= begins[:, : looks - later]
    odds = np.where(bent & is_person[:, None], odds - 4, odds)
    step = np.where(moves, 0.08, 0.006)[:, None] * actors[:, 2:3]
    x, y = (actors[:, [axis]] + _wander(shape, random) * step for axis in (0, 1))
    if posture == "standing":
        x, y, odds = _walk(x, y, odds, is_person, actors, random)
    score = 1 / (1 + np.exp(-odds))
    return [
        Look(
            at * EVERY_S * 1_000_000,
            tuple(
                Head(float(x[n, at]), float(y[n, at]), float(actors[n, 2]), float(min(score[n, at], 0.9999)))
                for n in np.flatnonzero(score[:, at] >= FLOOR)
            ),
        )
        for at in range(looks)
    ]


def _wander(shape: tuple[int, int], random: np.random.Generator) -> Floats:
    """Positions that are kept from look to look in part: standard deviation 1."""
    found = random.normal(0, 1, shape)
    for at in range(1, shape[1]):
        found[:, at] = 0.8 * found[:, at - 1] + 0.6 * found[:, at]
    return found


def _walk(
    x: Floats,
    y: Floats,
    odds: Floats,
    is_person: npt.NDArray[np.bool_],
    actors: Floats,
    random: np.random.Generator,
) -> tuple[Floats, Floats, Floats]:
    """People stroll about the space of the group, a head's width a second; who passes behind another is not
    seen, though never for long."""
    stride = 1.0 * actors[:, 2:3] * EVERY_S
    low, high = actors[:, :2].min(0), actors[:, :2].max(0)
    walked = []
    for axis, places in enumerate((x, y)):
        there = places + np.cumsum(random.normal(0, 1, places.shape) * stride / 3, axis=1)
        span = max(1e-6, high[axis] - low[axis])
        folded = np.abs((there - low[axis]) % (2 * span) - span)
        walked.append(np.where(is_person[:, None], low[axis] + folded, places))
    behind = random.random(odds.shape) < 0.08
    return walked[0], walked[1], np.where(behind & is_person[:, None], -np.inf, odds)


def rates(
    casts: Sequence[Cast], people: int, hidden: int, posture: str, streams: int, random: np.random.Generator
) -> dict[str, Any]:
    """Verdicts of so many lessons with `people` checked in, `hidden` of them in no picture."""
    verdicts: dict[str, int] = {"shown": 0, "not_shown": 0, "uncertain": 0}
    reasons: dict[str, int] = defaultdict(int)
    widths, done = [], 0
    fitting = [cast for cast in casts if len(cast.people) >= people - hidden]
    for _ in range(streams if fitting else 0):
        cast = group(fitting[random.integers(len(fitting))], people - hidden, random)
        if cast is None:
            continue
        scene = Scene([Expected(0, 2**62, people, 0)], has_teacher_zone=True, walking=posture == "standing")
        found = judge(lesson(cast, posture, random), (0, HOUR_S * 1_000_000), scene, NEEDED_US)
        verdicts[found.verdict] += 1
        reasons[found.reason] += 1
        done += 1
        if found.lower is not None and found.upper is not None:
            widths.append(found.upper - found.lower)
    wrong = verdicts["shown"] if hidden else verdicts["not_shown"]
    return {
        "people": people,
        "hidden": hidden,
        "posture": posture,
        "streams": done,
        **verdicts,
        "false_shown" if hidden else "false_not_shown": round(wrong / max(1, done), 4),
        "at_most_95": round(_upper(wrong, done), 4),
        "share_uncertain": round(verdicts["uncertain"] / max(1, done), 3),
        "mean_width": round(float(np.mean(widths)), 1) if widths else None,
        "reasons": dict(reasons),
    }


def _upper(wrong: int, of: int) -> float:
    """Upper end of Wilson's interval, one-sided 95 %."""
    if of == 0:
        return 1.0
    z, share = 1.645, wrong / of
    middle = share + z * z / (2 * of)
    return (middle + z * sqrt(share * (1 - share) / of + z * z / (4 * of * of))) / (1 + z * z / of)


def cells(people: Sequence[int], percents: Sequence[int]) -> Iterator[tuple[int, int]]:
    """(people, hidden) of the curve, each once: the shares in whole people, and two."""
    for each in people:
        yield from (
            (each, hidden) for hidden in sorted({0, 2, *(-(-each * share // 100) for share in percents)})
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", choices=tuple(PARTS), default="report")
    parser.add_argument("--counter", choices=("stand-in", "head-net"), default="head-net")
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--people", type=int, nargs="*", default=list(PEOPLE))
    parser.add_argument("--postures", nargs="*", choices=POSTURES, default=list(POSTURES))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--film", action="store_true")
    parser.add_argument("--lesson", action="store_true")
    chosen = parser.parse_args()
    if chosen.film:
        from models.head_net import HeadNet

        for each in film(HeadNet()):
            print(json.dumps(each))
        return
    random = np.random.default_rng(chosen.seed)
    if chosen.lesson:
        from models.head_net import HeadNet

        folder = media_folder() / "heads" / "val_room"
        real = real_lesson(folder, labelled(folder), HeadNet())
        print(json.dumps({"people": len(real.seats), "unclear": len(real.unclear), "looks": len(real.looks)}))
        for people, hidden in cells(chosen.people, HIDDEN_PERCENT):
            found = lesson_rates(real, people, hidden, chosen.streams, NEEDED_US, random)
            print(json.dumps(found), flush=True)
        return
    casts: list[Cast] = []
    for part in PARTS[chosen.part]:
        folder = media_folder() / "heads" / part
        pictures = labelled(folder)
        if chosen.counter == "stand-in":
            casts += stand_in(list(pictures.values()), random)
        else:
            casts += of_net(folder, pictures)
    results = []
    for posture, (people, hidden) in product(chosen.postures, list(cells(chosen.people, HIDDEN_PERCENT))):
        found = rates(casts, people, hidden, posture, chosen.streams, random)
        results.append(found)
        print(json.dumps(found), flush=True)
    far = [each for each in results if each["hidden"] >= max(2, -(-each["people"] // 10))]
    shown, streams = sum(each["shown"] for each in far), sum(each["streams"] for each in far)
    whole = {
        "part": chosen.part,
        "counter": chosen.counter,
        "model": asdict(DEFAULT),
        "false_shown_from_max_2_or_10_percent": [shown, streams, round(_upper(shown, streams), 4)],
        "cells": results,
    }
    print(
        json.dumps({key: whole[key] for key in ("part", "counter", "false_shown_from_max_2_or_10_percent")})
    )
    if chosen.out:
        chosen.out.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

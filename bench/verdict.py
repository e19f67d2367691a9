#!/usr/bin/env python3
"""Error rates of a class hour's verdict, on lessons made from labelled pictures with errors that persist.

    python -m bench.verdict [--part report|choose] [--counter stand-in|head-net]
                            [--persistence measured|frozen] [--streams N] [--kept FOLDER] [--out FILE]
    python -m bench.verdict --film
    python -m bench.verdict --lesson [--streams N] [--kept FOLDER]
    python -m bench.verdict --warnings [--lesson] [--people 10 30] [--streams N] [--kept FOLDER]

Needs CLASSROOM_AGENT_SHARED. A lesson takes a labelled picture's heads as its people (a group of exactly as
many neighbours as are wanted, bench/verdict_casts.py) and a detector's errors as they persist
(bench/verdict_stream.py). `head-net` takes each head's and each false place's own score from the net;
`stand-in` draws them so that recall and precision are those measured of the net's predecessor, calibrated by
construction. Hidden people are checked in and in no picture. The parameters of
`agent.visibility.error_model.ErrorModel` are chosen with `--part choose` (train_rooms); `--part report`
(val_room, val_rear) is what is published. `--film` counts the room video (13 people) with the head net;
`--lesson` judges classes of a real lesson, see bench/verdict_lesson.py; `--warnings` counts warnings of a
running lesson, see bench/verdict_warnings.py. Prints numbers only.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import product
from math import sqrt
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np

from agent.store.attendance import Expected
from agent.visibility.error_model import DEFAULT
from agent.visibility.verdict import Scene, judge
from bench.face_sets import media_folder
from bench.verdict_casts import Cast, group, of_counts, stand_in
from bench.verdict_lesson import lesson_rates, real_lesson
from bench.verdict_pictures import counted, labelled
from bench.verdict_stream import HOUR_S, NEEDED_US, Persistence, lesson
from bench.verdict_warnings import CELLS, real_warning_rates, warning_rates

PARTS: Final = {"choose": ("train_rooms",), "report": ("val_room", "val_rear")}
PEOPLE: Final = (1, 2, 5, 10, 30, 80)
HIDDEN_PERCENT: Final = (0, 1, 2, 3, 5, 10)
POSTURES: Final = ("seated", "standing")


def rates(
    casts: Sequence[Cast],
    people: int,
    hidden: int,
    posture: str,
    streams: int,
    random: np.random.Generator,
    persistence: Persistence,
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
        looks = lesson(cast, posture, random, persistence=persistence)
        found = judge(looks, (0, HOUR_S * 1_000_000), scene, NEEDED_US)
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
            (each, hidden)
            for hidden in sorted({0, 2, *(-(-each * share // 100) for share in percents)})
            if hidden <= each
        )


def is_far(people: int, hidden: int) -> bool:
    """Whether a verdict `shown` is the expensive error: from two people or a tenth hidden on, the larger, and
    where nobody of a class is there."""
    return hidden >= min(people, max(2, -(-people // 10)))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", choices=tuple(PARTS), default="report")
    parser.add_argument("--counter", choices=("stand-in", "head-net"), default="head-net")
    parser.add_argument("--persistence", choices=get_args(Persistence), default="measured")
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--people", type=int, nargs="*", default=list(PEOPLE))
    parser.add_argument("--postures", nargs="*", choices=POSTURES, default=list(POSTURES))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--kept", type=Path, help="folder that keeps what the counter found between runs")
    parser.add_argument("--film", action="store_true")
    parser.add_argument("--lesson", action="store_true")
    parser.add_argument("--warnings", action="store_true")
    chosen = parser.parse_args()
    if chosen.film:
        from bench.verdict_film import film
        from models.head_net import HeadNet

        for each in film(HeadNet()):
            print(json.dumps(each))
        return
    random = np.random.default_rng(chosen.seed)
    if chosen.lesson:
        from models.head_net import HeadNet

        folder = media_folder() / "heads" / "val_room"
        real = real_lesson(folder, labelled(folder), HeadNet(), chosen.kept)
        print(json.dumps({"people": len(real.seats), "unclear": len(real.unclear), "looks": len(real.looks)}))
        for people, hidden in cells(chosen.people, HIDDEN_PERCENT):
            if chosen.warnings:
                found = real_warning_rates(real, people, hidden, chosen.streams, HeadNet().cut, random)
            else:
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
            from models.head_net import HeadNet

            casts += of_counts(pictures, counted(folder, pictures, HeadNet(), chosen.kept))
    if chosen.warnings:
        from models.head_net import HeadNet

        for cell in (each for each in CELLS if each[0] in chosen.people):
            found = warning_rates(casts, cell, chosen.streams, HeadNet().cut, random, chosen.persistence)
            print(json.dumps(found), flush=True)
        return
    results = []
    for posture, (people, hidden) in product(chosen.postures, list(cells(chosen.people, HIDDEN_PERCENT))):
        found = rates(casts, people, hidden, posture, chosen.streams, random, chosen.persistence)
        results.append(found)
        print(json.dumps(found), flush=True)
    far = [each for each in results if is_far(each["people"], each["hidden"])]
    shown, streams = sum(each["shown"] for each in far), sum(each["streams"] for each in far)
    whole = {
        "part": chosen.part,
        "counter": chosen.counter,
        "persistence": chosen.persistence,
        "model": asdict(DEFAULT),
        "false_shown_from_max_2_or_10_percent": [shown, streams, round(_upper(shown, streams), 4)],
        "cells": results,
    }
    print(json.dumps({key: whole[key] for key in whole if key not in ("model", "cells")}))
    if chosen.out:
        chosen.out.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

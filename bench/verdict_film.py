"""The room video of thirteen people, judged with the head net's own counts. Prints numbers only."""

from __future__ import annotations

from typing import Any

import numpy as np

from agent.store.attendance import Expected
from agent.visibility.looks import Zones, look_of
from agent.visibility.seats import Head, Look
from agent.visibility.verdict import Scene, judge
from bench.face_sets import media_folder
from bench.verdict_stream import EVERY_S, HOUR_S, NEEDED_US
from models.heads import HeadCounter


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

"""One real lesson: `val_room` is fifty pictures of one lecture, 22 minutes of it, of eighty people who sit.

The clock in the pictures says so (23 February 2017, 10:37:59 to 10:59:59), and the camera stood still: the
pictures are crops at the same scale. So who is hidden stays hidden in them and a bag that looks like a head
stays one as the world has it, which no made-up stream can know. The net never saw this room.

The labels give the seats: a place where at least half of the pictures have a labelled head is a person. A
class of n is a person and the n - 1 nearest; its pictures are what the net found nearer to one of these seats
than to anybody else's. `hidden` more are expected than sit there. Places whose head is labelled in some
pictures only (people seen now and then) belong to no class and their surroundings are left out; `unclear`
says how many.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from agent.store.attendance import Expected
from agent.visibility.seats import Head, Look, gather
from agent.visibility.verdict import Scene, judge
from bench.verdict_pictures import counted, picture_of
from models.heads import HeadCounter

Floats = npt.NDArray[np.float64]

EVERY_S: Final = 15
"""The pictures come 1 to 150 s apart, most of them 5 to 30; they are played so far apart, in their order."""
CLEAR: Final = 0.5
"""Share of the pictures in which a head must be labelled for its place to be a person."""
NOBODY: Final = 0.1
"""At most this share, and it is nobody's place but a slip of the labels or somebody passing."""
SHOWN_AT: Final = {
    "00044": "57:39", "00057": "59:39", "00062": "53:16", "00083": "38:21", "00194": "56:24",
    "00251": "42:16", "00312": "45:12", "00431": "55:41", "00453": "56:30", "00460": "53:10",
    "00466": "51:19", "00501": "55:12", "00571": "52:52", "00642": "37:59", "00706": "58:58",
    "00790": "58:36", "00806": "58:06", "00892": "59:59", "00898": "58:49", "00927": "52:42",
    "00943": "56:12", "00955": "58:22", "01061": "39:29", "01084": "51:38", "01122": "54:06",
    "01138": "51:01", "01141": "59:34", "01260": "53:56", "01291": "57:50", "01432": "54:52",
    "01465": "59:29", "01480": "39:50", "01484": "54:46", "01507": "50:04", "01603": "56:40",
    "01604": "57:23", "01608": "53:15", "01639": "53:00", "01685": "43:13", "01687": "40:51",
    "01700": "56:13", "01746": "58:52", "01749": "48:01", "01750": "57:45", "01820": "55:28",
    "01842": "54:49", "01845": "54:26", "01917": "59:12", "01929": "54:50", "01982": "55:21",
}  # fmt: skip
"""Number of the picture → minute and second after ten that stand in it."""
DESK: Final = (slice(380, 600), slice(300, 560))
"""The teacher's desk in the first picture (rows, columns): by it the crops are laid over one another."""


@dataclass(frozen=True)
class RealLesson:
    """Looks and seats in one picture's coordinates, in units of its height."""

    looks: tuple[Look, ...]
    """What the counter found, in the order of time, `EVERY_S` apart."""
    seats: Floats
    """(n, 3): x, y and head size of each person."""
    unclear: Floats
    """(k, 3): of places whose head is labelled now and then."""

    def group(self, people: int, first: int) -> tuple[list[Look], Floats]:
        """The class of `people` about the person number `first`: its looks and its seats."""
        away = np.hypot(*(self.seats[:, :2] - self.seats[first, :2]).T)
        chosen = np.sort(np.argsort(away, kind="stable")[:people])
        places = np.concatenate([self.seats, self.unclear])
        mine = np.zeros(len(places), bool)
        mine[chosen] = True
        low, high = (f(self.seats[chosen, :2], axis=0) for f in (np.min, np.max))
        margin = np.median(self.seats[chosen, 2])

        def belongs(head: Head) -> bool:
            if not (low - margin <= (head.x, head.y)).all() or not ((head.x, head.y) <= high + margin).all():
                return False
            nearest = int(np.argmin(np.hypot(places[:, 0] - head.x, places[:, 1] - head.y)))
            return bool(mine[nearest])

        looks = [Look(look.at_us, tuple(filter(belongs, look.heads))) for look in self.looks]
        return looks, self.seats[chosen]


def real_lesson(
    folder: Path, labels: dict[str, Floats], counter: HeadCounter, kept: Path | None = None
) -> RealLesson:
    """Count `folder`'s pictures in the order of time. `labels`: picture → (n, 3) heads, in its heights;
    `kept`: see `verdict_pictures.counted`."""
    names = sorted(labels, key=lambda name: SHOWN_AT[name.removesuffix(".webp")[-5:]])
    first = sorted(labels)[0]
    boxes = counted(folder, names, counter, kept)
    image = picture_of(folder / first)
    pattern, unit = image[DESK], image.shape[0]
    found: list[tuple[Look, Look]] = []
    for name in names:
        image = picture_of(folder / name)
        match = cv2.matchTemplate(image, pattern, cv2.TM_CCOEFF_NORMED)
        _, likeness, _, (left, top) = cv2.minMaxLoc(match)
        if likeness < 0.9:
            raise SystemExit(f"{name}: 找不到讲台 / the desk is not found ({likeness:.2f})")
        dx, dy = DESK[1].start - left, DESK[0].start - top
        height = image.shape[0]
        at_us = len(found) * EVERY_S * 1_000_000
        heads = tuple(
            Head((x * height + dx) / unit, (y * height + dy) / unit, size * height / unit, score)
            for x, y, size, score in boxes[name].tolist()
        )
        told = tuple(
            Head((x * height + dx) / unit, (y * height + dy) / unit, size * height / unit, 0.9)
            for x, y, size in labels[name]
        )
        found.append((Look(at_us, heads), Look(at_us, told)))
    seats = gather([told for _, told in found])
    share, places = seats.seen.mean(axis=1), np.column_stack([seats.centre, seats.size])
    return RealLesson(
        tuple(look for look, _ in found),
        places[share >= CLEAR],
        places[(share < CLEAR) & (share > NOBODY)],
    )


def lesson_rates(
    lesson: RealLesson, people: int, hidden: int, streams: int, needed_us: int, random: np.random.Generator
) -> dict[str, Any]:
    """Verdicts of so many classes of the lesson with `people` checked in, `hidden` of them in no picture.
    They overlap: it is one room, and no share of it says more than that."""
    verdicts = {"shown": 0, "not_shown": 0, "uncertain": 0}
    for _ in range(streams):
        looks, _ = lesson.group(people - hidden, int(random.integers(len(lesson.seats))))
        scene = Scene([Expected(0, 2**62, people, 0)], has_teacher_zone=True)
        verdicts[judge(looks, (0, len(looks) * EVERY_S * 1_000_000), scene, needed_us).verdict] += 1
    return {"people": people, "hidden": hidden, "posture": "seated", "streams": streams, **verdicts}

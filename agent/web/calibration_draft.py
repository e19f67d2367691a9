"""Pictures that somebody counts now, in memory alone: they show people, and go once it is fitted."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any, Final

from agent import board
from agent.paths import Paths
from agent.store.heads import BoxRow
from agent.visibility.calibrating import CountedPicture

MOST_PICTURES: Final = 10
MOST_MARKS: Final = 300
MOST_PEOPLE: Final = 1000


class DraftError(ValueError):
    """What was asked for cannot be done; `code` is the word that the page explains."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class DraftPicture:
    """One picture as the watch role showed it."""

    jpeg: bytes
    at_us: int
    width: int
    height: int
    boxes: tuple[BoxRow, ...]
    detector: str
    cut: float
    """The detector's own."""
    simulated: bool
    people: int | None = None
    """As counted by a person; None: not yet."""
    missed: tuple[tuple[float, float], ...] = ()
    false: tuple[int, ...] = ()

    def as_counted(self, people: int) -> CountedPicture:
        """For the fit."""
        return CountedPicture(self.width, self.height, self.boxes, people, self.missed, self.false)


@dataclass
class CalibrationDraft:
    """What was taken and counted so far. One room, one at a time."""

    pictures: list[DraftPicture] = field(default_factory=list)

    def take(self, paths: Paths) -> None:
        """Take the newest picture of the board. DraftError without a new one."""
        picture = _newest(paths)
        if self.pictures and picture.at_us <= self.pictures[-1].at_us:
            raise DraftError("same")
        if len(self.pictures) >= MOST_PICTURES:
            raise DraftError("full")
        first = self.pictures[0] if self.pictures else picture
        if (first.width, first.height, first.detector) != (picture.width, picture.height, picture.detector):
            raise DraftError("changed")
        self.pictures.append(picture)

    def count(self, number: int, people: str, missed: str, false: str) -> None:
        """Note what somebody counted. DraftError for what is no number, no list or no such picture."""
        if not 0 <= number < len(self.pictures):
            raise DraftError("gone")
        if not (people.isascii() and people.isdecimal() and len(people) <= 4 and int(people) <= MOST_PEOPLE):
            raise DraftError("number")
        picture = self.pictures[number]
        try:
            points = tuple((float(x), float(y)) for x, y in _list(missed))
            boxes = tuple(sorted({int(each) for each in _list(false)}))
        except (TypeError, ValueError, OverflowError, RecursionError):
            raise DraftError("marks") from None
        inside = all(0 <= x <= picture.width and 0 <= y <= picture.height for x, y in points)
        if not inside or any(not 0 <= each < len(picture.boxes) for each in boxes):
            raise DraftError("marks")
        self.pictures[number] = replace(picture, people=int(people), missed=points, false=boxes)

    def counted(self) -> list[CountedPicture]:
        """Those that somebody counted."""
        return [each.as_counted(each.people) for each in self.pictures if each.people is not None]

    def clear(self) -> None:
        self.pictures.clear()


def _list(text: str) -> list[Any]:
    found = json.loads(text or "[]")
    if not isinstance(found, list) or len(found) > MOST_MARKS:
        raise ValueError("no list, or too long a one")
    return found


def _newest(paths: Paths) -> DraftPicture:
    """Picture and description of the same moment: they are two files."""
    try:
        for _ in range(3):
            about = board.read_json(paths.frames / "rear.json")
            jpeg = (paths.frames / "rear.jpg").read_bytes()
            again = board.read_json(paths.frames / "rear.json")
            if about is None:
                break
            if about == again:
                return DraftPicture(
                    jpeg,
                    int(about["at_us"]),
                    int(about["width"]),
                    int(about["height"]),
                    tuple(
                        (int(x1), int(y1), int(x2), int(y2), float(score))
                        for x1, y1, x2, y2, score in about["boxes"]
                    ),
                    str(about["detector"]),
                    float(about["cut"]),
                    about["simulated"] is not False,
                )
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        raise DraftError("nothing") from None
    raise DraftError("nothing")

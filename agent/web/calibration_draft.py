"""Pictures that somebody counts now, in memory alone: they show people, are few, and go once it is fitted or
when nobody has touched them for half an hour."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any, Final

from agent import board
from agent.clock import Clock
from agent.paths import Paths
from agent.store.heads import BoxRow
from agent.visibility.calibrating import CountedPicture

MOST_PICTURES: Final = 10
MOST_BYTES: Final = 4 << 20
"""Of one picture: at 4K the board's have less than half of it. Ten of them leave the web process small."""
KEPT_S: Final = 1800.0
"""Since somebody last took or counted one."""
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

    clock: Clock
    _pictures: list[DraftPicture] = field(default_factory=list)
    _touched_ns: int = 0
    _viewed: set[tuple[bytes, int]] = field(default_factory=set)
    """Whose session (its token's digest) has opened which picture (its time)."""

    @property
    def pictures(self) -> tuple[DraftPicture, ...]:
        """Those that are still kept, oldest first."""
        self.expire()
        return tuple(self._pictures)

    def take(self, paths: Paths) -> None:
        """Take the newest picture of the board. DraftError without a new one."""
        picture, taken = _newest(paths), self.pictures
        if taken and picture.at_us <= taken[-1].at_us:
            raise DraftError("same")
        if len(taken) >= MOST_PICTURES:
            raise DraftError("full")
        first = taken[0] if taken else picture
        if (first.width, first.height, first.detector) != (picture.width, picture.height, picture.detector):
            raise DraftError("changed")
        self._pictures.append(picture)
        self._touched_ns = self.clock.now().monotonic_ns

    def is_first_view(self, digest: bytes, picture: DraftPicture) -> bool:
        """Whether this session has not opened it yet: then it is to be recorded before it is shown."""
        return (digest, picture.at_us) not in self._viewed

    def note_view(self, digest: bytes, picture: DraftPicture) -> None:
        """It was recorded."""
        self._viewed.add((digest, picture.at_us))

    def expire(self) -> None:
        """Forget everything that nobody has touched for `KEPT_S`."""
        if self.clock.now().monotonic_ns - self._touched_ns >= KEPT_S * 1e9:
            self.clear()

    def count(self, number: int, people: str, missed: str, false: str) -> None:
        """Note what somebody counted. DraftError for what is no number, no list or no such picture."""
        taken = self.pictures
        if not 0 <= number < len(taken):
            raise DraftError("gone")
        if not (people.isascii() and people.isdecimal() and len(people) <= 4 and int(people) <= MOST_PEOPLE):
            raise DraftError("number")
        picture = taken[number]
        try:
            points = tuple((float(x), float(y)) for x, y in _list(missed))
            boxes = tuple(sorted({int(each) for each in _list(false)}))
        except (TypeError, ValueError, OverflowError, RecursionError):
            raise DraftError("marks") from None
        inside = all(0 <= x <= picture.width and 0 <= y <= picture.height for x, y in points)
        if not inside or any(not 0 <= each < len(picture.boxes) for each in boxes):
            raise DraftError("marks")
        self._pictures[number] = replace(picture, people=int(people), missed=points, false=boxes)
        self._touched_ns = self.clock.now().monotonic_ns

    def counted(self) -> list[CountedPicture]:
        """Those that somebody counted."""
        return [each.as_counted(each.people) for each in self.pictures if each.people is not None]

    def clear(self) -> None:
        self._pictures.clear()
        self._viewed.clear()


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
            with (paths.frames / "rear.jpg").open("rb") as file:
                jpeg = file.read(MOST_BYTES + 1)
            again = board.read_json(paths.frames / "rear.json")
            if about is None:
                break
            if len(jpeg) > MOST_BYTES:
                raise DraftError("large")
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
    except DraftError:
        raise
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        raise DraftError("nothing") from None
    raise DraftError("nothing")

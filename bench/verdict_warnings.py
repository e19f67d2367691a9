"""Live warnings of lessons made from labelled pictures: how often there is one when people vanish in
mid-lesson, and how often with everybody there.

A lesson is `bench.verdict_stream`'s; half-way some people are in no picture any more, or sit elsewhere. The
watch's own `RoomNow` gets look after look, as fast as it would.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from agent.visibility.doubts import Doubt, Sight, doubt
from agent.visibility.error_model import DEFAULT
from agent.visibility.live import EVERY_US, LessonNow, RoomNow
from agent.visibility.seats import Look
from bench.verdict_casts import Cast, group
from bench.verdict_lesson import RealLesson
from bench.verdict_stream import Persistence, lesson

SECONDS: Final = 1200
AFTER_US: Final = 120_000_000
"""`warn_after_seconds` as HR's configuration has it unless they change it."""
WITHIN_US: Final = 300_000_000
"""A warning that comes so long after somebody vanished is in time: `AFTER_US` and three minutes."""
CELLS: Final = (
    (10, 0, 0), (10, 1, 0), (10, 2, 0), (10, 0, 2),
    (30, 0, 0), (30, 2, 0), (30, 3, 0), (30, 4, 0), (30, 0, 3),
)  # fmt: skip
"""(people, who vanish, who change seats)."""


def warned(looks: Sequence[Look], people: int, cut: float) -> Iterator[tuple[int, str, str, str]]:
    """At each reckoning of the watch: time, and the kind of doubt by the bounds, by places, and by the counts
    alone ('' for none)."""
    room, counts = RoomNow(), list[Sight]()
    now = LessonNow("s", people, 0, walking=False, has_teacher_zone=True, aspect=16 / 9)
    reckoned_us = -EVERY_US
    for look in looks:
        room.see(look, now, DEFAULT)
        seen = sum(head.probability >= cut for head in look.heads)
        counts.append(Sight(look.at_us, seen, seen, people))
        if look.at_us - reckoned_us < EVERY_US:
            continue
        reckoned_us = look.at_us
        certain = doubt(room.sights, look.at_us, AFTER_US)
        plain = doubt(counts[-200:], look.at_us, AFTER_US)
        yield look.at_us, _kind(certain), _kind(room.likely(AFTER_US)), _kind(plain)


def _kind(found: Doubt | None) -> str:
    return "" if found is None else found.kind


def vanishing(
    cast: Cast, people: int, vanish: int, change: int, random: np.random.Generator, persistence: Persistence
) -> list[Look]:
    """A lesson whose last `vanish` people are gone from the middle on, and `change` sit on other seats."""
    stay = people - vanish - change
    first = lesson(Cast(cast.people[:stay], cast.false), "seated", random, SECONDS, persistence)
    nobody = np.zeros((0, 4))
    before = lesson(Cast(cast.people[stay:people], nobody), "seated", random, SECONDS, persistence)
    after = lesson(
        Cast(cast.people[people : people + change], nobody), "seated", random, SECONDS, persistence
    )
    half_us = SECONDS // 2 * 1_000_000
    return [
        Look(each.at_us, (*each.heads, *(early if each.at_us < half_us else late).heads))
        for each, early, late in zip(first, before, after, strict=True)
    ]


def warning_rates(
    casts: Sequence[Cast],
    cell: tuple[int, int, int],
    streams: int,
    cut: float,
    random: np.random.Generator,
    persistence: Persistence,
) -> dict[str, Any]:
    """What is warned of in so many lessons of the cell."""
    people, vanish, change = cell
    fitting = [cast for cast in casts if len(cast.people) >= people + change]
    tally = _Tally()
    for _ in range(streams):
        cast = group(fitting[random.integers(len(fitting))], people + change, random)
        if cast is not None:
            order = np.concatenate([random.permutation(people), np.arange(people, people + change)])
            shuffled = Cast(cast.people[order], cast.false)
            looks = vanishing(shuffled, people, vanish, change, random, persistence)
            tally.add(list(warned(looks, people, cut)), SECONDS // 2 * 1_000_000, vanish)
    return {"people": people, "vanish": vanish, "change_seats": change, **tally.rates()}


def real_warning_rates(
    real: RealLesson, people: int, vanish: int, streams: int, cut: float, random: np.random.Generator
) -> dict[str, Any]:
    """The same of classes of the real lesson, twelve minutes long; who vanishes does so after seven."""
    tally, from_us = _Tally(), 420_000_000
    for _ in range(streams):
        looks, seats = real.group(people, int(random.integers(len(real.seats))))
        gone = seats[random.permutation(people)[:vanish]]
        played = [
            Look(
                look.at_us,
                tuple(h for h in look.heads if look.at_us < from_us or not _sits(h.x, h.y, gone, seats)),
            )
            for look in looks
        ]
        tally.add(list(warned(played, people, cut)), from_us, vanish)
    return {"real": True, "people": people, "vanish": vanish, **tally.rates()}


def _sits(x: float, y: float, gone: np.ndarray, seats: np.ndarray) -> bool:
    """Whether a head at (x, y) is nearer to one of those who are gone than to anybody else."""
    nearest = seats[int(np.argmin(np.hypot(seats[:, 0] - x, seats[:, 1] - y)))]
    return bool((gone[:, :2] == nearest[:2]).all(axis=1).any())


class _Tally:
    """Warnings over lessons."""

    def __init__(self) -> None:
        self._lessons = self._found = self._found_certain = self._late = 0
        self._false = {"certain": 0, "places": 0, "counts": 0}
        self._begun = 0

    def add(self, said: Sequence[tuple[int, str, str, str]], from_us: int, vanish: int) -> None:
        """`vanish` people were gone from `from_us` on."""
        self._lessons += 1
        due = [each for each in said if from_us <= each[0] <= from_us + WITHIN_US]
        if vanish:
            self._found += any(places or certain == "fewer_visible" for _, certain, places, _ in due)
            self._found_certain += any(certain == "fewer_visible" for _, certain, _, _ in due)
            self._late += any(places for at_us, _, places, _ in said if at_us >= from_us)
        wrong = [each for each in said if not vanish or each[0] < from_us]
        for number, name in enumerate(self._false, start=1):
            self._false[name] += any(each[number] for each in wrong)
        places = [bool(each[2]) for each in wrong]
        self._begun += sum(b and not a for a, b in zip([False, *places], places, strict=False))

    def rates(self) -> dict[str, Any]:
        return {
            "lessons": self._lessons,
            "warned_in_time": self._found,
            "of_these_certain": self._found_certain,
            "warned_ever": self._late,
            "with_a_false_warning": dict(self._false),
            "false_warnings_by_places": self._begun,
        }

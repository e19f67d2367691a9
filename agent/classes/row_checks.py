"""What no entry of a class document shows by itself: the same person twice, ages, overlapping lessons."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from agent import id_number

if TYPE_CHECKING:
    from agent.classes.document import ClassHead, PlannedSession, Teacher, Trainee

LONGEST_CLASS: Final = timedelta(days=730)

Location = tuple[int | str, ...]
Disagreement = tuple[Location, str, Location]
"""Section, index from 0 and key; what is wrong there, bilingual and without anybody's data; and the entry
that it is at odds with, () where it is none."""


def disagreements(
    head: ClassHead | None,
    trainees: Mapping[int, Trainee],
    teachers: Mapping[int, Teacher],
    sessions: Mapping[int, PlannedSession],
) -> Iterator[Disagreement]:
    """Every contradiction between entries, each of which is good by itself; keys are their indices."""
    yield from _people_twice(trainees, teachers)
    if head is not None:
        yield from _ages(head, trainees)
        yield from _outside(head, sessions)
    yield from _overlaps(sessions)


def _people_twice(trainees: Mapping[int, Trainee], teachers: Mapping[int, Teacher]) -> Iterator[Disagreement]:
    numbers: dict[str, Location] = {}
    names: dict[str, list[str | None]] = {}
    for section, people in (("trainees", trainees), ("teachers", teachers)):
        for index, person in people.items():
            if person.id_number in numbers:
                where, earlier = (section, index, "id_number"), numbers[person.id_number]
                yield where, "身份证号重复，与之相同的是 / the same ID number as in", earlier
            elif person.id_number is not None:
                numbers[person.id_number] = (section, index)
            same_name = names.setdefault(person.name, [])
            if same_name and (person.id_number is None or None in same_name):
                yield (
                    (section, index, "name"),
                    "同名者须各填身份证号 / people of the same name need their ID numbers, each of them",
                    (),
                )
            same_name.append(person.id_number)


def _ages(head: ClassHead, trainees: Mapping[int, Trainee]) -> Iterator[Disagreement]:
    for index, trainee in trainees.items():
        if trainee.id_number is None or trainee.age is None:
            continue
        true_age = id_number.age_on(trainee.id_number, head.opening_day)
        # Rosters are filled in weeks ahead, and 虚岁 is still counted: one year either way is no error.
        if abs(trainee.age - true_age) > 1:
            yield ("trainees", index, "age"), "年龄与身份证号不符 / does not agree with the ID number", ()


def _outside(head: ClassHead, sessions: Mapping[int, PlannedSession]) -> Iterator[Disagreement]:
    for index, session in sessions.items():
        if not head.opening_day <= session.start.date() <= head.opening_day + LONGEST_CLASS:
            yield (
                ("sessions", index, "start"),
                f"{session.start:%Y-%m-%d} 不在开班日 {head.opening_day} 之后两年内 / "
                "is not within two years after opening_day",
                (),
            )


def _overlaps(sessions: Mapping[int, PlannedSession]) -> Iterator[Disagreement]:
    """One class is in one place at a time, whatever the room."""
    ordered = sorted(sessions.items(), key=lambda item: item[1].start)
    for (first, earlier), (second, later) in itertools.pairwise(ordered):
        if later.start < earlier.end:
            yield (
                ("sessions", second, "start"),
                f"课程时间重叠，前一节课 {earlier.end:%Y-%m-%d %H:%M} 才结束 / "
                "overlaps the lesson that ends then",
                ("sessions", first),
            )

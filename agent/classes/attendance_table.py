"""The attendance table of a class as data: a cell a trainee and class hour, its sums and its head counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from agent.classes.attendance_rules import AttendanceRules
from agent.classes.class_hours import ClassHour
from agent.classes.presence import Reason
from agent.policy import PolicySet
from agent.store.attendance import Correction
from agent.store.classes import Person, Session, TrainingClass

State = Literal[
    "attended", "late", "left_early", "absent", "excused", "made_up", "void", "undecided", "not_yet",
    "not_asked", "not_joined",
]  # fmt: skip
COUNTS: Final[frozenset[State]] = frozenset({"attended", "late", "left_early", "made_up"})
"""What counts as attended. `excused` does not: no notice knows an excuse, only a make-up lesson (R5).
`not_joined` is the `absent` of who was not in the class then."""

Key = tuple[str, int]
"""(session, number of the class hour)."""


@dataclass(frozen=True, slots=True)
class HeldHour:
    """A class hour of the class on this node, planned or held."""

    session: Session
    hour: ClassHour
    is_over: bool

    @property
    def key(self) -> Key:
        return self.session.id, self.hour.number


@dataclass(frozen=True, slots=True)
class Cell:
    """One trainee's one class hour."""

    state: State
    at_least: bool
    """Counts as attended, whatever is still decided."""
    at_most: bool
    """Would count if all that is undecided were decided so."""
    in_place: tuple[bool, bool]
    """The same two without make-up lessons: really in the room at that hour (R16, R17)."""
    reasons: tuple[Reason, ...] = ()
    correction: Correction | None = None
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class Between:
    """A number that people's decisions can still move."""

    at_least: int
    at_most: int

    @property
    def is_certain(self) -> bool:
        return self.at_least == self.at_most


@dataclass(frozen=True, slots=True)
class TraineeAttendance:
    """One row of the table."""

    person: Person
    cells: Mapping[Key, Cell]
    required: int
    """Class hours that were held for this trainee, make-up lessons not among them."""
    attended: Between
    made_up: int
    void: int


@dataclass(frozen=True, slots=True)
class OpeningHeadCount:
    """R16: who was really there on the opening day."""

    day: str
    lessons: int
    trainees: Between


@dataclass(frozen=True, slots=True)
class AverageHeadCount:
    """R17: `attendances` / `hours` trainees were in place in a class hour on average."""

    hours: int
    attendances: Between

    def mean(self) -> tuple[float, float]:
        """Least and most, to two places."""
        return round(self.attendances.at_least / self.hours, 2), round(
            self.attendances.at_most / self.hours, 2
        )


@dataclass(frozen=True, slots=True)
class ClassAttendance:
    """Everything about the attendance of a class on this node."""

    training_class: TrainingClass
    policy: PolicySet
    rules: AttendanceRules
    hours: tuple[HeldHour, ...]
    """In the order of time, make-up lessons among them; cancelled lessons are not."""
    trainees: tuple[TraineeAttendance, ...]
    """By name; who left the class last."""
    opening: OpeningHeadCount | None
    """None where no lesson was held here on the opening day."""
    average: AverageHeadCount | None
    """None before the first theory or practical class hour was held."""
    examined: Between | None
    """参加考核人数: who attended an examination; None before one was held."""
    simulated: bool
    """Something of it rests on a camera that is not a live one (I9)."""

    @property
    def current(self) -> tuple[TraineeAttendance, ...]:
        """Who is still on the list: the class's rate is theirs."""
        return tuple(each for each in self.trainees if each.person.left_us is None)

    @property
    def required(self) -> int:
        return sum(each.required for each in self.current)

    @property
    def attended(self) -> Between:
        """Of the class: trainee class hours."""
        return total(each.attended for each in self.current)

    @property
    def is_approved(self) -> bool:
        """Without an approval its hours do not count (R22)."""
        return bool(self.training_class.approval)


def total(numbers: Iterable[Between]) -> Between:
    """The sum of what decisions can still move: each may go its own way."""
    listed = list(numbers)
    return Between(sum(each.at_least for each in listed), sum(each.at_most for each in listed))

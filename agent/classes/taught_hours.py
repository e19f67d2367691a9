"""How many class hours of a class were taught on this node, for rules that count them (R10, R12, R21).

Whether a class hour that was shorter than the notices let it be still counts is HR's decision, and of an hour
in a lesson to which nobody checked in, and in which nobody was counted, only the timetable speaks: both stand
between what was surely taught and what at most was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from agent.classes.attendance_table import Between
from agent.classes.held import hours_as_held
from agent.store.classes import Session, SessionKind
from agent.store.database import Store

COURSE: Final[tuple[SessionKind, ...]] = ("theory", "practical", "examination")
"""What a course consists of; a make-up lesson repeats some of it for some."""


@dataclass(frozen=True, slots=True)
class ShortHour:
    """A class hour that was held for less than the notices demand."""

    session: Session
    number: int
    held_us: int


@dataclass(frozen=True, slots=True)
class TaughtHours:
    """Class hours of lessons that were held here, make-up lessons among them."""

    full: Mapping[SessionKind, int]
    unproven: Mapping[SessionKind, int]
    """Of full length by opening and closing alone."""
    short: tuple[ShortHour, ...]
    not_held: int
    """Of lessons that ended before them, or in an empty room."""

    @property
    def count(self) -> int:
        return sum(self.full.values()) + sum(self.unproven.values()) + len(self.short)

    def of(self, *kinds: SessionKind) -> Between:
        """Surely taught, and at most."""
        full = sum(self.full.get(kind, 0) for kind in kinds)
        unproven = sum(self.unproven.get(kind, 0) for kind in kinds)
        short = sum(each.session.kind in kinds for each in self.short)
        return Between(full, full + unproven + short)


def taught_hours(
    store: Store, sessions: Iterable[Session], attended: Container[str], least_us: int, now_us: int
) -> TaughtHours:
    """Of the closed ones of `sessions`. `attended`: ids of the lessons to which somebody checked in;
    `least_us`: the shortest class hour that the notices allow (0: none is named)."""
    full: Counter[SessionKind] = Counter()
    unproven: Counter[SessionKind] = Counter()
    short: list[ShortHour] = []
    not_held = 0
    for session in sessions:
        if session.state != "closed":
            continue
        for each in hours_as_held(store, session, least_us, now_us):
            if each.standing == "short":
                short.append(ShortHour(session, each.hour.number, each.held_us))
            elif each.standing != "held":
                not_held += 1
            elif each.counted or session.id in attended:
                full[session.kind] += 1
            else:
                unproven[session.kind] += 1
    return TaughtHours(full, unproven, tuple(short), not_held)


def planned_hours(sessions: Iterable[Session], *kinds: SessionKind) -> int:
    """Class hours of the lessons of these kinds, by their plan."""
    return sum(session.class_hours for session in sessions if session.kind in kinds)

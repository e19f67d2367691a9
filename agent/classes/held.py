"""Which class hours of a lesson were held: the plan's borders, and what the device knows of what happened.

A class hour counts only for time within its own borders. A lesson that begins early or overruns gives its
class hours no more time, one that begins late or ends early takes it from those at its ends, and what was
lost of one is never made good by another. Whoever wants the time of an overrun counted extends the lesson in
the timetable, or enters afterwards when it was held (agent/classes/as_held.py), which is a record. Attendance
goes by the same (agent/classes/attendance.py): who checks in during an overrun has attended none of the class
hours, and nobody surely was where nobody was counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from agent.classes.class_hours import MINUTE_US, ClassHour, class_hours
from agent.store import heads
from agent.store.classes import Session
from agent.store.database import Store

EMPTY_US = 5 * MINUTE_US
"""Nobody counted for so long is an empty room; shorter is a count that missed who was there."""

Standing = Literal["held", "short", "not_held", "not_yet"]


@dataclass(frozen=True, slots=True)
class HourAsHeld:
    """A class hour and how much of it the lesson was on."""

    hour: ClassHour
    held_us: int
    standing: Standing
    """`short`: shorter than the class's notices let a class hour be (R10)."""
    counted: bool
    """Heads were counted in it. If not, only opening and closing of the lesson are known."""


def hours_as_held(store: Store, session: Session, least_us: int, now_us: int) -> tuple[HourAsHeld, ...]:
    """The class hours of `session`; `least_us`: the shortest class hour that counts (R10; 0: none is named).

    Held is the time between its opening and its closing, without stretches of `EMPTY_US` and more in which
    every picture that was counted showed nobody. Where nothing was counted nothing is taken off.
    """
    counts = heads.counted_at(store, session.id)
    empty = empty_stretches(counts)
    return tuple(_as_held(session, hour, counts, empty, least_us, now_us) for hour in class_hours(session))


def _as_held(
    session: Session,
    hour: ClassHour,
    counts: Sequence[tuple[int, int]],
    empty: Sequence[tuple[int, int]],
    least_us: int,
    now_us: int,
) -> HourAsHeld:
    counted = any(hour.start_us <= at_us < hour.end_us for at_us, _ in counts)
    if session.state == "cancelled":
        return HourAsHeld(hour, 0, "not_held", counted)
    if session.opened_us is None:
        return HourAsHeld(hour, 0, "not_yet" if now_us < hour.end_us else "not_held", counted)
    start_us = max(hour.start_us, session.opened_us)
    end_us = min(hour.end_us, now_us if session.closed_us is None else session.closed_us)
    held_us = max(0, end_us - start_us)
    held_us -= sum(max(0, min(end_us, last) - max(start_us, first)) for first, last in empty)
    held_us = max(0, held_us)
    if session.state == "open" and now_us < hour.end_us:
        return HourAsHeld(hour, held_us, "not_yet", counted)
    if held_us == 0:
        return HourAsHeld(hour, 0, "not_held", counted)
    return HourAsHeld(hour, held_us, "held" if held_us >= least_us else "short", counted)


def empty_stretches(counts: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Stretches of at least `EMPTY_US` of which every count is 0, from the first such count to the last. What
    lies between a count of nobody and one of somebody is nobody's proof, nor what lies between two
    counts farther apart than an empty room must last."""
    found: list[tuple[int, int]] = []
    first: int | None = None
    last = 0
    for at_us, counted in counts:
        if counted == 0:
            if first is not None and at_us - last > EMPTY_US:
                found.append((first, last))
                first = None
            first, last = (at_us if first is None else first), at_us
        elif first is not None:
            found.append((first, last))
            first = None
    if first is not None:
        found.append((first, last))
    return [(begin, end) for begin, end in found if end - begin >= EMPTY_US]

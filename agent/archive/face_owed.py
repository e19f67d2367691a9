"""What a class still owes when its planned hours were held, for which its people come to a door once more: an
examination that its notices want under the check-in device (R4), lessons that its trainees missed and may
make up until the final examination (R5). Neither need be entered in the timetable by then (I7).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from agent.archive.face_need import DAY_US
from agent.classes.attendance import attendance_of
from agent.classes.make_up_standing import MISSED
from agent.classes.rules import rules_of
from agent.policy import Policies, PolicyError
from agent.store import classes
from agent.store.courses import Course
from agent.store.database import Store
from agent.store.trainings import Training

OWED_US: Final = 90 * DAY_US
"""So long after the last lesson faces wait for what is owed, if HR do not say the end before: a quarter. No
notice says when an examination is at the latest, and most of what was missed is never made up."""

Owed = Literal["examination", "make_up"]


@dataclass(frozen=True, slots=True)
class Debt:
    """Of one class."""

    until_us: int
    """When nothing is waited for any more."""
    examination: bool
    """All of its people are asked to it."""
    to_make_up: frozenset[str]
    """Ids of the trainees who may make something up, and of the class's teachers while any may: a lesson is
    opened by who teaches it."""

    def of(self, person_id: str) -> Owed | None:
        """What this person is waited for."""
        if self.examination:
            return "examination"
        return "make_up" if person_id in self.to_make_up else None


def debt_of(
    store: Store, policies: Policies, training: Training, course: Course, now_us: int, *, simulated: bool
) -> Debt | None:
    """What a class that held its planned hours owes at `now_us`, a vouched time; None where that is nothing,
    it never held them, HR said its end or the wait is over. `simulated`: as in `attendance_of`."""
    if training.stated_day is not None or not course.has_held_its_hours(now_us):
        return None
    until_us = course.last_end_us(now_us) + OWED_US
    is_examined = any(each.kind == "examination" for each in course.held(now_us))
    if until_us <= now_us or is_examined:
        return None
    try:
        rules = rules_of(training, policies)
    except (PolicyError, ValueError):
        return Debt(until_us, examination=True, to_make_up=frozenset())  # nobody knows: kept, for so long
    if rules.demands("examination_video"):
        return Debt(until_us, examination=True, to_make_up=frozenset())
    if not rules.demands("make_up_counts"):
        return None
    found = attendance_of(store, rules, training.class_id, simulated=simulated)
    missed = frozenset(
        each.person.id for each in found.current if any(cell.state in MISSED for cell in each.cells.values())
    )
    people = classes.people_of(store, training.class_id) if missed else []
    teachers = frozenset(each.id for each in people if each.role == "teacher")
    return Debt(until_us, examination=False, to_make_up=missed | teachers)

"""Until when a class needs its people's faces at a door: the judgement alone (I7).

Footage asks when a training ended, years later. Faces go within weeks of that, so here a course is over only
when its hours were held or HR say so: between two lessons, the next not entered yet, nothing is destroyed.
What it may still owe then is asked beside (agent.archive.face_owed).
"""

from __future__ import annotations

from datetime import date
from typing import Final

from agent.archive.entitlement import last_day, local_day, midnight_us
from agent.store.attendance import NO_END
from agent.store.courses import Course
from agent.store.trainings import Training

DAY_US: Final = 86_400_000_000
QUIET_US: Final = 180 * DAY_US
"""A course that was broken off, or whose hours were never all entered, is forgotten after half a year without
a lesson: longer than any summer break, and no face stays for ever because nobody said the end (I7)."""


AHEAD_US: Final = 730 * DAY_US
"""No lesson or opening day further ahead of what was is believed: a wrong digit would keep faces for ever."""


def needed_until_us(training: Training, course: Course, now_us: int, grace_us: int) -> int | None:
    """When the faces of a class's people are to go, UTC microseconds; None while no end is in sight.

    `now_us` is a vouched time: what a clock stamped later than that was stamped by a wrong one.
    """
    if training.on_hold:
        return None
    if training.stated_day is not None and isinstance(last := last_day(training), date):
        return midnight_us(last) + grace_us
    over = course.held(now_us)
    last_us = course.last_end_us(now_us)
    was = [*([last_us] if over else []), *([course.imported_us] if course.imported_us <= now_us else [])]
    ahead_us = max(was) + AHEAD_US if was else NO_END
    if any(
        each not in over and min(each.planned_end_us + QUIET_US, ahead_us) > now_us for each in course.lessons
    ):
        return None
    if course.has_held_its_hours(now_us):
        return midnight_us(local_day(last_us)) + grace_us
    signs = [min(midnight_us(date.fromisoformat(course.opening_day)), ahead_us), *was]
    return max(signs) + max(grace_us, QUIET_US)

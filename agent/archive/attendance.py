"""Attendance as records: the opening head count the day after, the training's rates and average at its end.

The archive does it because it may take its time: a class is reckoned anew when a fact speaks of it, and all
of them once an hour, because days pass without any. At most one class a step. Nothing is stated by a clock
that nobody answers for (I8): a wrong year would end every opening day.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from agent.archive.part import Word
from agent.classes.attendance import attendance_of
from agent.classes.attendance_statement import parts_due, state_anew
from agent.classes.rules import rules_of
from agent.clock import Stamp
from agent.log import get_logger
from agent.policy import PolicyError, shipped_policies
from agent.role import RoleContext
from agent.store import attendance_records as table
from agent.store import classes, courses, trainings
from agent.store.clock import vouch
from agent.store.courses import Course
from agent.store.database import Store
from agent.store.trainings import Training

ROUND_NS: Final = 20_000_000_000
ALL_NS: Final = 3_600_000_000_000
SETTLED_US: Final = 3_600_000_000
"""So long after a training's end it is stated: entries by PIN are mostly confirmed by then."""

QUIET_US: Final = 30 * 86_400_000_000
"""A course that held fewer hours than were planned, and no final examination, is stated so long after its
last lesson, unless HR state its end before."""

log = get_logger(__name__)


class AttendanceBook:
    """Part of the archive."""

    name = "attendance"

    def __init__(self, context: RoleContext) -> None:
        self._context = context
        self._due: deque[str] = deque()
        self._seen_fact: int | None = None
        self._next_ns = 0
        self._all_ns: int | None = None
        self._refused: dict[str, str] = {}

    def step(self, store: Store, stamp: Stamp) -> Word:
        if vouch(store, stamp) is None:
            return Word()
        self._look(store, stamp)
        if self._due:
            self._state(store, stamp, self._due.popleft())
        if not self._refused:
            return Word()
        class_id, error = next(iter(self._refused.items()))
        return Word("fault", f"班次 {class_id} 适用的文件找不到，到课无法统计", f"class {class_id}: {error}")

    def close(self) -> None:
        """Nothing runs between steps."""

    def _look(self, store: Store, stamp: Stamp) -> None:
        """Which classes something was stated of since the last look; each hour, all of them."""
        now_ns = stamp.monotonic_ns
        if now_ns < self._next_ns:
            return
        self._next_ns = now_ns + ROUND_NS
        newest = table.newest_fact(store)
        if self._seen_fact is None or self._all_ns is None or now_ns - self._all_ns >= ALL_NS:
            self._all_ns = now_ns
            found = [each.id for each in classes.training_classes(store)]
        else:
            found = table.classes_spoken_of(store, self._seen_fact, newest)
        self._seen_fact = newest
        self._due = deque(dict.fromkeys([*self._due, *found]))

    def _state(self, store: Store, stamp: Stamp, class_id: str) -> None:
        training_class = classes.training_class(store, class_id)
        if training_class is None:
            return
        try:
            policy = rules_of(training_class, shipped_policies())
        except PolicyError as error:
            self._refused[class_id] = str(error)
            return
        self._refused.pop(class_id, None)
        simulated = self._context.settings.simulated
        attendance = attendance_of(store, policy, class_id, simulated=simulated)
        course = courses.courses(store).get(class_id)
        is_over = course is not None and any(
            each.class_id == class_id and _is_over(each, course, stamp) for each in trainings.trainings(store)
        )
        stated = {each.part for each in table.statements(store, class_id)}
        for part in parts_due(attendance, stamp.wall_us, training_is_over=is_over, stated=stated):
            made = state_anew(store, stamp, attendance, part, simulated=simulated)
            if made is not None:
                log.info("attendance.stated", part=part, statement=made.id, because=list(made.because))


def _is_over(training: Training, course: Course, stamp: Stamp) -> bool:
    """Not between two lessons of which the next is not entered yet: what is stated of a training holds its
    class to HR's rules of that day, and each lesson after it would state it anew."""
    if training.end_us is None or training.open_sessions:
        return False
    if training.stated_day is not None:
        return stamp.wall_us >= training.end_us + SETTLED_US
    if training.planned_sessions:
        return False
    held = course.held(stamp.wall_us)
    is_whole = course.has_held_its_hours(stamp.wall_us) or (held and held[-1].kind == "examination")
    return stamp.wall_us >= training.end_us + (SETTLED_US if is_whole else QUIET_US)

"""How far each class's course is: what was planned of it, and its lessons as they stand here. Queries only;
whether its people are needed at a door any more is judged by `agent.archive.face_need`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from agent.store.classes import SessionKind, SessionState
from agent.store.database import Store

_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class CourseLesson:
    """A lesson that was neither called off nor entered by mistake. UTC microseconds."""

    kind: SessionKind
    state: SessionState
    is_elsewhere: bool
    """In a room that another device films: this one never learns whether it was held."""
    class_hours: int
    planned_end_us: int
    closed_us: int | None


@dataclass(frozen=True, slots=True)
class Course:
    """A class's course."""

    opening_day: str
    """YYYY-MM-DD, Asia/Shanghai."""
    imported_us: int
    hours_in_rooms: int
    """Class hours planned, those on an online platform left out."""
    lessons: list[CourseLesson] = field(default_factory=list)
    """By their planned start."""

    def held(self, now_us: int) -> list[CourseLesson]:
        """Lessons that are over: here, and elsewhere by the plan."""
        return [
            each
            for each in self.lessons
            if each.state == "closed" or (each.is_elsewhere and each.planned_end_us <= now_us)
        ]

    def last_end_us(self, now_us: int) -> int:
        """When the last lesson that is over ended; closed further from its plan than a day is what a wrong
        clock says. 0 without one."""
        ends = (
            max(each.planned_end_us, min(each.closed_us or 0, each.planned_end_us + _DAY_US))
            for each in self.held(now_us)
        )
        return max(ends, default=0)

    def has_held_its_hours(self, now_us: int) -> bool:
        """Whether as many hours as were planned in rooms are over; examinations count, which some plans count
        in and which come last."""
        held = sum(each.class_hours for each in self.held(now_us) if each.kind != "make_up")
        return held >= self.hours_in_rooms > 0


def courses(store: Store) -> dict[str, Course]:
    """Every class → its course."""
    found = {
        row["id"]: Course(row["opening_day"], row["imported_us"], row["hours"])
        for row in store.rows(
            "SELECT id, opening_day, imported_us, planned_hours - coalesce(online_hours, 0) AS hours"
            " FROM class"
        )
    }
    for row in store.rows(
        "SELECT s.class_id, s.kind, s.state, s.class_hours, s.planned_end_us, s.closed_us,"
        " EXISTS (SELECT 1 FROM json_each(c.other_rooms) o WHERE o.value = s.room) AS is_elsewhere"
        " FROM session s JOIN class c ON c.id = s.class_id WHERE s.state <> 'cancelled'"
        " AND s.close_reason IS NOT 'clock_was_wrong' ORDER BY s.planned_start_us, s.id"
    ):
        found[row["class_id"]].lessons.append(
            CourseLesson(
                row["kind"],
                row["state"],
                bool(row["is_elsewhere"]),
                row["class_hours"],
                row["planned_end_us"],
                row["closed_us"],
            )
        )
    return found

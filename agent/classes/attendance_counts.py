"""Head counts that follow from the attendance table: opening (R16), average (R17), examination (annex 3)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from agent.classes.attendance_table import (
    AverageHeadCount,
    Between,
    HeldHour,
    OpeningHeadCount,
    TraineeAttendance,
)
from agent.classes.document import SHANGHAI


def day_of(at_us: int) -> str:
    """YYYY-MM-DD in the classroom."""
    return f"{datetime.fromtimestamp(at_us / 1_000_000, UTC).astimezone(SHANGHAI):%Y-%m-%d}"


def opening(
    day: str, hours: Sequence[HeldHour], trainees: Sequence[TraineeAttendance]
) -> OpeningHeadCount | None:
    """Who left the class later was there all the same."""
    held = [h for h in hours if h.is_over and h.session.kind != "make_up"]
    that_day = [h for h in held if day_of(h.hour.start_us) == day]
    if not that_day:
        return None
    return OpeningHeadCount(day, len({h.session.id for h in that_day}), _distinct(that_day, trainees))


def average(hours: Sequence[HeldHour], trainees: Sequence[TraineeAttendance]) -> AverageHeadCount | None:
    lessons = [h for h in hours if h.is_over and h.session.kind in ("theory", "practical")]
    if not lessons:
        return None
    cells = [each.cells[h.key] for h in lessons for each in trainees]
    counted = Between(sum(cell.in_place[0] for cell in cells), sum(cell.in_place[1] for cell in cells))
    return AverageHeadCount(len(lessons), counted)


def examined(hours: Sequence[HeldHour], trainees: Sequence[TraineeAttendance]) -> Between | None:
    examinations = [h for h in hours if h.is_over and h.session.kind == "examination"]
    return _distinct(examinations, trainees) if examinations else None


def _distinct(hours: Sequence[HeldHour], trainees: Sequence[TraineeAttendance]) -> Between:
    """Trainees who were in place in at least one of the class hours."""
    at_least, at_most = (
        sum(any(each.cells[h.key].in_place[which] for h in hours) for each in trainees) for which in (0, 1)
    )
    return Between(at_least, at_most)

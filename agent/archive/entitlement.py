"""Which footage may go, and from when on: the judgement alone, over rows that others read (R8, I1).

Wherever something is not known the answer is to keep. A wrong deletion cannot be made good; footage kept too
long costs disk.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from agent.archive.footage_time import TrueTime
from agent.classes.rules import rules_of
from agent.policy import Policies, PolicyError
from agent.store.trainings import Lesson, Training

ZONE = ZoneInfo("Asia/Shanghai")
ROLL_US = 3_600_000_000
"""Footage so near to a lesson is the lesson's: the most that the settings allow for pre-roll and post-roll.
Not what they say today: whoever made them smaller would turn old footage into footage of no lesson."""
LONGEST_YEARS = 10
"""The most that HR can ask for: what footage is kept that nobody can place."""
PROMPT_US = 600_000_000
"""A row made later than this after its footage was made from the file alone: by a sweep after a lost or
restored database, which need not know the lesson."""

Subject = Literal["video_retention", "check_in_record_retention"]
Basis = Literal["training_ended", "no_session", "unplaced"]
Why = Literal["open", "planned", "hold", "no_end", "policy", "time_unknown", "unreported"]


@dataclass(frozen=True, slots=True)
class Due:
    """Retention ends at `due_us`."""

    due_us: int
    basis: Basis
    classes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """Nothing here may go, for now without an end."""

    why: Why
    classes: tuple[str, ...]


Judgement = Due | Kept


@dataclass(frozen=True, slots=True)
class Years:
    """What HR's configuration in force asks for."""

    video: int
    check_in: int
    unscheduled_days: int


def last_day(training: Training) -> date | Why:
    """The last day of a class's training; why it has none that counts."""
    if training.on_hold:
        return "hold"
    if training.open_sessions:
        return "open"
    if training.planned_sessions and training.stated_day is None:
        return "planned"
    ends = [] if training.end_us is None else [local_day(training.end_us)]
    if training.stated_day is not None:
        ends.append(date.fromisoformat(training.stated_day))
    return max(ends) if ends else "no_end"


def judge_class(training: Training, subject: Subject, hr_years: int, policies: Policies) -> Judgement:
    """When the evidence of a class may go: after its training's end, the longer of the policy's years and
    HR's (R8)."""
    only = (training.class_id,)
    last = last_day(training)
    if not isinstance(last, date):
        return Kept(last, only)
    try:
        policy = rules_of(training, policies)
    except (PolicyError, ValueError):
        return Kept("policy", only)
    years = policy.number(subject)
    if years is None:
        return Kept("policy", only)
    # A notice may one day ask for half a year more: rounded up, never down.
    return Due(midnight_us(years_after(last, max(-int(-years // 1), hr_years))), "training_ended", only)


class Entitlement:
    """Judges segments against the classes and lessons of one reading of the database."""

    def __init__(
        self,
        trainings: Sequence[Training],
        lessons: Sequence[Lesson],
        policies: Policies,
        years: Years,
        *,
        timetable_us: int | None,
        unreported_us: int | None,
    ) -> None:
        """`lessons` by their start. `timetable_us`: from when on the database surely knew the timetable.
        `unreported_us`: the oldest statement that is not signed, or not confirmed by every receiver."""
        self._years = years
        self._timetable_us = timetable_us
        self._unreported_us = unreported_us
        self.classes: Mapping[str, Judgement] = {
            training.class_id: judge_class(training, "video_retention", years.video, policies)
            for training in trainings
        }
        self._lessons = lessons
        self._starts = [lesson.start_us for lesson in lessons]
        self._longest_us = max((lesson.end_us - lesson.start_us for lesson in lessons), default=0)

    def judge(
        self, room: str, when: TrueTime | None, claimed: TrueTime | None = None, *, is_prompt: bool
    ) -> Judgement:
        """What becomes of footage of `room`. `claimed`: what its stamps say, where that is not the true time:
        lessons were opened by that very clock, so theirs count, too. `is_prompt`: its row was made as it was
        recorded."""
        if when is None:
            return Kept("time_unknown", ())
        if self._unreported_us is not None and when.end_us >= self._unreported_us:
            return Kept("unreported", ())
        lessons = [*self._lessons_at(room, when), *(self._lessons_at(room, claimed) if claimed else ())]
        classes = tuple(sorted({lesson.class_id for lesson in lessons}))
        judged = [self.classes[class_id] for class_id in classes]
        kept = [judgement for judgement in judged if isinstance(judgement, Kept)]
        if kept:
            return Kept(kept[0].why, classes)
        dues = [judgement.due_us for judgement in judged if isinstance(judgement, Due)]
        if when.start_us is None:  # it can be of any lesson before, or of one that nobody told us
            longest_us = midnight_us(years_after(local_day(when.end_us), LONGEST_YEARS))
            return Due(max(longest_us, *dues) if dues else longest_us, "unplaced", classes)
        if dues:
            # Never sooner than the years after the footage itself, whatever a lesson's rows say.
            own_us = midnight_us(years_after(local_day(when.end_us), self._years.video))
            return Due(max(own_us, *dues), "training_ended", classes)
        if not is_prompt or self._timetable_us is None or when.start_us < self._timetable_us:
            return Due(midnight_us(years_after(local_day(when.end_us), LONGEST_YEARS)), "unplaced", ())
        after = local_day(when.end_us) + timedelta(days=self._years.unscheduled_days)
        return Due(midnight_us(after), "no_session", ())

    def _lessons_at(self, room: str, when: TrueTime) -> Iterable[Lesson]:
        until = bisect_left(self._starts, when.end_us + ROLL_US)
        first = 0
        if when.start_us is not None:
            first = bisect_left(self._starts, when.start_us - ROLL_US - self._longest_us)
        for lesson in self._lessons[first:until]:
            if lesson.room == room and (when.start_us is None or lesson.end_us + ROLL_US > when.start_us):
                yield lesson


def is_prompt(end_us: int, stated_us: int) -> bool:
    """Whether a segment's row was made as the recorder closed it, and not from the file later."""
    return abs(stated_us - end_us) <= PROMPT_US


def local_day(wall_us: int) -> date:
    """The day in the classroom."""
    return datetime.fromtimestamp(wall_us / 1_000_000, UTC).astimezone(ZONE).date()


def years_after(day: date, years: int) -> date:
    """The same day `years` later; 1 March after a 29 February."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)


def midnight_us(day: date) -> int:
    """The end of `day` in the classroom: retention covers it whole."""
    after = day + timedelta(days=1)
    return round(datetime(after.year, after.month, after.day, tzinfo=ZONE).timestamp() * 1_000_000)

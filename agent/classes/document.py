"""The class document: what HR staff hand in as TOML, XLSX and CSV or by remote configuration, checked whole.

A roster with one bad row is refused as a whole, with every bad row named, so that nobody is left out
unnoticed. Problems name row and column and never repeat an ID or telephone number (I6).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Annotated, Final, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)
from pydantic_core import PydanticCustomError

from agent import id_number
from agent.classes import document_values as values
from agent.classes import row_checks
from agent.classes.class_hours import MINUTE_US, breaks_between, breaks_problem, cut_hours, shortest_us
from agent.classes.document_values import Breaks, IdNumber, OptionalText, PersonName, Phone, Text
from agent.settings import Identifier
from agent.store.classes import SessionKind

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
MOST_PEOPLE: Final = 500
"""Bound against abuse, far above any class; the policy's own limit (R11) is a warning."""
MOST_SESSIONS: Final = 1000
LONGEST_SESSION: Final = timedelta(hours=12)

ROWS_DISAGREE: Final = "rows_disagree"
"""pydantic error type of a document whose rows contradict one another; its context lists them."""


def _local_time(value: datetime) -> datetime:
    """A time without offset is China's; an instant with one is that instant."""
    return value.replace(tzinfo=SHANGHAI) if value.tzinfo is None else value.astimezone(SHANGHAI)


LocalTime = Annotated[datetime, AfterValidator(_local_time)]


class _Section(BaseModel):
    # hide_input: a traceback of pydantic's must not carry anybody's ID number into a log.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, allow_inf_nan=False)


class ClassHead(_Section):
    """The class itself (roster annexes 1, 2 and 4)."""

    id: Identifier
    title: Text
    institution_name: OptionalText = ""
    occupation: Text
    """培训专业(工种)及级别."""
    term_number: OptionalText = ""
    """班期数, given by the HR department (R22)."""
    approval: OptionalText = ""
    """Reference of the approval; empty: hours do not count yet (R22)."""
    city: Annotated[Identifier, BeforeValidator(values.city)]
    opening_day: date
    planned_hours: Annotated[int, Field(ge=1, le=2000)]
    """All class hours, theory and practical, online ones too."""
    practical_hours: Annotated[int, Field(ge=0, le=2000)]
    online_hours: Annotated[int, Field(ge=0, le=2000)] = 0
    workplaces: Annotated[int, Field(ge=1, le=1000)] | None = None
    other_rooms: Annotated[tuple[Identifier, ...], BeforeValidator(values.rooms), Field(max_length=50)] = ()
    """Rooms of the timetable that another device films. Any other room than the device's own is a mistake:
    its lessons would be filmed by nobody, or look unscheduled here and be deleted after 30 days."""
    schedule: Literal["白天班", "晚上班", "假日班", "其他"] = "白天班"
    ends_in_training_certificate: bool = True
    """培训合格证书: the minimum course length holds (R21)."""
    hours_fixed_elsewhere: bool = False
    """有明确学时规定: R21's exception."""

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if self.practical_hours + self.online_hours > self.planned_hours:
            raise ValueError(
                f"practical_hours {self.practical_hours} + online_hours {self.online_hours}: "
                f"超过总课时 / more than planned_hours {self.planned_hours}"
            )
        return self


class Trainee(_Section):
    """A row of the roster. Sex, age, telephone and group are checked and NOT kept: the device needs none
    of them for its evidence."""

    name: PersonName
    sex: Annotated[Literal["男", "女"] | None, BeforeValidator(values.empty_to_none)] = None
    age: Annotated[Annotated[int, Field(ge=14, le=100)] | None, BeforeValidator(values.empty_to_none)] = None
    id_number: Annotated[IdNumber | None, BeforeValidator(values.empty_to_none)] = None
    phone: Annotated[Phone | None, BeforeValidator(values.empty_to_none)] = None
    group: Annotated[str | None, BeforeValidator(values.group), BeforeValidator(values.empty_to_none)] = None

    @model_validator(mode="after")
    def _known_group(self) -> Self:
        if self.group is not None and self.group not in values.GROUPS:
            raise ValueError(f"group: 群体类别应为 / expected one of ①..⑤ {'、'.join(values.GROUPS)}")
        if self.id_number is not None and self.sex not in (None, id_number.sex_of(self.id_number)):
            raise ValueError("sex: 性别与身份证号不符 / does not agree with the ID number")
        return self


class Teacher(_Section):
    """授课教师; checks in like a trainee (R15)."""

    name: PersonName
    id_number: Annotated[IdNumber | None, BeforeValidator(values.empty_to_none)] = None


class PlannedSession(_Section):
    """One lesson of the timetable. Times without offset are Asia/Shanghai."""

    room: Identifier
    kind: SessionKind
    start: LocalTime
    end: LocalTime
    class_hours: Annotated[int, Field(ge=1, le=24)]
    breaks: Breaks = 0
    makes_up: Annotated[tuple[str, ...], BeforeValidator(values.makes_up), Field(max_length=24)] = ()
    """Of a make-up lesson in a timetable by itself: the lessons that it stands for by their planned start, or
    one class hour of such a lesson, `2026-11-21 08:30:2`."""

    @model_validator(mode="after")
    def _make_up(self) -> Self:
        if self.makes_up and self.kind != "make_up":
            raise ValueError("makes_up: 只有补课可填补哪次课 / only a make-up lesson stands for another")
        if not all(values.MISSED.match(each) for each in self.makes_up):
            raise ValueError(
                "makes_up: 补哪次课写作 2026-11-21 08:30，或某一课时 2026-11-21 08:30:2，用、分开 / "
                "expected lessons by their start, 2026-11-21 08:30, or one class hour, 2026-11-21 08:30:2"
            )
        return self

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if not timedelta(0) < self.end - self.start <= LONGEST_SESSION:
            raise ValueError(
                f"end = {self.end:%Y-%m-%d %H:%M}: 应晚于开始且不超过12小时 / "
                "expected after start and within 12 hours of it"
            )
        problem = breaks_problem(self.start_us, self.end_us, self.class_hours, self.breaks_us)
        if problem is not None:
            raise ValueError(f"breaks: {problem[0]} / {problem[1]}")
        return self

    @property
    def breaks_us(self) -> tuple[tuple[int, int], ...]:
        """The breaks as instants."""
        if isinstance(self.breaks, int):
            if self.breaks == 0:
                return ()
            return breaks_between(self.start_us, self.end_us, self.class_hours, self.breaks * MINUTE_US)
        return tuple((self._instant_us(begin), self._instant_us(end)) for begin, end in self.breaks)

    def _instant_us(self, moment: time) -> int:
        """`moment` on the lesson's day, or the next where the lesson runs over midnight."""
        first = microseconds(datetime.combine(self.start.date(), moment.replace(tzinfo=None), SHANGHAI))
        return first if first >= self.start_us else first + 86_400_000_000

    @property
    def shortest_hour_us(self) -> int:
        """Length of its shortest class hour."""
        return shortest_us(cut_hours(self.start_us, self.end_us, self.class_hours, self.breaks_us))

    @property
    def start_us(self) -> int:
        return microseconds(self.start)

    @property
    def end_us(self) -> int:
        return microseconds(self.end)


Trainees = Annotated[tuple[Trainee, ...], Field(min_length=1, max_length=MOST_PEOPLE)]


class Roster(_Section):
    """The trainees alone, of a class that stands in another file. Their ages wait for its opening day."""

    trainees: Trainees

    @model_validator(mode="after")
    def _rows_agree(self) -> Self:
        _require_agreement(row_checks.disagreements(None, dict(enumerate(self.trainees)), {}, {}))
        return self


class Timetable(_Section):
    """Lessons alone, of a class that is here already."""

    sessions: Annotated[tuple[PlannedSession, ...], Field(min_length=1, max_length=MOST_SESSIONS)]

    @model_validator(mode="after")
    def _rows_agree(self) -> Self:
        _require_agreement(row_checks.disagreements(None, {}, {}, dict(enumerate(self.sessions))))
        return self


class ClassDocument(_Section):
    """A class with its people and its timetable, whole."""

    training_class: Annotated[ClassHead, Field(alias="class")]
    trainees: Trainees
    teachers: Annotated[tuple[Teacher, ...], Field(max_length=MOST_PEOPLE)] = ()
    sessions: Annotated[tuple[PlannedSession, ...], Field(max_length=MOST_SESSIONS)] = ()

    @model_validator(mode="after")
    def _no_make_ups_yet(self) -> Self:
        if any(session.makes_up for session in self.sessions):
            raise ValueError(
                "sessions: 补哪次课请在课程表导入中填写 / what a make-up lesson stands for "
                "comes with a timetable by itself (timetable import)"
            )
        return self

    @model_validator(mode="after")
    def _rows_agree(self) -> Self:
        _require_agreement(
            row_checks.disagreements(
                self.training_class,
                dict(enumerate(self.trainees)),
                dict(enumerate(self.teachers)),
                dict(enumerate(self.sessions)),
            )
        )
        return self


def _require_agreement(disagreements: Iterable[row_checks.Disagreement]) -> None:
    found = list(disagreements)
    if found:
        raise PydanticCustomError(
            ROWS_DISAGREE, "{count} rows contradict one another", {"count": len(found), "rows": found}
        )


def microseconds(moment: datetime) -> int:
    """UTC microseconds since 1970, exact."""
    return (moment - datetime(1970, 1, 1, tzinfo=ZoneInfo("UTC"))) // timedelta(microseconds=1)

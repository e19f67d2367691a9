"""The supervision section of the subsidy form (过程监管, annex 3 of 豫技领办〔2023〕12号), filled in here.

It is filled in from this device's own records, for the inspector to check and sign. What people saw
(agent/classes/inspections.py) stands beside what the door knows of the same moment. What only people know
stays empty, and so do the places for signatures. Numbers alone: nobody's name is on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from agent.classes.attendance_counts import day_of
from agent.classes.attendance_table import ClassAttendance
from agent.classes.attendance_text import NOT_COUNTED, SIMULATED, between_text
from agent.classes.inspections import ON_SITE, average_in_place
from agent.classes.lesson_plan import local
from agent.clock import Stamp
from agent.store import classes, inspections, rule_facts
from agent.store.attendance import expected_over
from agent.store.classes import Session
from agent.store.database import Store
from agent.store.inspections import Inspection, Kind

Text = tuple[str, str]
"""Chinese, English."""
TITLE: Final = ("过程监管情况表", "Supervision form")
NUMBER: Final = "豫技领办〔2023〕12号 附件3"
OPENING: Final = ("开班当日检查情况", "Inspection on the opening day")
DURING: Final = ("培训期间检查情况", "Inspections during the training")
VISIT_HEADS: Final[tuple[Text, ...]] = (
    ("时间", "Time"),
    ("地点", "Place"),
    ("师资情况", "Teachers"),
    ("学员出勤情况", "Trainees' attendance"),
    ("检查人员签字", "Inspector's signature"),
)
KINDS: Final[dict[Kind, Text]] = {
    "opening": ("开班检查", "opening day"),
    "on_site": ("实地检查", "on site"),
    "random": ("随机抽查", "random"),
    "remote": ("远程巡查", "remote"),
}
EMPTY: Final = ("", "")
EMPTY_VISITS: Final = 2
"""Rows for inspections that are still to come, filled in by hand."""


@dataclass(frozen=True, slots=True)
class Form:
    """One class's form. An entry is what is asked, and what this device says to it."""

    head: tuple[tuple[Text, Text], ...]
    opening: tuple[tuple[Text, Text], ...]
    visits: tuple[tuple[Text, ...], ...]
    """By `VISIT_HEADS`, in the order of time."""
    closing: tuple[tuple[Text, Text], ...]
    notes: tuple[Text, ...]


def filled_in(store: Store, attendance: ClassAttendance, stamp: Stamp, *, simulated: bool) -> Form:
    """The form as the records are now. `simulated` as for the attendance table."""
    found = attendance.training_class
    entered = inspections.inspections(store, found.id)
    on_paper = [visit for visit in entered if visit.kind != "opening"]
    enrolled = len(attendance.current)
    now = f"{local(stamp.wall_us):%Y-%m-%d %H:%M}"
    notes: list[Text] = [
        (f"由教室终端按本机记录填写，{now}；请检查人员核对后签字。",
         f"Filled in by the classroom device from its records, {now}; for the inspector to check and sign."),
    ]  # fmt: skip
    if not attendance.is_approved:
        notes.append(NOT_COUNTED)
    if attendance.simulated:
        notes.append(SIMULATED)
    return Form(
        (
            (("培训班次", "Class"), _same(f"{found.title} {found.id}".strip())),
            (("开班日期", "Opening day"), _same(found.opening_day)),
            (("期数与批准文号", "Term and approval"), _same(f"{found.term_number} {found.approval}".strip())),
        ),
        _opening(store, attendance, [visit for visit in entered if visit.kind == "opening"], simulated),
        (*(_visit(store, visit, enrolled) for visit in on_paper), *[(EMPTY,) * 5] * EMPTY_VISITS),
        _closing(attendance, entered),
        tuple(notes),
    )


def _opening(
    store: Store, attendance: ClassAttendance, seen: Sequence[Inspection], simulated: bool
) -> tuple[tuple[Text, Text], ...]:
    found, enrolled = attendance.training_class, len(attendance.current)
    counted: Text = (f"在册 {enrolled} 人", f"{enrolled} on the list")
    for visit in seen:
        when = f"{local(visit.at_us):%Y-%m-%d %H:%M}"
        counted = (
            f"{counted[0]}；{when} 检查时在位 {visit.in_place} 人、教师 {visit.teachers} 人",
            f"{counted[1]}; {visit.in_place} in place and {visit.teachers} teachers at the look of {when}",
        )
    that_day = {
        held.session.id: held.session
        for held in attendance.hours
        if day_of(held.hour.start_us) == found.opening_day and held.session.kind != "make_up"
    }
    checked_in: Text = ("当日本机没有已结束的课", "no lesson was held here that day")
    if attendance.opening is not None:
        number = between_text(attendance.opening.trainees)
        lessons = attendance.opening.lessons
        checked_in = (
            f"当日 {lessons} 次课，实到 {number} 人（R16）",
            f"{lessons} lessons that day, {number} trainees were really there (R16)",
        )
    kept = _kept(store, found.id, [*that_day.values()], enrolled, simulated)
    return (
        (("学员人数", "Trainees"), counted),
        (("签到情况", "Check-ins"), checked_in),
        (("培训资料留存情况", "Material kept"), kept),
        (("检查人员签字", "Inspector's signature"), EMPTY),
    )


def _kept(store: Store, class_id: str, lessons: Sequence[Session], enrolled: int, simulated: bool) -> Text:
    judged = rule_facts.continuity(store, class_id, simulated=simulated)
    sums = [judged[session.id] for session in lessons if session.id in judged]
    hours = sum(session.class_hours for session in lessons)
    short, known = sum(each.hours_not_met for each in sums), sum(each.hours for each in sums)
    attended = rule_facts.lessons_with_check_in(store, class_id, simulated=simulated)
    with_door = sum(session.id in attended for session in lessons)
    whole, unjudged = known - short, hours - known
    return (
        f"名册 {enrolled} 人；有签到记录的课 {with_door} 次；录像：当日 {hours} 课时，"
        f"达到要求 {whole}，未达到 {short}，尚未判定 {unjudged}",
        f"roster of {enrolled}; {with_door} lessons with check-in records; video of {hours} class hours that "
        f"day: {whole} as demanded, {short} not, {unjudged} not judged yet",
    )


def _visit(store: Store, visit: Inspection, enrolled: int) -> tuple[Text, ...]:
    when, kind = local(visit.at_us), KINDS[visit.kind]
    session = _lesson_at(store, visit)
    trainees = teachers = None
    if session is not None:
        for step in expected_over(store, session.id):
            if step.from_us <= visit.at_us < step.until_us:
                trainees, teachers = step.trainees, step.teachers
    return (
        (f"{when:%Y年%m月%d日 %H:%M} {kind[0]}", f"{when:%Y-%m-%d %H:%M} {kind[1]}"),
        EMPTY if session is None else _same(session.room),
        _beside(("在场教师", "teachers there"), visit.teachers, teachers),
        _beside((f"在册 {enrolled} 人，在位", f"{enrolled} on the list, in place"), visit.in_place, trainees),
        EMPTY,
    )


def _beside(what: Text, seen: int, at_the_door: int | None) -> Text:
    """What people saw, and what the door knew then."""
    if at_the_door is None:
        return f"{what[0]} {seen} 人", f"{what[1]}: {seen}"
    return (
        f"{what[0]} {seen} 人；当时已签到 {at_the_door} 人",
        f"{what[1]}: {seen}; checked in then: {at_the_door}",
    )


def _lesson_at(store: Store, visit: Inspection) -> Session | None:
    found = classes.sessions(
        store,
        class_id=visit.class_id,
        from_us=visit.at_us,
        until_us=visit.at_us + 1,
        states=("open", "closed"),
    )
    return next((each for each in found if not each.was_planned_again), None)


def _closing(attendance: ClassAttendance, entered: Sequence[Inspection]) -> tuple[tuple[Text, Text], ...]:
    on_site = [visit for visit in entered if visit.kind in ON_SITE]
    average, mean = average_in_place(list(entered)), "—"
    if attendance.average is not None:
        least, most = attendance.average.mean()
        mean = f"{least:.2f}" if least == most else f"{least:.2f}–{most:.2f}"
    seen = "—" if average is None else f"{average:.2f}"
    examined = "—" if attendance.examined is None else between_text(attendance.examined)
    return (
        (
            ("检查情况是否在职业培训信息化管理系统填报", "Entered in the provincial system"),
            ("□ 是　□ 否", "□ yes  □ no"),
        ),
        (
            ("平均出勤人数", "Average attendance"),
            (
                f"实地检查在位平均 {seen}（{len(on_site)} 次）；按签到各课时平均 {mean}",
                f"in place at {len(on_site)} on-site inspections: {seen}; by check-ins, of each class hour: "
                f"{mean}",
            ),
        ),
        (("参加考核人数", "Took part in the examination"), _same(examined)),
    )


def _same(text: str) -> Text:
    return text, text


def sheet_of(form: Form) -> dict[str, Any]:
    """What agent/classes/attendance_workbook.py writes. Plain JSON."""
    rows: list[list[Any]] = [[" / ".join(TITLE), None, None, None, NUMBER]]
    merges = ["A1:D1"]

    def entries(of: Sequence[tuple[Text, Text]], title: Text | None = None) -> None:
        if title is not None:
            rows.append([[" / ".join(title), "head", None]])
            merges.append(f"A{len(rows)}:E{len(rows)}")
        for name, value in of:
            rows.append([[" / ".join(name), "head", None], _both(value)])
            merges.append(f"B{len(rows)}:E{len(rows)}")

    entries(form.head)
    entries(form.opening, OPENING)
    entries((), DURING)
    rows.append([[" / ".join(name), "head", None] for name in VISIT_HEADS])
    rows += [[_both(cell) for cell in visit] for visit in form.visits]
    entries(form.closing)
    for note in form.notes:
        rows.append([_both(note)])
        merges.append(f"A{len(rows)}:E{len(rows)}")
    widths = {"A": 26, "B": 18, "C": 26, "D": 34, "E": 24}
    return {
        "title": "过程监管",
        "rows": rows,
        "heads": 1,
        "freeze": None,
        "widths": widths,
        "merges": merges,
        "is_form": True,
    }


def _both(text: Text) -> str:
    return text[0] if text[0] == text[1] else f"{text[0]}\n{text[1]}"

"""The supervision form of annex 3: what people saw beside what the door knew, empty where a pen belongs."""

from __future__ import annotations

import io
import json

import openpyxl
import pytest

from agent.classes.attendance_workbook import workbook
from agent.classes.inspections import enter, withdraw
from agent.classes.supervision_form import EMPTY, Form, filled_in, sheet_of
from agent.store.database import Store
from tests.classes.attending import CLASS, Roll, at
from tests.clocks import ManualClock


@pytest.fixture
def roll(store: Store, clock: ManualClock) -> Roll:
    """A class whose first lesson has three trainees on the list, of whom two came."""
    clock.wall_us = at("2025-06-01 12:00")
    made = Roll(store, opening_day="2025-05-05")
    first = made.lesson("2025-05-05 08:00")
    made.answer(first, "A", 0)
    made.answer(first, "B", 5)
    made.judge(first, "met", "not_met")
    second = made.lesson("2025-05-06 08:00", kind="examination")
    made.answer(second, "A", 0)
    return made


def form(roll: Roll, clock: ManualClock) -> Form:
    return filled_in(roll.store, roll.attendance(), clock.now(), simulated=False)


def look(roll: Roll, clock: ManualClock, kind: str, moment: str, in_place: int, teachers: int) -> str:
    made = enter(roll.store, clock.now(), CLASS, kind, moment, in_place, teachers, simulated=False)
    return made.id


@pytest.mark.rule("R16")
@pytest.mark.rule("R17")
@pytest.mark.rule("R18")
def test_it_is_filled_in_from_the_records_and_signed_by_hand(roll: Roll, clock: ManualClock) -> None:
    look(roll, clock, "opening", "2025-05-05 08:20", 2, 1)
    wrong = look(roll, clock, "on_site", "2025-05-06 08:10", 3, 1)
    withdraw(roll.store, clock.now(), CLASS, wrong, simulated=False)
    look(roll, clock, "random", "2025-05-06 08:10", 2, 1)
    look(roll, clock, "remote", "2025-05-07 20:00", 0, 0)
    made = form(roll, clock)
    opening = {name[0]: value[0] for name, value in made.opening}
    assert opening == {
        "学员人数": "在册 3 人；2025-05-05 08:20 检查时在位 2 人、教师 1 人",
        "签到情况": "当日 1 次课，实到 2 人（R16）",
        "培训资料留存情况": "名册 3 人；有签到记录的课 1 次；录像：当日 2 课时，"
        "达到要求 1，未达到 1，尚未判定 0",
        "检查人员签字": "",
    }
    random, remote, *empty = made.visits
    assert [cell[0] for cell in random] == [
        "2025年05月06日 08:10 随机抽查",
        "R101",
        "在场教师 1 人；当时已签到 0 人",
        "在册 3 人，在位 2 人；当时已签到 1 人",
        "",
    ]
    assert [cell[1] for cell in remote][1:3] == ["", "teachers there: 0"], "no lesson was on then"
    assert all(cell == EMPTY for visit in empty for cell in visit) and empty
    closing = {name[0]: value[0] for name, value in made.closing}
    assert closing["检查情况是否在职业培训信息化管理系统填报"] == "□ 是　□ 否", "only people know"
    assert closing["平均出勤人数"] == "实地检查在位平均 2.00（2 次）；按签到各课时平均 2.00"
    assert closing["参加考核人数"] == "1"
    assert not any("学员A" in text for row in (*made.opening, *made.visits) for cell in row for text in cell)


def test_a_class_without_lessons_inspections_or_approval_says_so(store: Store, clock: ManualClock) -> None:
    clock.wall_us = at("2025-06-01 12:00")
    made = form(Roll(store, opening_day="2025-05-05", approval=""), clock)
    assert dict(made.opening)["签到情况", "Check-ins"][0] == "当日本机没有已结束的课"
    assert dict(made.closing)["参加考核人数", "Took part in the examination"] == ("—", "—")
    assert any("not approved" in english for _, english in made.notes)


def test_as_a_workbook_it_is_ruled_and_runs_nothing(roll: Roll, clock: ManualClock) -> None:
    roll.store.execute("UPDATE class SET title = '=1+1'")
    look(roll, clock, "on_site", "2025-05-06 08:10", 2, 1)
    content = json.loads(json.dumps([sheet_of(form(roll, clock))]))
    sheet = openpyxl.load_workbook(io.BytesIO(workbook(content))).worksheets[0]
    texts = {str(cell.value): cell for row in sheet.iter_rows() for cell in row if cell.value is not None}
    assert texts["=1+1 C1"].data_type == "s"
    assert any(text.startswith("2025年05月06日 08:10 实地检查\n") for text in texts)
    signature = next(cell for text, cell in texts.items() if text.startswith("检查人员签字"))
    assert signature.border.left.style == "thin"
    assert "A1:D1" in {str(area) for area in sheet.merged_cells.ranges}

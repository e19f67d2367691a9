"""Timetables as schools' spreadsheets have them: what is clear is taken, all else named with its remedy."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from agent.classes.lesson_plan import LessonPlan, said
from tests.classes.test_timetable_file import HEAD, bad, read, times, workbook

DAY = date(2027, 3, 1)


def row(**cells: Any) -> list[Any]:
    """A good row but for `cells`, by heading."""
    good = {"日期": DAY, "开始": "08:30", "结束": "11:30", "类型": "理论", "教室": None, "课时": 4}
    return [({**good, **cells}).get(label) for label in HEAD]


def plan_of(path: Path) -> LessonPlan:
    (plan,) = read(path)
    return plan


def csv_file(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def at(moment: str) -> datetime:
    """A spreadsheet's date and time."""
    return datetime.fromisoformat(moment)


# --- what schools write -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cells",
    [
        {"日期": "２０２７-０３-０１", "开始": "０８：３０", "结束": "１１：３０", "课时": "４"},
        {"日期": "２０２７－３－１", "教室": "ｒｏｏｍ－１０１"},
        {"日期": "2027-3-1"},
        {"日期": "2027.3.1"},
        {"日期": "2027年3月1日"},
        {"日期": "2027-03-01 00:00:00"},
        {"日期": at("2027-03-01T00:00")},
        {"类型": "理论课"},
        {"课时": "4课时"},
        {"课时": "４ 学时"},
        {"开始": at("2027-03-01T08:30"), "结束": at("2027-03-01T11:30")},
        {"开始": "2027-03-01 08:30", "结束": "2027/3/1 11:30:00"},
    ],
)
def test_what_is_clear_is_the_same_lesson(tmp_path: Path, cells: dict[str, Any]) -> None:
    plan = plan_of(workbook(tmp_path / "t.xlsx", row(**cells)))
    assert (times(plan), plan.kind, plan.class_hours) == ("2027-03-01 08:30-11:30", "theory", 4)
    assert plan.room == "room-101"


def test_breaks_and_kinds_in_full_width(tmp_path: Path) -> None:
    plan = plan_of(workbook(tmp_path / "t.xlsx", row(类型="实操课", 课间="０９：１５～０９：２５")))
    assert plan.kind == "practical" and "09:15-09:25" in said(plan)
    assert len(plan_of(workbook(tmp_path / "t.xlsx", row(课间="１０分钟"))).breaks) == 3


@pytest.mark.parametrize("titles", [1, 2, 3])
def test_titles_may_stand_above_the_headings(tmp_path: Path, titles: int) -> None:
    path = workbook(tmp_path / "t.xlsx", row())
    book = openpyxl.load_workbook(path)
    page = book.active
    assert page is not None
    page.insert_rows(1, titles)
    page["A1"] = "2027年春季课程表"
    page.merge_cells("A1:G1")
    page.cell(titles + 2, 3).value = "游戏"
    book.save(path)
    assert any(f"row {titles + 2} 结束 = '游戏'" in line for line in bad(path)), "rows are the sheet's"
    page.cell(titles + 2, 3).value = "11:30"
    book.save(path)
    assert times(plan_of(path)) == "2027-03-01 08:30-11:30"


def test_a_title_above_a_csv_is_a_title_whatever_separates_the_columns(tmp_path: Path) -> None:
    for mark in ",;\t":
        lines = ("2027年春季课程表,,,,", "日期,开始,结束,类型,课时", "2027-3-1,8:30,11:30,理论课,4课时")
        path = csv_file(tmp_path / "t.csv", *(line.replace(",", mark) for line in lines))
        assert times(plan_of(path)) == "2027-03-01 08:30-11:30"
    path = csv_file(
        tmp_path / "t.csv", "课程表", "Date,Start,End,Kind,Class hours", "2027-3-1,8:30,11:30,理论,4"
    )
    assert times(plan_of(path)) == "2027-03-01 08:30-11:30", "as in English"


def test_a_lesson_above_the_headings_is_no_title(tmp_path: Path) -> None:
    path = workbook(tmp_path / "t.xlsx", HEAD, row(日期="2027-03-02"), head=row())
    assert any("row 1" in line and "title" in line and "标题" in line for line in bad(path)), bad(path)


# --- what is not clear ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        ({"日期": "3月1日"}, ("日期 = '3月1日'", "2026-11-20")),
        ({"日期": "27-3-1"}, ("日期 = '27-3-1'", "2026-11-20")),
        ({"日期": "2027-3/1"}, ("日期 = '2027-3/1'",)),
        ({"日期": "2027-02-30"}, ("日期 = '2027-02-30'",)),
        ({"日期": at("2027-03-01T08:30")}, ("日期 = '2027-03-01 08:30:00'", "day alone")),
        ({"开始": "上午8:30"}, ("开始 = '上午8:30'", "08:30")),
        ({"开始": "8点半"}, ("开始 = '8点半'", "08:30")),
        ({"开始": "8:3"}, ("开始 = '8:3'", "08:30")),
        ({"开始": "0830"}, ("开始 = '0830'", "08:30")),
        ({"开始": "08:30+09:00"}, ("开始 = '08:30+09:00'", "08:30")),
        ({"开始": "24:00", "结束": "次日01:00"}, ("开始 = '24:00'", "日期")),
        ({"开始": "次日 08:30"}, ("开始 = '次日 08:30'", "日期")),
        ({"结束": "25:00"}, ("结束 = '25:00'", "11:30")),
        ({"结束": "9999-12-31 24:00"}, ("结束 = '9999-12-31 24:00'",)),
        ({"结束": "11:60"}, ("结束 = '11:60'",)),
        ({"结束": "次日24:00"}, ("结束 = '次日24:00'",)),
        ({"课时": "第4课时"}, ("class_hours = '第4课时'", "整数")),
        ({"课时": "4小时"}, ("class_hours = '4小时'", "整数")),
        ({"课时": "1²"}, ("class_hours = '1²'", "整数")),
        ({"课时": "①"}, ("class_hours = '①'", "整数")),
        ({"课时": "3-4课时"}, ("class_hours = '3-4课时'", "整数")),
        ({"课间": time(9, 15)}, ("breaks = '09:15:00'", "09:15-09:25")),
        ({"类型": "理论实操课"}, ("kind = '理论实操课'",)),
    ],
)
def test_what_is_not_clear_is_named_with_row_column_value_and_remedy(
    tmp_path: Path, cells: dict[str, Any], says: tuple[str, ...]
) -> None:
    problems = bad(workbook(tmp_path / "t.xlsx", row(日期="2027-03-05"), row(**cells)))
    assert len(problems) == 1, problems
    assert "row 3" in problems[0] and "第 3 行" in problems[0] and " / " in problems[0]
    for words in says:
        assert words in problems[0], problems


@pytest.mark.parametrize(
    ("cells", "column", "value"),
    [
        ({"开始": at("2027-03-02T08:30"), "结束": at("2027-03-02T11:30")}, "开始", "2027-03-02 08:30"),
        ({"开始": "2027-03-02 08:30"}, "开始", "2027-03-02 08:30"),
        ({"开始": "2027-02-28 08:30"}, "开始", "2027-02-28 08:30"),
        ({"结束": at("2027-03-03T11:30")}, "结束", "2027-03-03 11:30"),
        ({"结束": "2027年2月28日 11:30"}, "结束", "2027年2月28日 11:30"),
    ],
)
def test_another_day_in_a_time_is_refused(
    tmp_path: Path, cells: dict[str, Any], column: str, value: str
) -> None:
    (problem,) = bad(workbook(tmp_path / "t.xlsx", row(**cells)))
    assert f"row 2 {column} = '{value}" in problem and "2027-03-01" in problem and "日期" in problem


def test_a_merged_days_further_rows_lack_a_day_and_are_told_so(tmp_path: Path) -> None:
    path = workbook(tmp_path / "t.xlsx", row(), row(日期=None, 开始="13:30", 结束="16:30"))
    book = openpyxl.load_workbook(path)
    page = book.active
    assert page is not None
    page.merge_cells("A2:A3")
    book.save(path)
    (problem,) = bad(path)
    assert "row 3 日期: 缺少" in problem and "取消合并" in problem and "unmerge" in problem


def test_every_bad_cell_of_a_row_is_named_at_once(tmp_path: Path) -> None:
    cells = {"日期": "3月1日", "开始": "8点", "结束": "半夜", "类型": "聚餐", "课时": "很多"}
    problems = bad(workbook(tmp_path / "t.xlsx", row(**cells)))
    assert len(problems) == len(cells)
    for value in cells.values():
        assert sum(f"'{value}'" in line for line in problems) == 1, problems
    problems = bad(workbook(tmp_path / "t.xlsx", row(日期=None, 开始="8点")))
    assert len(problems) == 2, "a day that lacks hides no other slip"


def test_a_days_number_is_told_once_and_its_times_are_not_missing(tmp_path: Path) -> None:
    (problem,) = bad(workbook(tmp_path / "t.xlsx", row(日期=46447)))
    assert "row 2 日期 = '46447'" in problem


@pytest.mark.parametrize("column", ["日期", "类型", "课间"])
def test_a_remark_below_the_table_is_one_problem_and_not_repeated(tmp_path: Path, column: str) -> None:
    remark: list[Any] = [None] * len(HEAD)
    remark[HEAD.index(column)] = "备注：联系王某 13900000000"
    (problem,) = bad(workbook(tmp_path / "t.xlsx", row(), remark))
    assert "row 3 日期" in problem and "备注" in problem and "remark" in problem
    assert "139" not in problem and "王" not in problem


# --- over midnight ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "end",
    [
        "次日01:00",
        "次日 1：00",
        "第二天 01:00",
        "next day 01:00",
        "2027-03-02 01:00",
        "2027年3月2日1:00",
        at("2027-03-02T01:00"),
    ],
)
def test_a_lesson_may_end_on_the_next_day_where_that_is_said(tmp_path: Path, end: Any) -> None:
    plan = plan_of(workbook(tmp_path / "t.xlsx", row(开始="22:00", 结束=end)))
    assert times(plan) == "2027-03-01 22:00-01:00" and plan.end_us - plan.start_us == 3 * 3_600_000_000
    if isinstance(end, str):
        path = csv_file(tmp_path / "t.csv", "日期,开始,结束,类型,课时", f"2027-03-01,22:00,{end},理论,4")
        assert plan_of(path) == plan
    assert "22:00–次日 next day 01:00" in said(plan)


@pytest.mark.parametrize(
    "end", ["24:00", "２４：００", "24:00:00", "2027-03-01 24:00", timedelta(days=1), at("2027-03-02T00:00")]
)
def test_midnight_as_an_end(tmp_path: Path, end: Any) -> None:
    plan = plan_of(workbook(tmp_path / "t.xlsx", row(开始="21:00", 结束=end)))
    assert plan.end_us - plan.start_us == 3 * 3_600_000_000
    assert "21:00–次日 next day 00:00" in said(plan)


def test_an_end_before_its_start_is_not_guessed_to_be_tomorrow(tmp_path: Path) -> None:
    for end in ("01:00", time(1, 0)):
        (problem,) = bad(workbook(tmp_path / "t.xlsx", row(开始="22:00", 结束=end)))
        assert "row 2 结束 = '01:00" in problem and "次日01:00" in problem and "2027-03-02 01:00" in problem
    (problem,) = bad(workbook(tmp_path / "t.xlsx", row(开始="22:00", 结束="00:00")))
    assert "24:00" in problem
    (problem,) = bad(workbook(tmp_path / "t.xlsx", row(开始="11:30", 结束="08:30")))
    assert "12小时" in problem and "次日" not in problem, "21 hours are no lesson"

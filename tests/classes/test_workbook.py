"""Workbooks from outside: the form filled in is a document, and every problem is named with its row."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.classes import workbook
from agent.classes.checking import check_document
from agent.classes.problems import ClassFileError
from agent.classes.reading import read_class_bytes
from agent.classes.sheet_columns import TABLES
from agent.classes.sheet_table import MOST_ROWS
from agent.classes.workbook_form import write_form
from tests.classes.documents import class_content, id_number

_WHOLE: dict[str, bytes] = {}


def filled(tmp_path: Path, change: Any = None) -> bytes:
    """The empty form, filled in as an institution would."""
    path = tmp_path / "form.xlsx"
    write_form(path)
    book: Any = openpyxl.load_workbook(path)
    head: dict[str, Any] = {
        "班次编号": "dgjc-1",
        "班次名称": "低压电工",
        "培训专业(工种)及级别": "低压电工（五级）",
        "班期数": 7,
        "批准文号": "示例审批〔2026〕7号",
        "城市": "焦作市",
        "开班日期": datetime(2026, 11, 20),  # noqa: DTZ001 (a spreadsheet's date)
        "总课时": 40,
        "实操课时": 24.0,
        "颁发培训合格证书": "是",
    }
    sheet = book["班级"]
    for label, cell in sheet.iter_rows(min_col=1, max_col=2):
        cell.value = head.get(str(label.value))
    roster: list[list[Any]] = [
        ["学员甲", "男", 36, id_number(1), 13900000000, "④农村转移就业劳动者"],
        ["学员乙", "女", None, id_number(2, male=False), None, 2],
    ]
    for number, row in enumerate(roster, start=2):
        for column, value in enumerate(row, start=1):
            book["学员"].cell(number, column, value)
    book["教师"].cell(2, 1, "教师丁")
    lesson: list[Any] = ["2026年11月21日", "8：30", "11:30", "理论", "room-101", 4]
    for column, value in enumerate(lesson, start=1):
        book["课程表"].cell(2, column, value)
    if change is not None:
        change(book)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_the_form_filled_in_is_a_document(tmp_path: Path) -> None:
    document = read_class_bytes(filled(tmp_path), "form.xlsx", "xlsx").document
    assert document.training_class.city == "jiaozuo" and document.training_class.term_number == "7"
    assert [t.name for t in document.trainees] == ["学员甲", "学员乙"]
    assert [t.group for t in document.trainees] == ["农村转移就业劳动者", "毕业学年高校毕业生"]
    assert document.sessions[0].start_us == check_document(class_content(), "t").sessions[0].start_us


def test_the_form_is_never_written_over_a_filled_in_one(tmp_path: Path) -> None:
    path = tmp_path / "form.xlsx"
    path.write_bytes(b"somebody's work")
    with pytest.raises(FileExistsError):
        write_form(path)
    assert path.read_bytes() == b"somebody's work"


def test_the_roster_has_the_notices_columns() -> None:
    assert list(TABLES["学员"][1]) == ["姓名", "性别", "年龄", "身份证号", "联系电话", "群体类别"]


@pytest.mark.promise("I12")
def test_every_problem_of_a_workbook_with_its_row(tmp_path: Path) -> None:
    def spoil(book: Any) -> None:
        book["学员"]["A3"] = '=HYPERLINK("http://example.invalid","甲")'
        book["学员"]["D2"] = 410000199001150031  # a number: its last digits are lost already
        book["学员"]["B2"] = "未知"
        book["班级"]["B1"] = "no good id"
        book["课程表"]["G1"] = "备注"
        book["课程表"]["D2"] = "聚餐"

    with pytest.raises(ClassFileError) as caught:
        read_class_bytes(filled(tmp_path, spoil), "form.xlsx", "xlsx")
    text = "\n".join(caught.value.problems)
    for expected in (
        "row 3 姓名: 请填数值而非公式",
        "row 2 身份证号: 请将单元格设为文本",
        "row 2 sex",
        "class id = 'no good id'",
        "column 7",
        "row 2 kind = '聚餐'",
    ):
        assert expected in text, expected
    assert "4100001990" not in text


@pytest.mark.parametrize("sheet", ["班级", "学员", "教师", "课程表"])
def test_a_missing_sheet_is_named(tmp_path: Path, sheet: str) -> None:
    with pytest.raises(ClassFileError, match=sheet):
        read_class_bytes(filled(tmp_path, lambda book: book.remove(book[sheet])), "form.xlsx", "xlsx")


@pytest.mark.promise("I12")
def test_a_zip_bomb_is_refused_before_it_unpacks(tmp_path: Path) -> None:
    out = io.BytesIO(filled(tmp_path))
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/bomb.xml", b"0" * (workbook.LARGEST_UNPACKED + 1))
    assert len(out.getvalue()) < 200_000
    with pytest.raises(ClassFileError, match="MiB"):
        read_class_bytes(out.getvalue(), "bomb.xlsx", "xlsx")


@pytest.mark.promise("I12")
def test_xml_entities_are_refused(tmp_path: Path) -> None:
    source, out = io.BytesIO(filled(tmp_path)), io.BytesIO()
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(out, "w") as new:
        for part in old.infolist():
            data = old.read(part)
            if part.filename == "xl/workbook.xml":
                data = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + data
            new.writestr(part.filename, data)
    with pytest.raises(ClassFileError, match="no readable XLSX"):
        read_class_bytes(out.getvalue(), "evil.xlsx", "xlsx")


def test_too_many_rows_are_refused(tmp_path: Path) -> None:
    def flood(book: Any) -> None:
        for number in range(MOST_ROWS + 50):
            book["学员"].append([f"学员{number}"])

    with pytest.raises(ClassFileError, match="rows"):
        read_class_bytes(filled(tmp_path, flood), "form.xlsx", "xlsx")


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_damaged_workbooks_are_refused_or_read(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole = bytearray(_WHOLE.setdefault("x", filled(tmp_path_factory.mktemp("form"))))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        read_class_bytes(bytes(whole[: data.draw(st.integers(0, len(whole)))]), "damaged.xlsx", "xlsx")
    except ClassFileError as error:
        assert error.problems

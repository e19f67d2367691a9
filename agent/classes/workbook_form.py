"""The empty workbook that institutions fill in: the roster's own columns, lists to choose from, notes."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import openpyxl
from openpyxl.styles import Font, PatternFill
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from agent.classes.document_values import GROUPS, HENAN_CITIES
from agent.classes.sheet_columns import CLASS_ROWS, CLASS_SHEET, KINDS, TABLES, TIMETABLE_ONLY

_ROWS: Final = 501
_HEADER = PatternFill("solid", fgColor="DDE6F0")
_CHOICES: Final[dict[str, Iterable[str]]] = {"性别": ("男", "女"), "群体类别": GROUPS, "类型": KINDS}
_FORMATS: Final = {
    "身份证号": "@",  # text: a spreadsheet number would lose the last digits
    "联系电话": "@",
    "日期": "yyyy-mm-dd",
    "开始": "hh:mm",
    "结束": "hh:mm",
}
_NOTES: Final = (
    "填写说明",
    "1. 学员：身份证号请以文本输入；同名者必须各填身份证号。",
    "2. 课程表：时间为北京时间；教室填设备上的教室编号（如 room-101）；不是本设备的教室须列入“其他教室”。",
    "3. 类型：理论、实操、考试、补课。",
    "   课间（可不填）：每两课时之间的分钟数，如 10；或起止时间，如 09:15-09:25、10:10-10:20。",
    "   到次日才结束的课，结束写“次日01:00”或 24:00；日期逐行填写，不要合并单元格，备注写在表外。",
    "4. 性别、年龄、电话、群体类别只核对，不保存在设备中。",
    "5. 任何一行有误则整份不导入，并列出所有问题。",
    "6. 学员也可用同样列名的 CSV 文件另交，此时“学员”表留空。",
    "How to fill this in",
    "1. Type ID numbers as text; people of the same name need theirs, each of them.",
    "2. Times are China's; the room is the device's room id (e.g. room-101); others must stand in 其他教室.",
    "3. Kinds: theory, practical, examination, make-up (in Chinese, from the list).",
    "   课间, breaks (may stay empty): minutes between class hours, or times 09:15-09:25、10:10-10:20.",
    "   Ends on the next day: “next day 01:00” or 24:00. The day in every row, unmerged; no remarks.",
    "4. Sex, age, telephone and group are checked and not kept in the device.",
    "5. One bad row refuses the whole file; every problem is named.",
    "6. The trainees may come as a CSV with the same columns instead: leave the sheet 学员 empty then.",
)


def write_form(path: Path) -> None:
    """Write the empty workbook. FileExistsError rather than overwriting a filled-in one."""
    with path.open("xb") as file:
        file.write(empty_form())


def empty_form() -> bytes:
    """The empty workbook."""
    book = openpyxl.Workbook()
    first = book.active
    if isinstance(first, Worksheet):
        _class_sheet(first)
    for name, (_, columns) in TABLES.items():
        sheet = book.create_sheet(name)
        for index, label in enumerate((each for each in columns if each not in TIMETABLE_ONLY), start=1):
            cell = sheet.cell(1, index, label)
            cell.font, cell.fill = Font(bold=True), _HEADER
            letter = cell.column_letter
            sheet.column_dimensions[letter].width = 24 if label in ("身份证号", "群体类别") else 14
            if label in _CHOICES:
                _offer(sheet, f"{letter}2:{letter}{_ROWS}", _CHOICES[label])
            if label in _FORMATS:
                sheet.column_dimensions[letter].number_format = _FORMATS[label]
        sheet.freeze_panes = "A2"
    notes = book.create_sheet("说明")
    notes.column_dimensions["A"].width = 110
    for number, note in enumerate(_NOTES, start=1):
        notes.cell(number, 1, note)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _class_sheet(sheet: Worksheet) -> None:
    sheet.title = CLASS_SHEET
    for column, width in zip("ABC", (26, 40, 70), strict=True):
        sheet.column_dimensions[column].width = width
    for number, (label, (_, hint)) in enumerate(CLASS_ROWS.items(), start=1):
        cell = sheet.cell(number, 1, label)
        cell.font, cell.fill = Font(bold=True), _HEADER
        sheet.cell(number, 3, hint or None)
        choices = {
            "城市": HENAN_CITIES,
            "上课方式": ("白天班", "晚上班", "假日班", "其他"),
            "颁发培训合格证书": ("是", "否"),
            "另有学时规定": ("是", "否"),
        }.get(label)
        if choices:
            _offer(sheet, f"B{number}", choices)


def _offer(sheet: Worksheet, cells: str, choices: Iterable[str]) -> None:
    validation = DataValidation(type="list", formula1=f'"{",".join(choices)}"', allow_blank=True)
    sheet.add_data_validation(validation)
    validation.add(cells)


if __name__ == "__main__":
    sys.stdout.buffer.write(empty_form())

"""The attendance table as an XLSX workbook: Chinese heads with English below, the rules and records beside.

Nothing in it can run: every text is written as text whatever it begins with, because a name on a roster comes
from outside (I12). The page has it written by a process of its own, which gets the sheets as JSON.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

import openpyxl
from openpyxl.cell.cell import Cell as SheetCell
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.worksheet import Worksheet

from agent.words import for_xml

_FILLS: Final = {
    "good": PatternFill("solid", fgColor="E3F3E6"),
    "bad": PatternFill("solid", fgColor="F9DEDC"),
    "warn": PatternFill("solid", fgColor="FFF1D6"),
    "info": PatternFill("solid", fgColor="DCE9FA"),
    "head": PatternFill("solid", fgColor="DDE6F0"),
}
_RISKY: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What some spreadsheet takes for the beginning of a formula, at the latest after a detour through CSV."""

Value = str | int | float | None
Sheet = Mapping[str, Any]
"""`title`, `rows` (lists of a value or [value, level, format]), `widths`, `freeze`, `heads` (rows); with
`is_form` ruled for one sheet of paper, `merges` its cells that reach over several."""


def workbook(sheets: Sequence[Sheet]) -> bytes:
    """The file's bytes."""
    book = openpyxl.Workbook()
    if book.active is not None:
        book.remove(book.active)
    for content in sheets:
        sheet = book.create_sheet(content["title"])
        for number, row in enumerate(content["rows"], start=1):
            for column, given in enumerate(row, start=1):
                value, level, form = given if isinstance(given, list) else (given, None, None)
                is_head = number <= content["heads"]
                _write(sheet, number, column, value, "head" if is_head else level, form)
        for letter, width in content["widths"].items():
            sheet.column_dimensions[letter].width = width
        sheet.freeze_panes = content["freeze"]
        if content.get("is_form"):
            _lay_out(sheet, content["merges"])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _lay_out(sheet: Worksheet, merges: Sequence[str]) -> None:
    """As a paper form: every cell ruled, A4 across, one page wide."""
    line = Side(style="thin")
    for row in sheet.iter_rows(min_row=1, max_row=sheet.max_row, max_col=sheet.max_column):
        for cell in row:
            cell.border = Border(line, line, line, line)
    for area in merges:
        sheet.merge_cells(area)
    sheet.page_setup.orientation, sheet.page_setup.paperSize = "landscape", sheet.PAPERSIZE_A4
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)


def _write(
    sheet: Worksheet, row: int, column: int, value: Value, level: str | None, form: str | None
) -> None:
    if value is None:
        return
    cell = sheet.cell(row, column)
    if not isinstance(cell, SheetCell):
        return
    cell.value = for_xml(value) if isinstance(value, str) else value
    if isinstance(value, str):
        cell.data_type = "s"  # openpyxl takes what begins with = for a formula
        if value.startswith(_RISKY):
            cell.quotePrefix = True
    if level is not None:
        cell.fill = _FILLS.get(level, PatternFill())
    if level == "head":
        cell.font = Font(bold=True)
    if form is not None:
        cell.number_format = form
    cell.alignment = Alignment(wrap_text=True, vertical="top")


if __name__ == "__main__":
    sys.stdout.buffer.write(workbook(json.load(sys.stdin)))

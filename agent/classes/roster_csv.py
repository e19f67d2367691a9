"""Roster and timetable as CSV, in the notice's columns: UTF-8, UTF-16 with its mark or GB18030; commas,
semicolons or tabs.

What spreadsheets write is read as they mean it; everything else is a problem with its row. The rows go
through the workbook's own table reader, so that a row is good or bad for the same reasons in both (I12).
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Final

from agent.classes.document_values import plain
from agent.classes.sheet_columns import OPTIONAL, TABLES, TIMETABLE_SHEET
from agent.classes.sheet_table import (
    MOST_COLUMNS,
    MOST_ROWS,
    MOST_TITLES,
    Cell,
    Workbook,
    heading_row,
    read_table,
)

ROSTER_SHEET: Final = "学员"
ENGLISH: Final[Mapping[str, str]] = {
    "name": "姓名",
    "sex": "性别",
    "age": "年龄",
    "idnumber": "身份证号",
    "phone": "联系电话",
    "group": "群体类别",
    "date": "日期",
    "start": "开始",
    "end": "结束",
    "kind": "类型",
    "room": "教室",
    "classhours": "课时",
    "breaks": "课间",
}
"""English heading, without spaces, underlines and capitals → the notice's column."""
SEPARATORS: Final = (",", ";", "\t")


def read_roster(data: bytes, source: str) -> Workbook:
    """The section "trainees" of `data`; row n is the spreadsheet's row n, whatever lines its cells hold."""
    return read_csv(data, source, ROSTER_SHEET)


def read_csv(data: bytes, source: str, sheet: str, optional: frozenset[str] = OPTIONAL) -> Workbook:
    """The section of `sheet` (a key of `TABLES`); columns of `optional` may be missing."""
    book = Workbook(content={TABLES[sheet][0]: []})
    text = _decoded(data, sheet)
    if text is None:
        book.problems.append(
            f"{source}: 不是 UTF-8、UTF-16 或 GB18030 文本，请另存为“CSV UTF-8” / "
            "no text in UTF-8, UTF-16 or GB18030: save it as “CSV UTF-8”"
        )
        return book
    records = _records(book, text, source, sheet)
    if len(records) > MOST_ROWS or any(len(record) > MOST_COLUMNS for record in records):
        book.problems.append(
            f"{source}: 超过 {MOST_ROWS} 行或 {MOST_COLUMNS} 列 / "
            f"more than {MOST_ROWS} rows or {MOST_COLUMNS} columns"
        )
        return book
    if not records:
        return book
    top = heading_row([[_heading(label) for label in each] for each in records[: MOST_TITLES + 1]], sheet)
    header = [_heading(label) for label in records[top]]
    rows: list[list[Cell]] = [[_cell(cell) for cell in record] for record in records[:top]]
    rows.append([(label, False) for label in header])
    for number, record in enumerate(records[top + 1 :], start=top + 2):
        if any(cell.strip() for cell in record[len(header) :]):
            book.problems.append(
                f"{source}: {sheet} 第 {number} 行 / row {number}: "
                "单元格多于列名，含分隔符的内容须加引号 / "
                "more cells than headings: a cell that holds the separator needs quotes"
            )
        rows.append([_cell(cell) for cell in record])
    read_table(book, sheet, rows, source, optional)
    return book


def _decoded(data: bytes, sheet: str) -> str | None:
    """Text without its byte order mark; None when it is none that spreadsheets write."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # Excel's "Unicode text"
        texts = _texts(data, ("utf-16",))
    else:
        # Chinese editions of Excel save "CSV" in the machine's code page, of which GB18030 is the superset.
        texts = _texts(data, ("utf-8-sig", "gb18030"))
    # Some texts are good UTF-8 and good GB18030: the one that has the columns is meant, the first of equals.
    return max(texts, key=lambda text: _best_headings(text, sheet), default=None)


def _texts(data: bytes, encodings: Iterable[str]) -> list[str]:
    found = []
    for encoding in encodings:
        try:
            found.append(data.decode(encoding))
        except UnicodeDecodeError:
            continue
    return found


def _records(book: Workbook, text: str, source: str, sheet: str) -> list[list[str]]:
    """All records, one more than is allowed at most; those before an error in the quoting are kept."""
    best = max(SEPARATORS, key=lambda separator: _known_headings(text, separator, sheet))
    records: list[list[str]] = []
    try:
        for record in csv.reader(io.StringIO(text, newline=""), delimiter=best, strict=True):
            records.append(record)
            if len(records) > MOST_ROWS:
                break
    except csv.Error:  # its words may quote the cell
        number = len(records) + 1
        book.problems.append(
            f"{source}: {sheet} 第 {number} 行 / row {number}: "
            "引号不成对或单元格过长，其后各行未检查 / "
            "a quote is not closed, or a cell is too long; the rows after it were not looked at"
        )
    return records


def _best_headings(text: str, sheet: str) -> int:
    return max(_known_headings(text, separator, sheet) for separator in SEPARATORS)


def _known_headings(text: str, separator: str, sheet: str) -> int:
    most = 0
    try:
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        for record in islice(lines, MOST_TITLES + 1 if sheet == TIMETABLE_SHEET else 1):
            most = max(most, len({_heading(label) for label in record} & TABLES[sheet][1].keys()))
    except csv.Error:
        return most
    return most


def _heading(label: str) -> str:
    """The notice's column that `label` names in either language, else `label` as it is."""
    bare = "".join(plain(label).split())
    return ENGLISH.get(bare.replace("_", "").casefold(), bare)


def _cell(text: str) -> Cell:
    """The value and whether a spreadsheet would compute it. An apostrophe before a number is how people keep
    a spreadsheet from rounding it."""
    value = text.strip()
    return value.removeprefix("'") or None, value.startswith(("=", "@", "＝", "＠"))

"""The class document as an XLSX workbook, read within bounds.

A spreadsheet comes from outside (I12): its size is bounded before it is unpacked, XML entities are refused
(openpyxl parses through defusedxml), formulas are refused rather than believed.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, Final

import openpyxl
from defusedxml.common import DefusedXmlException
from openpyxl.utils.exceptions import InvalidFileException

from agent.classes.sheet_columns import CLASS_SHEET, ROOM_IS_KNOWN, TABLES, TIMETABLE_SHEET
from agent.classes.sheet_table import (
    MOST_COLUMNS,
    MOST_ROWS,
    Cell,
    Workbook,
    read_class_sheet,
    read_table,
)
from agent.classes.sheet_times import join_times

LARGEST_UNPACKED: Final = 20 << 20
MOST_PARTS: Final = 500

_NOT_A_WORKBOOK: Final = (
    InvalidFileException,
    DefusedXmlException,
    zipfile.BadZipFile,
    zlib.error,
    SyntaxError,  # xml.etree's ParseError is one
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    EOFError,
    OSError,
    RuntimeError,  # an encrypted part, an unknown compression
)
"""What openpyxl lets through from its insides when the bytes are not what they claim."""


def read_workbook(data: bytes, source: str) -> Workbook:
    """Read the sheets 班级, 学员, 教师 and 课程表 of `data`; what is wrong stands in `problems`."""
    book = Workbook()
    try:
        too_big = _out_of_bounds(data)
        if too_big:
            book.problems.append(f"{source}: {too_big}")
            return book
        sheets = _read_sheets(data)
    except _NOT_A_WORKBOOK as error:
        book.problems.append(
            f"{source}: 不是可读的 XLSX 工作簿，请用 Excel 或 WPS 另存为 .xlsx / is no readable XLSX "
            f"workbook ({type(error).__name__}): save it as .xlsx with Excel or WPS"
        )
        return book
    for name in (CLASS_SHEET, *TABLES):
        if name not in sheets:
            book.problems.append(f"{source}: 缺少工作表 / sheet {name!r} is missing")
        elif len(sheets[name]) > MOST_ROWS:
            book.problems.append(f"{source}: {name}: 超过 {MOST_ROWS} 行 / more than {MOST_ROWS} rows")
    if not book.problems:
        read_class_sheet(book, sheets[CLASS_SHEET], source)
        for name in TABLES:
            read_table(book, name, sheets[name], source)
        join_times(book, source)
    return book


def read_timetable_sheet(data: bytes, source: str) -> Workbook:
    """The sheet 课程表 of `data` alone, whose rooms may be left out."""
    book = Workbook(content={"sessions": []})
    try:
        too_big = _out_of_bounds(data)
        sheets = {} if too_big else _read_sheets(data)
        if too_big or TIMETABLE_SHEET not in sheets:
            missing = f"缺少工作表 / sheet {TIMETABLE_SHEET!r} is missing"
            book.problems.append(f"{source}: {too_big or missing}")
            return book
    except _NOT_A_WORKBOOK as error:
        book.problems.append(
            f"{source}: 不是可读的 XLSX 工作簿，请用 Excel 或 WPS 另存为 .xlsx / is no readable XLSX "
            f"workbook ({type(error).__name__}): save it as .xlsx with Excel or WPS"
        )
        return book
    if len(sheets[TIMETABLE_SHEET]) > MOST_ROWS:
        book.problems.append(f"{source}: 超过 {MOST_ROWS} 行 / more than {MOST_ROWS} rows")
        return book
    read_table(book, TIMETABLE_SHEET, sheets[TIMETABLE_SHEET], source, ROOM_IS_KNOWN)
    join_times(book, source)
    return book


def _out_of_bounds(data: bytes) -> str | None:
    """Why the archive is refused before anything is unpacked. The sizes that an archive declares bind:
    zipfile reads no further than them."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = archive.infolist()
    if len(parts) > MOST_PARTS:
        return f"{len(parts)} 个部件，过多 / parts in the archive, at most {MOST_PARTS} expected"
    unpacked = sum(part.file_size for part in parts)
    if unpacked > LARGEST_UNPACKED:
        mib, most = unpacked / 2**20, LARGEST_UNPACKED >> 20
        return (
            f"解压后 {mib:.1f} MiB，超过 {most} MiB，请删去表外的内容和图片 / unpacks to {mib:.1f} MiB, "
            f"more than {most} MiB: remove pictures and what stands outside the tables"
        )
    return None


def _read_sheets(data: bytes) -> dict[str, list[list[Cell]]]:
    """Sheet → rows → (value, is a formula); one row more than is allowed, to be noticed."""
    book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=False, keep_links=False)
    try:
        return {
            name: [[(cell.value, cell.data_type == "f") for cell in row] for row in _bounded_rows(book[name])]
            for name in (CLASS_SHEET, *TABLES)
            if name in book.sheetnames
        }
    finally:
        book.close()


def _bounded_rows(sheet: Any) -> Iterator[Any]:  # Any: the type stubs know read-only sheets only in part
    sheet.reset_dimensions()  # the declared size is a claim; the rows are what is there
    yield from sheet.iter_rows(max_row=MOST_ROWS + 1, max_col=MOST_COLUMNS)

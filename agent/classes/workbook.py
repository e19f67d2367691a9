"""The class document as an XLSX workbook, read within bounds.

A spreadsheet comes from outside (I12): its size is bounded before it is unpacked, XML entities are refused
(openpyxl parses through defusedxml), formulas are refused rather than believed.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any, Final

import openpyxl
from defusedxml.common import DefusedXmlException
from openpyxl.utils.exceptions import InvalidFileException

from agent.classes.document_values import HENAN_CITIES

LARGEST_UNPACKED: Final = 20 << 20
MOST_PARTS: Final = 500
MOST_ROWS: Final = 1200
MOST_COLUMNS: Final = 40

CLASS_ROWS: Final[Mapping[str, tuple[str, str]]] = {
    "班次编号": ("id", "英文字母、数字、-、_，最多32个 / at most 32 letters, digits, - and _"),
    "班次名称": ("title", ""),
    "培训机构全称": ("institution_name", ""),
    "培训专业(工种)及级别": ("occupation", ""),
    "班期数": ("term_number", "由人社部门填写 / given by the HR department"),
    "批准文号": ("approval", "未批准则留空：课时不计 / empty until approved: hours do not count"),
    "城市": ("city", "、".join(HENAN_CITIES)),
    "开班日期": ("opening_day", "例 2026-11-20"),
    "总课时": ("planned_hours", ""),
    "实操课时": ("practical_hours", ""),
    "线上课时": ("online_hours", ""),
    "工位数": ("workplaces", ""),
    "其他教室": ("other_rooms", "由另外的设备录像的教室，用、分开 / rooms that another device films"),
    "上课方式": ("schedule", "白天班、晚上班、假日班、其他"),
    "颁发培训合格证书": ("ends_in_training_certificate", "是、否"),
    "另有学时规定": ("hours_fixed_elsewhere", "是、否"),
}
"""Label in column A → key and hint. Columns of the roster annexes (焦人社文〔2021〕15号)."""

TABLES: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "学员": (
        "trainees",
        {
            "姓名": "name",
            "性别": "sex",
            "年龄": "age",
            "身份证号": "id_number",
            "联系电话": "phone",
            "群体类别": "group",
        },
    ),
    "教师": ("teachers", {"姓名": "name", "身份证号": "id_number"}),
    "课程表": (
        "sessions",
        {
            "日期": "date",
            "开始": "start",
            "结束": "end",
            "类型": "kind",
            "教室": "room",
            "课时": "class_hours",
            "课间": "breaks",
            "补哪次课": "makes_up",
        },
    ),
}
"""Sheet → section and its columns."""
TIMETABLE_SHEET: Final = "课程表"
TIMETABLE_ONLY: Final = frozenset({"补哪次课"})
"""Columns of a timetable by itself: what a make-up lesson stands for is known when lessons were missed."""
OPTIONAL: Final = frozenset({"课间"}) | TIMETABLE_ONLY
"""Columns that a table may lack."""
ROOM_IS_KNOWN: Final = OPTIONAL | {"教室"}
"""Of a timetable by itself: the device's own room, where none is named."""

KINDS: Final = {"理论": "theory", "实操": "practical", "考试": "examination", "补课": "make_up"}
CLASS_SHEET: Final = "班级"
_YES_NO: Final = {"是": True, "否": False}

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


@dataclass
class Workbook:
    """What a workbook says, not yet checked."""

    content: dict[str, Any] = field(default_factory=dict)
    """Shaped like a class document."""
    rows: dict[str, list[int]] = field(default_factory=dict)
    """Section → spreadsheet row of each of its entries."""
    problems: list[str] = field(default_factory=list)
    """Bilingual lines: missing sheets and columns, formulas, ID numbers typed as numbers."""


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
        _read_class_sheet(book, sheets[CLASS_SHEET], source)
        for name in TABLES:
            read_table(book, name, sheets[name], source)
        join_times(book)
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
    join_times(book)
    return book


def join_times(book: Workbook) -> None:
    """Columns 日期, 开始, 结束 of every lesson → its start and end as local times."""
    book.content["sessions"] = [_join_times(entry) for entry in book.content["sessions"]]


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


def _read_sheets(data: bytes) -> dict[str, list[list[tuple[Any, bool]]]]:
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


Cell = tuple[Any, bool]
"""A value, and whether it is a formula."""


def _read_class_sheet(book: Workbook, rows: list[list[Cell]], source: str) -> None:
    found: dict[str, Any] = {}
    for number, row in enumerate(rows, start=1):
        name = _text(row[0][0]) if row else None
        value, is_formula = row[1] if len(row) > 1 else (None, False)
        if name is None or value is None:
            continue
        if name not in CLASS_ROWS:
            book.problems.append(
                f"{source}: {CLASS_SHEET} 第 {number} 行 / row {number}: 不认识的项目 / unknown label"
            )
        elif is_formula:
            book.problems.append(_formula(source, CLASS_SHEET, number, name))
        else:
            key = CLASS_ROWS[name][0]
            found[key] = _plain(key, value)
    book.content["class"] = found


def read_table(
    book: Workbook,
    sheet: str,
    rows: list[list[Cell]],
    source: str,
    optional: frozenset[str] = OPTIONAL,
) -> None:
    """Take `rows`, headings first, into the section of `sheet` (a key of `TABLES`); problems into `book`.
    Columns of `optional` may be missing."""
    section, columns = TABLES[sheet]
    header = [_text(value) for value, _ in rows[0]] if rows else []
    for expected in columns:
        if header.count(expected) > 1 or (expected not in header and expected not in optional):
            book.problems.append(f"{source}: {sheet}: 应有一列 / expected one column {expected!r}")
    for position, label in enumerate(header, start=1):
        if label is not None and label not in columns:
            # Its text is not repeated: where the header is missing, it is somebody's name or number.
            book.problems.append(
                f"{source}: {sheet} 第 {position} 列 / column {position}: 不认识的列名 / unknown heading"
            )
    entries: list[dict[str, Any]] = []
    numbers: list[int] = []
    for number, row in enumerate(rows[1:], start=2):
        entry: dict[str, Any] = {}
        for label, (value, is_formula) in zip(header, row, strict=False):
            key = columns.get(label or "")
            if label is None or key is None or value is None or value == "":
                continue
            if is_formula:
                book.problems.append(_formula(source, sheet, number, label))
            elif key == "id_number" and not isinstance(value, str):
                book.problems.append(
                    f"{source}: {sheet} 第 {number} 行 / row {number} {label}: 请将单元格设为文本再输入 / "
                    "format the cell as text and type it again (a spreadsheet number keeps 15 digits only)"
                )
            elif key in _MOMENTS and isinstance(value, int | float):
                book.problems.append(
                    f"{source}: {sheet} 第 {number} 行 / row {number} {label} = {value:g}: "
                    "是数字，请把单元格设为日期或时间格式再输入 / "
                    "a bare number, format the cell as a date or a time and type it again"
                )
            else:
                entry[key] = _plain(key, value)
        if entry:
            entries.append(entry)
            numbers.append(number)
    book.content[section], book.rows[section] = entries, numbers


def _formula(source: str, sheet: str, number: int, label: str) -> str:
    return (
        f"{source}: {sheet} 第 {number} 行 / row {number} {label}: 请填数值而非公式 / "
        "a value is expected, not a formula"
    )


def _text(value: object) -> str | None:
    return None if value is None else re.sub(r"\s", "", str(value)) or None


_NUMBERS: Final = frozenset(
    {"planned_hours", "practical_hours", "online_hours", "workplaces", "class_hours", "age", "breaks"}
)
_MOMENTS: Final = frozenset({"date", "start", "end"})


def _plain(key: str, value: Any) -> Any:
    """A cell's value as the class document wants it; what cannot be one is left for it to refuse."""
    if isinstance(value, str):
        value = value.strip()
        if key in ("ends_in_training_certificate", "hours_fixed_elsewhere"):
            return _YES_NO.get(value, value)
        if key in ("opening_day", "date"):
            return re.sub(r"^(\d{4})[年/.](\d{1,2})[月/.](\d{1,2})日?$", _iso_day, value)
        if key == "kind":
            return KINDS.get(value, value)
        if key in ("start", "end"):
            return value.replace("：", ":")
        return value
    if isinstance(value, datetime):
        return value.time() if key in ("start", "end") else value.date()
    if isinstance(value, int | float) and not isinstance(value, bool) and key not in _NUMBERS:
        return str(int(value)) if float(value).is_integer() else str(value)
    return value


def _iso_day(match: re.Match[str]) -> str:
    return f"{match[1]}-{int(match[2]):02d}-{int(match[3]):02d}"


def _join_times(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Columns 日期, 开始, 结束 → start and end as local times."""
    joined = {key: value for key, value in entry.items() if key not in ("date", "start", "end")}
    for key in ("start", "end"):
        if "date" in entry and key in entry:
            joined[key] = f"{_iso(entry['date'])}T{_iso(entry[key])}"
    return joined


def _iso(value: object) -> str:
    if isinstance(value, date | time):
        return value.isoformat()
    text = str(value)
    return f"0{text}" if re.match(r"^\d:", text) else text

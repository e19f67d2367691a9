"""Rows of cells become the entries of a class document, or problems with sheet, row and column."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any, Final

from agent.classes.sheet_columns import CLASS_ROWS, CLASS_SHEET, KINDS, OPTIONAL, TABLES

_YES_NO: Final = {"是": True, "否": False}

MOST_ROWS: Final = 1200
MOST_COLUMNS: Final = 40


@dataclass
class Workbook:
    """What a workbook says, not yet checked."""

    content: dict[str, Any] = field(default_factory=dict)
    """Shaped like a class document."""
    rows: dict[str, list[int]] = field(default_factory=dict)
    """Section → spreadsheet row of each of its entries."""
    problems: list[str] = field(default_factory=list)
    """Bilingual lines: missing sheets and columns, formulas, ID numbers typed as numbers."""


def join_times(book: Workbook) -> None:
    """Columns 日期, 开始, 结束 of every lesson → its start and end as local times."""
    book.content["sessions"] = [_join_times(entry) for entry in book.content["sessions"]]


Cell = tuple[Any, bool]
"""A value, and whether it is a formula."""


def read_class_sheet(book: Workbook, rows: list[list[Cell]], source: str) -> None:
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

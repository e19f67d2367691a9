"""Rows of cells become the entries of a class document, or problems with sheet, row and column."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from agent.classes.document_values import plain
from agent.classes.row_checks import Location
from agent.classes.sheet_columns import CLASS_ROWS, CLASS_SHEET, KIND_WORDS, OPTIONAL, TABLES, TIMETABLE_SHEET
from agent.classes.typed_times import TimesError, day_written

_YES_NO: Final = {"是": True, "否": False}

MOST_ROWS: Final = 1200
MOST_COLUMNS: Final = 40
MOST_TITLES: Final = 5
"""Rows above the headings."""
FEWEST_HEADINGS: Final = 2
"""That many in one row are no title."""


@dataclass
class Workbook:
    """What a workbook says, not yet checked."""

    content: dict[str, Any] = field(default_factory=dict)
    """Shaped like a class document."""
    rows: dict[str, list[int]] = field(default_factory=dict)
    """Section → spreadsheet row of each of its entries."""
    problems: list[str] = field(default_factory=list)
    """Bilingual lines: missing sheets and columns, formulas, ID numbers typed as numbers."""
    told: set[Location] = field(default_factory=set)
    """Of which `problems` says what there is to say: a section's lack of entries, an entry, one key of it."""


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
            book.problems.append(
                f"{in_row(source, CLASS_SHEET, number, name)}: {_cell_problem(name, value, is_formula=True)}"
            )
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
    top = heading_row([[_text(value) for value, _ in row] for row in rows[: MOST_TITLES + 1]], sheet)
    for number, row in enumerate(rows[:top], start=1):
        if sum(value is not None and value != "" for value, _ in row) > 1:
            book.problems.append(
                in_row(source, sheet, number) + ": 列名之上只能有标题，请删去这一行或移到列名之下 / "
                "only a title may stand above the headings: delete this row or move it below them"
            )
    header = [_text(value) for value, _ in rows[top]] if rows else []
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
    for number, row in enumerate(rows[top + 1 :], start=top + 2):
        entry: dict[str, Any] = {}
        told: set[str] = set()
        for label, (value, is_formula) in zip(header, row, strict=False):
            key = columns.get(label or "")
            if label is None or key is None or value is None or value == "":
                continue
            problem = _cell_problem(key, value, is_formula)
            if problem is None:
                entry[key] = _plain(key, value)
            else:
                told.add(key)
                says_value = key in _MOMENTS and not is_formula
                where = in_row(source, sheet, number, label)
                if says_value:
                    where = value_in_row(source, sheet, number, label, f"{value:g}")
                book.problems.append(f"{where}: {problem}")
        if entry or told:
            book.told |= {(section, len(entries), key) for key in told}
            entries.append(entry)
            numbers.append(number)
    book.content[section], book.rows[section] = entries, numbers


def heading_row(rows: Sequence[Sequence[str | None]], sheet: str) -> int:
    """Index of the headings. Above those of a timetable a title may stand; of a list of people everything
    above its headings might be a person."""
    if sheet == TIMETABLE_SHEET:
        for index, row in enumerate(rows):
            if len(TABLES[sheet][1].keys() & set(row)) >= FEWEST_HEADINGS:
                return index
    return 0


def in_row(source: str, sheet: str, number: int, label: str = "") -> str:
    """Where a problem is."""
    return f"{source}: {sheet} 第 {number} 行 / row {number}{' ' if label else ''}{label}"


def value_in_row(source: str, sheet: str, number: int, label: str, value: object) -> str:
    """Where a problem is, and what stands there."""
    return f"{in_row(source, sheet, number, label)} = {str(value)[:60]!r}"


def _cell_problem(key: str, value: object, is_formula: bool) -> str | None:
    if is_formula:
        return "请填数值而非公式 / a value is expected, not a formula"
    if key == "id_number" and not isinstance(value, str):
        return (
            "请将单元格设为文本再输入 / "
            "format the cell as text and type it again (a spreadsheet number keeps 15 digits only)"
        )
    if key in _MOMENTS and isinstance(value, int | float):
        return (
            "是数字，请把单元格设为日期或时间格式再输入 / "
            "a bare number, format the cell as a date or a time and type it again"
        )
    return None


def _text(value: object) -> str | None:
    return None if value is None else re.sub(r"\s", "", plain(str(value))) or None


_NUMBERS: Final = frozenset(
    {"planned_hours", "practical_hours", "online_hours", "workplaces", "class_hours", "age", "breaks"}
)
_MOMENTS: Final = frozenset({"date", "start", "end"})
_YES_NO_KEYS: Final = frozenset({"ends_in_training_certificate", "hours_fixed_elsewhere"})
_WORDS: Final = frozenset(
    {"name", "title", "institution_name", "occupation", "term_number", "approval", "group"}
)
"""What stays as it is written: names and titles, and ①..⑤ of the roster."""
_CLASS_HOURS: Final = re.compile(r"(\d{1,4})\s*个?[课学]时", re.ASCII)


def _plain(key: str, value: Any) -> Any:
    """A cell's value as the class document wants it; what cannot be one is left for it to refuse."""
    if isinstance(value, str):
        return _plain_text(key, value.strip())
    if isinstance(value, datetime) and key == "opening_day":
        return value.date()
    if isinstance(value, int | float) and not isinstance(value, bool) and key not in _NUMBERS:
        return str(int(value)) if float(value).is_integer() else str(value)
    return value


def _plain_text(key: str, text: str) -> Any:
    if key in _YES_NO_KEYS:
        return _YES_NO.get(text, text)
    if key in _WORDS:
        return text
    text = plain(text)
    if key == "kind":
        return KIND_WORDS.get(text, text)
    if key == "opening_day":
        try:
            return day_written(text)
        except TimesError:
            return text  # the document says what is wrong with it
    match = _CLASS_HOURS.fullmatch(text) if key in _NUMBERS else None
    return text if match is None else match[1]

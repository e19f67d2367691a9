"""Day, beginning and end of a timetable's lessons: the columns 日期, 开始, 结束 become two times.

What does not fit is named with row, column, value and remedy, once; what stands in a remark is not repeated
(I6).
"""

from __future__ import annotations

from typing import Any, Final

from agent.classes.sheet_columns import TABLES, TIMETABLE_SHEET
from agent.classes.sheet_table import Workbook, in_row, value_in_row
from agent.classes.typed_times import TimesError, between, clock_written, day_written

_SECTION, _COLUMNS = TABLES[TIMETABLE_SHEET]
_LABELS: Final = {key: label for label, key in _COLUMNS.items()}
_WRITTEN: Final = ("date", "start", "end")
_REMEDIES: Final = {
    "date": (
        "合并的单元格请取消合并，逐行填写日期",
        "unmerge merged cells and write the day into every row",
    )
}


def join_times(book: Workbook, source: str) -> None:
    """Columns 日期, 开始, 结束 of every lesson of `book` → its start and end; problems into `book`."""
    lessons: list[dict[str, Any]] = book.content[_SECTION]
    for index, entry in enumerate(lessons):
        written: dict[str, Any] = {key: entry.pop(key) for key in _WRITTEN if key in entry}
        told = {key for key in _WRITTEN if (_SECTION, index, key) in book.told}
        book.told |= {(_SECTION, index, key) for key in ("start", "end")}
        row = book.rows[_SECTION][index]
        if not told and _is_remark(written, entry):
            book.told.add((_SECTION, index))
            book.problems.append(
                in_row(source, TIMETABLE_SHEET, row, _LABELS["date"])
                + ": 这一行不是一次课；备注请移出表格 / this row is no lesson: move remarks out of the table"
            )
            continue
        missing = [key for key in _WRITTEN if key not in written and key not in told]
        for key in missing:
            zh, en = _REMEDIES.get(key, ("请填写", "write it"))
            where = in_row(source, TIMETABLE_SHEET, row, _LABELS[key])
            book.problems.append(f"{where}: 缺少；{zh} / is missing: {en}")
        _join(book, source, row, entry, written, told | set(missing))


def _join(
    book: Workbook, source: str, row: int, entry: dict[str, Any], written: dict[str, Any], lacking: set[str]
) -> None:
    """`lacking` are columns of which a problem is told."""
    read: dict[str, Any] = {}

    def refuse(error: TimesError) -> None:
        where = value_in_row(source, TIMETABLE_SHEET, row, _LABELS[error.key], written[error.key])
        book.problems.append(f"{where}: {error}")

    for key in (each for each in _WRITTEN if each not in lacking):
        try:
            read[key] = day_written(written[key]) if key == "date" else clock_written(written[key], key)
        except TimesError as error:
            refuse(error)
    if len(read) < len(_WRITTEN):
        return
    try:
        entry["start"], entry["end"] = between(read["date"], read["start"], read["end"])
    except TimesError as error:
        refuse(error)


def _is_remark(written: dict[str, Any], entry: dict[str, Any]) -> bool:
    """One cell of text, and nothing else."""
    cells = [*written.values(), *entry.values()]
    if len(cells) != 1:
        return False
    if "date" not in written:
        return True
    try:
        day_written(written["date"])
    except TimesError:
        return True
    return False

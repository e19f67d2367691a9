"""A class document checked as a whole: every problem at once, in the words and places of its source.

Problems never repeat a name, an ID number or a telephone number (I6).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from agent.classes.document import (
    MOST_SESSIONS,
    ROWS_DISAGREE,
    ClassDocument,
    ClassHead,
    PlannedSession,
    Roster,
    Teacher,
    Timetable,
    Trainee,
)
from agent.classes.problems import ClassFileError
from agent.classes.row_checks import Disagreement, Location, disagreements
from agent.classes.sheet_table import Workbook

_Model = TypeVar("_Model", ClassDocument, Roster, Timetable)


def checked(model: type[_Model], book: Workbook, source: str, roster: str | None = None) -> _Model:
    """The source's own problems come first; what the document says of the rest comes with them."""
    if not book.problems:
        return _check(model, book.content, source, book.rows, roster=roster)
    problems = list(book.problems)
    if book.content:
        try:
            _check(model, book.content, source, book.rows, roster=roster, told=book.told)
        except ClassFileError as error:
            problems += error.problems
    raise ClassFileError(problems)


def check_document(
    content: Mapping[str, Any],
    source: str,
    *,
    repeat: bool = True,
) -> ClassDocument:
    """Check `content`, whose entries are counted from 1; ClassFileError with every problem at once.

    Without `repeat` they hold nothing that the document does, neither values nor unknown keys: for problems
    that become a record (I6).
    """
    return _check(ClassDocument, content, source, {}, repeat=repeat)


def _check(
    model: type[_Model],
    content: Mapping[str, Any],
    source: str,
    rows: Mapping[str, list[int]],
    *,
    roster: str | None = None,
    repeat: bool = True,
    told: Set[Location] = frozenset(),
) -> _Model:
    """`rows` gives for "trainees", "teachers" and "sessions" the line of the source in which entry n stands
    (left out for sources whose entries are counted from 1). `roster` is the source of the trainees where they
    have one of their own. Nothing is said of places that were `told` of (`Workbook.told`)."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        # pydantic counts the entries that are good: with every row bad the list itself seems empty.
        details = [
            d for d in error.errors() if not (d["type"] == "too_short" and content.get(str(d["loc"][0])))
        ]
    found: list[Disagreement] = []
    if not any(detail["type"] == ROWS_DISAGREE for detail in details):
        # Some fields are wrong, so the rows were never compared: compare those that stand by themselves.
        found = list(disagreements(*_valid_parts(content)))

    def where(location: Location) -> str:
        name = roster if roster is not None and location[:1] == ("trainees",) else source
        return f"{name}: {place(location, rows)}"

    details = [detail for detail in details if not _is_told(detail["loc"], told)]
    problems = [line for detail in details for line in _describe(detail, where, rows, repeat)]
    problems += [_at_odds(each, where, rows) for each in found]
    raise ClassFileError(problems)


def _is_told(location: Location, told: Set[Location]) -> bool:
    return not told.isdisjoint((location, location[:2], location[:3]))


def _at_odds(
    disagreement: Disagreement, where: Callable[[Location], str], rows: Mapping[str, list[int]]
) -> str:
    location, text, other = disagreement
    line = f"{where(location)}: {text}"
    return f"{line}: {place(other, rows)}" if other else line


_PLACES: Final = {"class": "班级 class", "trainees": "学员 trainees", "teachers": "教师 teachers"}


def place(location: Location, rows: Mapping[str, list[int]]) -> str:
    """Where a problem is, in the words of the source: `学员 trainees 第 7 行 row 7 id_number`."""
    parts = list(location)
    if not parts:
        return "(file)"
    section = str(parts.pop(0))
    words = [_PLACES.get(section, "课程表 sessions" if section == "sessions" else section)]
    if parts and isinstance(index := parts[0], int):
        parts.pop(0)
        numbers = rows.get(section, [])
        number = numbers[index] if index < len(numbers) else index + 1
        words.append(f"第 {number} 行 / row {number}")
    return " ".join([*words, *(str(part) for part in parts)])


_SAFE_TO_REPEAT: Final = frozenset(
    {
        "id", "city", "opening_day", "planned_hours", "practical_hours", "online_hours", "workplaces",
        "other_rooms", "schedule", "ends_in_training_certificate", "hours_fixed_elsewhere", "room", "kind",
        "start", "end", "class_hours", "breaks",
    }
)  # fmt: skip
"""Keys whose value may be repeated in a problem: nothing of a person's."""


_CHINESE: Final = {
    "int_parsing": "应为整数",
    "int_type": "应为整数",
    "int_from_float": "应为整数",
    "greater_than_equal": "数值太小，至少 {ge}",
    "less_than_equal": "数值太大，至多 {le}",
    "literal_error": "不是可选的内容，请按表中说明填写",
    "bool_parsing": "请填是或否",
    "bool_type": "请填是或否",
    "string_type": "应为文字",
    "string_too_short": "不能为空",
    "string_too_long": "太长",
    "string_pattern_mismatch": "格式不符",
    "date_from_datetime_parsing": "应为日期，例 2026-11-20",
    "date_type": "应为日期，例 2026-11-20",
    "datetime_from_date_parsing": "应为日期和时间，例 2026-11-20 和 08:30",
    "datetime_parsing": "应为日期和时间，例 2026-11-20 和 08:30",
    "datetime_type": "应为日期和时间，例 2026-11-20 和 08:30",
    "too_long": "行数太多",
}
"""What pydantic says in English alone, by its kind."""


def _describe(
    problem: ErrorDetails,
    where_is: Callable[[Location], str],
    rows: Mapping[str, list[int]],
    repeat: bool,
) -> Iterator[str]:
    if problem["type"] == ROWS_DISAGREE:
        for each in problem["ctx"]["rows"]:
            yield _at_odds(each, where_is, rows)
        return
    location = problem["loc"]
    if problem["type"] == "extra_forbidden" and not repeat:
        location = (*location[:-1], "…")
    message = problem["msg"].removeprefix("Value error, ")
    if message.isascii():  # pydantic's own words
        message = f"{_chinese(problem)} / {message}"
    where = where_is(location)
    if problem["type"] == "missing":
        yield f"{where}: 缺少 / is missing"
    elif problem["type"] == "too_short":
        yield f"{where}: 至少填一行 / at least one row is expected"
    elif problem["type"] == "extra_forbidden":
        yield f"{where}: 不认识 / unknown, remove or correct it"
    elif (
        repeat
        and location
        and location[-1] in _SAFE_TO_REPEAT
        and not isinstance(problem["input"], dict | list)
    ):
        yield f"{where} = {str(problem['input'])[:60]!r}: {message}"
    else:
        yield f"{where}: {message}"


def _chinese(problem: ErrorDetails) -> str:
    return _CHINESE.get(problem["type"], "填写有误").format(**problem.get("ctx", {}))


def _valid_parts(
    content: Mapping[str, Any],
) -> tuple[ClassHead | None, dict[int, Trainee], dict[int, Teacher], dict[int, PlannedSession]]:
    """The entries of a bad document that are good by themselves."""

    def good(model: type[BaseModel], values: object) -> Iterator[tuple[int, Any]]:
        for index, value in enumerate(values[:MOST_SESSIONS] if isinstance(values, list | tuple) else ()):
            try:
                yield index, model.model_validate(value)
            except ValidationError:
                continue  # described already, by the whole document's own error

    head = dict(good(ClassHead, [content.get("class")])).get(0)
    return (
        head,
        dict(good(Trainee, content.get("trainees"))),
        dict(good(Teacher, content.get("teachers"))),
        dict(good(PlannedSession, content.get("sessions"))),
    )

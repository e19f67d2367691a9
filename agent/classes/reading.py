"""From files to a checked class document: TOML or XLSX, its roster also CSV.

Every problem at once, in the source's own places.
Problems never repeat a name, an ID number or a telephone number (I6).
"""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

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
from agent.classes.roster_csv import read_roster
from agent.classes.row_checks import Disagreement, Location, disagreements
from agent.classes.workbook import Workbook, read_workbook

_Model = TypeVar("_Model", ClassDocument, Roster, Timetable)

LARGEST_FILE: Final = 5 << 20
"""Bytes; a class of 500 with its timetable needs a tenth of it."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A document with the hash of what it was read from."""

    document: ClassDocument
    sha256: str
    """Of the file's bytes; with a roster beside it, of the two files' digests, the class file's first."""


def read_class_file(path: Path, roster: Path | None = None) -> SourceFile:
    """Read `path` (.toml or .xlsx by its name), its trainees from `roster` (.csv) where one is given.
    ClassFileError with every problem of both at once."""
    if path.suffix.lower() == ".csv":
        raise ClassFileError(
            [
                f"{path}: 名册不含班次和课程表，请与班次文件一起导入 / "
                "a roster names no class and no lessons, give it with the class file: "
                f"class import CLASS.xlsx --roster {path.name}"
            ]
        )
    if path.suffix.lower() not in (".toml", ".xlsx"):
        raise ClassFileError([f"{path}: 应为 .toml 或 .xlsx 文件 / expected a .toml or .xlsx file"])
    data = _read(path)
    trainees = None if roster is None else RosterFile(_read_csv(roster), str(roster))
    return read_class_bytes(data, str(path), "xlsx" if path.suffix.lower() == ".xlsx" else "toml", trainees)


def read_roster_file(path: Path) -> Roster:
    """The trainees of a .csv file, checked as far as they can be without their class. ClassFileError."""
    book = read_roster(_read_csv(path), str(path))
    return checked(Roster, book, str(path))


@dataclass(frozen=True, slots=True)
class RosterFile:
    """A CSV at hand, e.g. an upload; `source` names it in problems."""

    data: bytes
    source: str


def read_class_bytes(
    data: bytes, source: str, form: Literal["toml", "xlsx"], roster: RosterFile | None = None
) -> SourceFile:
    """The same for bytes at hand; `source` names them in problems."""
    for content, name in ((data, source), *([(roster.data, roster.source)] if roster else ())):
        if len(content) > LARGEST_FILE:
            raise ClassFileError([too_large(name, len(content))])
    digest = hashlib.sha256(data)
    book = read_workbook(data, source) if form == "xlsx" else Workbook(content=_toml(data, source))
    if roster is None:
        return SourceFile(checked(ClassDocument, book, source), digest.hexdigest())
    _join_roster(book, read_roster(roster.data, roster.source), source, roster.source)
    both = hashlib.sha256(digest.digest() + hashlib.sha256(roster.data).digest())
    return SourceFile(checked(ClassDocument, book, source, roster.source), both.hexdigest())


def _read_csv(path: Path) -> bytes:
    if path.suffix.lower() != ".csv":
        raise ClassFileError([f"{path}: 应为 .csv 文件 / expected a .csv file"])
    return _read(path)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise ClassFileError([f"{path}: 读不了 / cannot be read: {error.strerror}"]) from error
    if len(data) > LARGEST_FILE:
        raise ClassFileError([too_large(str(path), max(size, len(data)))])
    return data


def too_large(name: str, size: int) -> str:
    """What is said of a file of `size` bytes that nobody reads."""
    mib, most = size / 2**20, LARGEST_FILE >> 20
    return (
        f"{name}: {mib:.1f} MiB，超过 {most} MiB，请只保留名册和课程表 / "
        f"{mib:.1f} MiB, larger than {most} MiB: keep the roster and the timetable alone"
    )


def _toml(data: bytes, source: str) -> dict[str, Any]:
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        # The message of a decoding error would repeat the bytes around it: a name, a number.
        where = (
            str(error)
            if isinstance(error, tomllib.TOMLDecodeError)
            else "不是 UTF-8 文本，请另存为 UTF-8 / no text in UTF-8: save it as UTF-8"
        )
        raise ClassFileError([f"{source}: 不是有效的 TOML / is not valid TOML: {where}"]) from error


def _join_roster(book: Workbook, trainees: Workbook, source: str, roster: str) -> None:
    """Put the trainees of a CSV into the class; who stands in which of two lists would be a guess."""
    if book.content.get("trainees"):
        book.problems.append(
            f"{source}: 学员 trainees: 另有名册 {roster}，请清空班次文件中的学员 / "
            f"the roster {roster} lists them: leave the class file's own trainees empty"
        )
    book.problems += trainees.problems
    book.content["trainees"] = trainees.content["trainees"]
    book.rows["trainees"] = trainees.rows.get("trainees", [])


def checked(model: type[_Model], book: Workbook, source: str, roster: str | None = None) -> _Model:
    """The source's own problems come first; what the document says of the rest comes with them."""
    if not book.problems:
        return _check(model, book.content, source, book.rows, roster=roster)
    problems = list(book.problems)
    if book.content:
        try:
            _check(model, book.content, source, book.rows, roster=roster)
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
) -> _Model:
    """`rows` gives for "trainees", "teachers" and "sessions" the line of the source in which entry n stands
    (left out for sources whose entries are counted from 1). `roster` is the source of the trainees where they
    have one of their own."""
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

    problems = [line for detail in details for line in _describe(detail, where, repeat)]
    problems += [f"{where(location)}: {text}" for location, text in found]
    raise ClassFileError(problems)


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
    "greater_than_equal": "数值太小",
    "less_than_equal": "数值太大",
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


def _describe(problem: ErrorDetails, where_is: Callable[[Location], str], repeat: bool) -> Iterator[str]:
    if problem["type"] == ROWS_DISAGREE:
        for location, text in problem["ctx"]["rows"]:
            yield f"{where_is(location)}: {text}"
        return
    location = problem["loc"]
    if problem["type"] == "extra_forbidden" and not repeat:
        location = (*location[:-1], "…")
    message = problem["msg"].removeprefix("Value error, ")
    if message.isascii():  # pydantic's own words
        message = f"{_CHINESE.get(problem['type'], '填写有误')} / {message}"
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

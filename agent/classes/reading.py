"""From a file to a checked class document: TOML or XLSX, every problem at once, in the source's own places.

Problems never repeat a name, an ID number or a telephone number (I6).
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from agent.classes.document import (
    MOST_SESSIONS,
    ROWS_DISAGREE,
    ClassDocument,
    ClassHead,
    PlannedSession,
    Teacher,
    Trainee,
)
from agent.classes.problems import ClassFileError
from agent.classes.row_checks import Disagreement, Location, disagreements
from agent.classes.workbook import Workbook, read_workbook

LARGEST_FILE: Final = 5 << 20
"""Bytes; a class of 500 with its timetable needs a tenth of it."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A document with the hash of the bytes that it was read from."""

    document: ClassDocument
    sha256: str


def read_class_file(path: Path) -> SourceFile:
    """Read `path` (.toml or .xlsx by its name). ClassFileError with every problem at once."""
    if path.suffix.lower() not in (".toml", ".xlsx"):
        raise ClassFileError([f"{path}: 应为 .toml 或 .xlsx 文件 / expected a .toml or .xlsx file"])
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise ClassFileError([f"{path}: 读不了 / cannot be read: {error.strerror}"]) from error
    return read_class_bytes(data, str(path), "xlsx" if path.suffix.lower() == ".xlsx" else "toml")


def read_class_bytes(data: bytes, source: str, form: Literal["toml", "xlsx"]) -> SourceFile:
    """The same for bytes at hand, e.g. an upload; `source` names them in problems."""
    if len(data) > LARGEST_FILE:
        raise ClassFileError([f"{source}: 文件过大 / larger than {LARGEST_FILE >> 20} MiB"])
    digest = hashlib.sha256(data).hexdigest()
    if form == "xlsx":
        return SourceFile(_check_workbook(read_workbook(data, source), source), digest)
    try:
        content = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        # The message of a decoding error would repeat the bytes around it: a name, a number.
        where = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "not UTF-8"
        raise ClassFileError([f"{source}: 不是有效的 TOML / is not valid TOML: {where}"]) from error
    return SourceFile(check_document(content, source), digest)


def _check_workbook(book: Workbook, source: str) -> ClassDocument:
    """The workbook's own problems come first; what the document says of the rest comes with them."""
    if not book.problems:
        return check_document(book.content, source, book.rows)
    problems = list(book.problems)
    if book.content:
        try:
            check_document(book.content, source, book.rows)
        except ClassFileError as error:
            problems += error.problems
    raise ClassFileError(problems)


def check_document(
    content: Mapping[str, Any],
    source: str,
    rows: Mapping[str, list[int]] | None = None,
    *,
    repeat: bool = True,
) -> ClassDocument:
    """Check `content`; ClassFileError with every problem at once.

    Without `repeat` they hold nothing that the document does, neither values nor unknown keys: for problems
    that become a record (I6).
    `rows` gives for "trainees", "teachers" and "sessions" the line of the source in which entry n stands
    (left out for sources whose entries are counted from 1).
    """
    rows = rows or {}
    try:
        return ClassDocument.model_validate(content)
    except ValidationError as error:
        # pydantic counts the entries that are good: with every row bad the list itself seems empty.
        details = [
            d for d in error.errors() if not (d["type"] == "too_short" and content.get(str(d["loc"][0])))
        ]
    found: list[Disagreement] = []
    if not any(detail["type"] == ROWS_DISAGREE for detail in details):
        # Some fields are wrong, so the rows were never compared: compare those that stand by themselves.
        found = list(disagreements(*_valid_parts(content)))
    problems = [line for detail in details for line in _describe(detail, source, rows, repeat)]
    problems += [f"{source}: {place(location, rows)}: {text}" for location, text in found]
    raise ClassFileError(problems)


_PLACES: Final = {"class": "班级 class", "trainees": "学员 trainees", "teachers": "教师 teachers"}


def place(location: Location, rows: Mapping[str, list[int]]) -> str:
    """Where a problem is, in the words of the source: `学员 trainees 第 7 行 row 7 id_number`."""
    parts = list(location)
    if not parts:
        return "(file)"
    section = str(parts.pop(0))
    words = [_PLACES.get(section, "课程表 sessions" if section == "sessions" else section)]
    if parts and isinstance(parts[0], int):
        index = parts.pop(0)
        numbers = rows.get(section, [])
        assert isinstance(index, int)  # noqa: S101 (the branch's condition, for the type checker)
        number = numbers[index] if index < len(numbers) else index + 1
        words.append(f"第 {number} 行 / row {number}")
    return " ".join([*words, *(str(part) for part in parts)])


_SAFE_TO_REPEAT: Final = frozenset(
    {
        "id", "city", "opening_day", "planned_hours", "practical_hours", "online_hours", "workplaces",
        "other_rooms", "schedule", "ends_in_training_certificate", "hours_fixed_elsewhere", "room", "kind",
        "start", "end", "class_hours",
    }
)  # fmt: skip
"""Keys whose value may be repeated in a problem: nothing of a person's."""


def _describe(
    problem: ErrorDetails, source: str, rows: Mapping[str, list[int]], repeat: bool
) -> Iterator[str]:
    if problem["type"] == ROWS_DISAGREE:
        for location, text in problem["ctx"]["rows"]:
            yield f"{source}: {place(location, rows)}: {text}"
        return
    location = problem["loc"]
    if problem["type"] == "extra_forbidden" and not repeat:
        location = (*location[:-1], "…")
    message = problem["msg"].removeprefix("Value error, ")
    if message.isascii():  # pydantic's own words
        message = f"填写有误 / {message}"
    where = f"{source}: {place(location, rows)}"
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

"""From files to a checked class document: TOML or XLSX, its roster also CSV."""

from __future__ import annotations

import hashlib
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from agent.classes.checking import checked
from agent.classes.document import ClassDocument, Roster
from agent.classes.problems import ClassFileError
from agent.classes.roster_csv import read_roster
from agent.classes.sheet_table import Workbook
from agent.classes.workbook import read_workbook

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
    data = read_bounded(path)
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
            raise ClassFileError([_too_large(name, len(content))])
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
    return read_bounded(path)


def read_bounded(path: Path) -> bytes:
    """What stands in `path`; ClassFileError where it cannot be read or is larger than `LARGEST_FILE`."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise ClassFileError([f"{path}: 读不了 / cannot be read: {error.strerror}"]) from error
    if len(data) > LARGEST_FILE:
        raise ClassFileError([_too_large(str(path), max(size, len(data)))])
    return data


def _too_large(name: str, size: int) -> str:
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

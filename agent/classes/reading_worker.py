"""The process that reads an uploaded class: of a hostile file it dies, and nothing else does (I12).

Spreadsheets are zips of XML, read by large libraries. This process gets no file to write, nothing to start,
no core dump and bounds on memory and time; its asker bounds the time too (agent/web/class_upload.py). JSON on
standard input (`Job`), JSON on standard output: `{"document": …, "sha256": …}` or `{"problems": […]}`, each
problem with its place and what stands there: for the eyes of whoever sent the file, and for no log (I6).
"""

from __future__ import annotations

import json
import re
import resource
import sys
from pathlib import Path
from typing import Any, Final

from pydantic import Base64Bytes, BaseModel, ConfigDict

from agent.classes.problems import ClassFileError
from agent.classes.reading import RosterFile, read_class_bytes
from agent.classes.roster_csv import read_roster
from agent.classes.sheet_columns import CLASS_SHEET, TABLES
from agent.classes.sheet_table import Workbook
from agent.classes.workbook import read_workbook

MEMORY_BYTES: Final = 512 << 20
"""Beyond what the process holds with its libraries loaded; a workbook of 20 MiB unpacked needs a third."""
CPU_S: Final = 30
LONGEST_VALUE: Final = 60

_PLACE = re.compile(
    rf"^(?P<source>class|roster): (?P<sheet>{'|'.join((CLASS_SHEET, *TABLES))})(?: [a-z]+)?"
    r"(?: 第 (?P<number>[0-9]+) 行 / row [0-9]+)?(?: (?P<column>[^ :=]+))?(?: = '(?P<value>.*)')?"
    r": (?P<text>.*)$",
    re.DOTALL,
)


class Job(BaseModel):
    """The two uploads; no file's name, which may be a person's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    workbook: Base64Bytes
    roster: Base64Bytes | None = None


class Found(BaseModel):
    """One problem. `sheet` "" is the file as a whole; `value` is what stands there, cut short."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    sheet: str = ""
    row: int | None = None
    column: str = ""
    value: str = ""
    zh: str
    en: str


def answer(job: Job) -> dict[str, Any]:
    """Read both, or say everything that is wrong with them."""
    roster = None if job.roster is None else RosterFile(job.roster, "roster")
    try:
        read = read_class_bytes(job.workbook, "class", "xlsx", roster)
    except ClassFileError as error:
        books = _books(job)
        return {"problems": [_found(line, books).model_dump() for line in error.problems]}
    return {"document": read.document.model_dump(mode="json", by_alias=True), "sha256": read.sha256}


def _books(job: Job) -> dict[str, Workbook]:
    """What stands in the files, as far as it can be read at all."""
    books = {"class": read_workbook(job.workbook, "class")}
    if job.roster is not None:
        books["roster"] = read_roster(job.roster, "roster")
    return books


def _found(line: str, books: dict[str, Workbook]) -> Found:
    match = _PLACE.match(line)
    if match is None:
        source, _, text = line.partition(": ")
        zh, _, en = text.partition(" / ")
        return Found(source=source if source in books else "class", zh=zh, en=en or zh)
    zh, _, en = match["text"].partition(" / ")
    number = int(match["number"]) if match["number"] else None
    column, value = match["column"] or "", match["value"] or ""
    if number is not None:
        section, columns = TABLES[match["sheet"]]
        value = value or _value(books[match["source"]], section, number, columns.get(column, column))
        column = {key: label for label, key in columns.items()}.get(column, column)
    return Found(
        source=match["source"],
        sheet=match["sheet"],
        row=number,
        column=column,
        value=value[:LONGEST_VALUE],
        zh=zh,
        en=en or zh,
    )


def _value(book: Workbook, section: str, number: int, key: str) -> str:
    rows = book.rows.get(section, [])
    if number not in rows:
        return ""
    value = book.content[section][rows.index(number)].get(key)
    return "" if value is None else str(value)


def _confine() -> None:
    used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    for limit, value in (
        (resource.RLIMIT_AS, used + MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_S),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
    ):
        resource.setrlimit(limit, (value, value))


def main() -> None:
    """Read, answer."""
    _confine()
    done = answer(Job.model_validate_json(sys.stdin.buffer.read()))
    sys.stdout.write(json.dumps(done, ensure_ascii=True))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Writes the tests that carry a mark into docs/promises.md; what a promise says and its sabotage stay yours.

    python -m scripts.promises

`tests/test_promises.py` fails while the table and the marks differ.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
DOCUMENT = REPOSITORY / "docs/promises.md"
IDENTIFIERS = [f"I{n}" for n in range(1, 13)] + [f"R{n}" for n in range(1, 24)]
ROW = re.compile(
    r"^\| (?P<id>[IR]\d+) \| (?P<what>[^|]*) \| (?P<tests>[^|]*) \| (?P<sabotage>[^|]*) \|$", re.MULTILINE
)
TEST_NAME = re.compile(r"`([\w/]+\.py::[\w:]+)`")
NOT_YET = "not yet"

_PLUGIN = """
from tests.promise_guard import guarded_ids
def pytest_collection_modifyitems(items):
    for item in items:
        for identifier in guarded_ids(item):
            print("MARK", identifier, item.nodeid.split("[")[0])
"""


def marked_tests() -> dict[str, set[str]]:
    """Promise or rule → its tests in the whole tree, fault suite included, as `folder/file.py::test`."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "list_marks.py").write_text(_PLUGIN, encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "list_marks", "tests"]
        command += ["--override-ini", "addopts=--strict-markers"]
        environment = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{REPOSITORY}"}
        result = subprocess.run(
            command,
            cwd=REPOSITORY,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
    if result.returncode:
        raise RuntimeError(f"pytest could not collect the tests:\n{result.stdout[-3000:]}{result.stderr}")
    found: dict[str, set[str]] = {}
    for line in result.stdout.splitlines():
        if line.startswith("MARK "):
            _, identifier, node = line.split(" ", 2)
            found.setdefault(identifier, set()).add(node.removeprefix("tests/"))
    return found


def rows(text: str) -> dict[str, re.Match[str]]:
    """The table's rows by identifier."""
    return {match["id"]: match for match in ROW.finditer(text)}


def rewritten(text: str, marked: dict[str, set[str]]) -> str:
    """`text` with the tests column of each row taken from the marks."""

    def row(match: re.Match[str]) -> str:
        tests = "<br>".join(f"`{test}`" for test in sorted(marked.get(match["id"], ()))) or NOT_YET
        return f"| {match['id']} | {match['what']} | {tests} | {match['sabotage']} |"

    return ROW.sub(row, text)


def main() -> None:
    DOCUMENT.write_text(rewritten(DOCUMENT.read_text(encoding="utf-8"), marked_tests()), encoding="utf-8")


if __name__ == "__main__":
    main()

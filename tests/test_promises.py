"""docs/promises.md tells the truth: each promise and rule has its tests there by name, or "not yet"."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.promise_guard import guarded_ids

REPOSITORY = Path(__file__).resolve().parent.parent
IDENTIFIERS = [f"I{n}" for n in range(1, 13)] + [f"R{n}" for n in range(1, 24)]
ROW = re.compile(
    r"^\| (?P<id>[IR]\d+) \| (?P<what>[^|]*) \| (?P<tests>[^|]*) \| (?P<sabotage>[^|]*) \|$", re.MULTILINE
)
TEST_NAME = re.compile(r"`([\w/]+\.py::\w+)`")


def documented() -> dict[str, re.Match[str]]:
    text = (REPOSITORY / "docs/promises.md").read_text(encoding="utf-8")
    return {match["id"]: match for match in ROW.finditer(text)}


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Marked tests of the whole tree, fault suite included, by a collection of their own."""
    plugin = tmp_path_factory.mktemp("plugin")
    (plugin / "list_marks.py").write_text(
        "from tests.promise_guard import guarded_ids\n"
        "def pytest_collection_modifyitems(items):\n"
        "    for item in items:\n"
        "        for identifier in guarded_ids(item):\n"
        "            print('MARK', identifier, item.nodeid.split('[')[0])\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "list_marks", "tests"]
    command += ["--override-ini", "addopts=--strict-markers"]
    environment = {"PYTHONPATH": f"{plugin}:{REPOSITORY}", "PATH": "/usr/bin:/bin"}
    result = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    found: dict[str, set[str]] = {}
    for line in result.stdout.splitlines():
        if line.startswith("MARK "):
            _, identifier, node = line.split(" ", 2)
            found.setdefault(identifier, set()).add(node.removeprefix("tests/"))
    return found


@pytest.mark.parametrize("identifier", IDENTIFIERS)
def test_each_promise_names_its_tests_or_says_not_yet(identifier: str, marked: dict[str, set[str]]) -> None:
    row = documented().get(identifier)
    assert row is not None, f"docs/promises.md has no row for {identifier}"
    named = set(TEST_NAME.findall(row["tests"]))
    assert named == marked.get(identifier, set()), f"{identifier}: the row and the marks in the tests differ"
    if named:
        assert row["sabotage"].strip(), f"{identifier}: name the sabotage that turns its test red"
    else:
        assert "not yet" in row["tests"], f"{identifier} has no test and does not say so"


def test_no_mark_names_a_promise_that_does_not_exist(marked: dict[str, set[str]]) -> None:
    assert set(marked) <= set(IDENTIFIERS)


def test_marks_are_read_from_both_markers(request: pytest.FixtureRequest) -> None:
    @pytest.mark.promise("I1")
    @pytest.mark.rule("R2")
    def probe() -> None: ...

    item = pytest.Function.from_parent(request.node.parent, name="probe", callobj=probe)
    assert set(guarded_ids(item)) == {"I1", "R2"}

"""docs/promises.md tells the truth: each promise and rule has its tests there by name, or "not yet"."""

from __future__ import annotations

import pytest

from scripts.promises import DOCUMENT, IDENTIFIERS, NOT_YET, TEST_NAME, marked_tests, rewritten, rows
from tests.promise_guard import guarded_ids


@pytest.fixture(scope="module")
def marked() -> dict[str, set[str]]:
    return marked_tests()


@pytest.mark.parametrize("identifier", IDENTIFIERS)
def test_each_promise_names_its_tests_or_says_not_yet(identifier: str, marked: dict[str, set[str]]) -> None:
    row = rows(DOCUMENT.read_text(encoding="utf-8")).get(identifier)
    assert row is not None, f"docs/promises.md has no row for {identifier}"
    named = set(TEST_NAME.findall(row["tests"]))
    assert named == marked.get(identifier, set()), f"{identifier}: run `python -m scripts.promises`"
    if named:
        assert row["sabotage"].strip(), f"{identifier}: name the sabotage that turns its test red"
    else:
        assert NOT_YET in row["tests"], f"{identifier} has no test and does not say so"


def test_no_mark_names_a_promise_that_does_not_exist(marked: dict[str, set[str]]) -> None:
    assert set(marked) <= set(IDENTIFIERS)


def test_a_promise_that_lost_its_tests_says_not_yet() -> None:
    table = "| I1 | kept | `a/test_b.py::test_c` | delete it |"
    assert rewritten(table, {}) == "| I1 | kept | not yet | delete it |"


def test_marks_are_read_from_both_markers(request: pytest.FixtureRequest) -> None:
    @pytest.mark.promise("I1")
    @pytest.mark.rule("R2")
    def probe() -> None: ...

    item = pytest.Function.from_parent(request.node.parent, name="probe", callobj=probe)
    assert set(guarded_ids(item)) == {"I1", "R2"}

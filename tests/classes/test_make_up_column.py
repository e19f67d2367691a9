"""The column of a timetable file that says what a make-up lesson stands for (R5)."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from agent.classes.checking import check_document
from agent.classes.lesson_plan import TimetableError
from agent.classes.make_up_column import bind_column
from agent.classes.orders import Desk as OrderDesk
from agent.classes.problems import ClassFileError
from agent.classes.timetable_edit import edit
from agent.classes.timetable_file import merge, read_timetable
from agent.paths import Paths
from agent.store import classes as table
from agent.store import make_ups
from agent.store.database import Store
from tests.classes.desk import MINUTE, POLICIES, Desk
from tests.classes.documents import class_content
from tests.clocks import ManualClock

HEAD = "日期,开始,结束,类型,课时,补哪次课\n"
HELD = "2026-11-21,08:30,11:30,理论,4,\n2026-11-21,14:00,17:00,实操,4,\n"


@pytest.fixture
def desk(store: Store, paths: Paths, clock: ManualClock) -> Desk:
    """The theory lesson of the morning was held and nobody checked in."""
    found = Desk(store, paths, clock)
    clock.advance(4 * 3600)
    with store.transaction():
        table.set_open(store, found.theory.id, found.theory.planned_start_us)
        table.set_closed(store, found.theory.id, found.theory.planned_end_us, "planned_end")
    return found


def take(desk: Desk, tmp_path: Path, rows: str) -> list[str]:
    """As `timetable import` does it."""
    file = tmp_path / "t.csv"
    file.write_text(HEAD + HELD + rows, encoding="utf-8")
    read = read_timetable(file, "room-101", {})
    now, how = desk.clock.now(), {"room": "room-101", "policies": POLICIES, "simulated": True}
    with desk.store.transaction():
        merged = merge(desk.store, "dgjc-1", read, keep_others=False)
        assert not merged.problems
        if merged.changes:
            edit(desk.store, now, "dgjc-1", merged.changes, "补课", **how)  # type: ignore[arg-type]
        return bind_column(desk.store, now, "dgjc-1", read, OrderDesk("room-101", POLICIES, True))


def bound(desk: Desk) -> list[tuple[int, int]]:
    """(hour of the make-up lesson, hour that was missed), each once."""
    return sorted({(each.hour, each.missed_hour) for each in make_ups.made_up(desk.store, "dgjc-1")})


@pytest.mark.rule("R5")
def test_a_whole_lesson_or_a_class_hour_of_it_is_bound_and_the_file_may_come_again(
    desk: Desk, tmp_path: Path
) -> None:
    rows = "2026-11-23,09:00,10:30,补课,2,2026-11-21 08:30:2、2026-11-21 08:30:4\n"
    (line,) = take(desk, tmp_path, rows)
    assert "row 4" in line and "bound 6 " in line, "three trainees, two class hours"
    assert bound(desk) == [(1, 2), (2, 4)]
    assert take(desk, tmp_path, rows) == [] and bound(desk) == [(1, 2), (2, 4)]
    rows += "2026-11-24,09:00,10:30,补课,2,2026-11-21 08:30:2\n"
    with pytest.raises(TimetableError, match=r"row 5.*all who missed it are bound"):
        take(desk, tmp_path, rows)
    assert bound(desk) == [(1, 2), (2, 4)]


@pytest.mark.rule("R5")
def test_a_whole_lesson_is_what_somebody_missed_of_it_and_who_is_found_absent_later_is_bound(
    desk: Desk, tmp_path: Path
) -> None:
    """甲 and 乙 came; 丙 came for the last two class hours. Then 乙 turns out to have been another."""
    for name, minute in (("学员甲", 0), ("学员乙", 0), ("学员丙", 90)):
        look(desk, name, minute)
    rows = "2026-11-23,09:00,10:30,补课,2,2026-11-21 08:30\n"
    (line,) = take(desk, tmp_path, rows)
    assert "bound 2 " in line, "one trainee, two class hours: the others missed nothing"
    assert who_is_bound(desk) == {"学员丙": [1, 2]}
    assert take(desk, tmp_path, rows) == [], "what is bound stays"
    desk.store.execute("DELETE FROM check_in WHERE person_id = ?", (person(desk, "学员乙"),))
    with pytest.raises(TimetableError, match=r"row 4.*all 2 class hours of this lesson"):
        take(desk, tmp_path, rows)
    look(desk, "学员乙", 90)
    (line,) = take(desk, tmp_path, rows)
    assert "bound 2 " in line
    assert who_is_bound(desk) == {"学员丙": [1, 2], "学员乙": [1, 2]}
    assert take(desk, tmp_path, rows) == []


@pytest.mark.rule("R5")
def test_a_file_that_comes_again_leaves_the_make_up_lesson_that_was_missed_and_fills_the_next(
    desk: Desk, tmp_path: Path
) -> None:
    """Nobody came to the first make-up lesson: a second row for the same hour binds everybody anew."""
    rows = "2026-11-21,18:00,18:45,补课,1,2026-11-21 08:30:1\n"
    (line,) = take(desk, tmp_path, rows)
    assert "bound 3 " in line
    (first,) = [each for each in table.sessions(desk.store, class_id="dgjc-1") if each.kind == "make_up"]
    with desk.store.transaction():
        table.set_open(desk.store, first.id, first.planned_start_us)
        table.set_closed(desk.store, first.id, first.planned_end_us, "planned_end")
    desk.clock.advance(12 * 3600)
    assert take(desk, tmp_path, rows) == [], "nobody is bound to it anew"
    rows += "2026-11-24,09:00,09:45,补课,1,2026-11-21 08:30:1\n"
    (line,) = take(desk, tmp_path, rows)
    assert "row 5" in line and "bound 3 " in line
    assert make_ups.bound_to(desk.store, first.id) == []
    assert take(desk, tmp_path, rows) == [], "the file may come again"


@pytest.mark.rule("R5")
def test_a_lesson_of_which_nobody_missed_anything_is_made_up_by_nothing(desk: Desk, tmp_path: Path) -> None:
    for name in ("学员甲", "学员乙", "学员丙"):
        look(desk, name, 0)
    with pytest.raises(TimetableError, match=r"row 4.*08:30.*nobody missed it"):
        take(desk, tmp_path, "2026-11-23,09:00,10:30,补课,2,2026-11-21 08:30\n")


def look(desk: Desk, name: str, minute: int) -> None:
    """The door takes them for present, so many minutes into the theory lesson."""
    desk.store.insert(
        "check_in",
        {
            "id": str(uuid.uuid4()),
            "session_id": desk.theory.id,
            "person_id": person(desk, name),
            "outcome": "accepted",
            "method": "face",
            "at_us": desk.theory.planned_start_us + minute * MINUTE,
            "liveness": "live",
            "simulated": 1,
        },
    )


def person(desk: Desk, name: str) -> str:
    (row,) = desk.store.rows("SELECT id FROM person WHERE name = ?", (name,))
    return str(row["id"])


def who_is_bound(desk: Desk) -> dict[str, list[int]]:
    """Name → class hours missed that something stands for."""
    found: dict[str, list[int]] = {}
    names = {each.id: each.name for each in table.people_of(desk.store, "dgjc-1")}
    for each in make_ups.made_up(desk.store, "dgjc-1"):
        found.setdefault(names[each.person_id], []).append(each.missed_hour)
    return {name: sorted(hours) for name, hours in found.items()}


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("2026-11-23,09:00,10:30,补课,2,昨天\n", "row 4.*expected lessons by their start"),
        ("2026-11-23,09:00,10:30,理论,2,2026-11-21 08:30\n", "row 4.*only a make-up lesson"),
        ("2026-11-23,09:00,10:30,补课,2,2026-11-20 08:30\n", "row 4.*no lesson or several"),
        ("2026-11-23,09:00,10:30,补课,2,2026-11-21 08:30:9\n", "row 4.*has no class hour 9"),
        ("2026-11-23,09:00,10:30,补课,2,2026-11-21 14:00:1\n", "row 4.*is not over"),
        ("2026-11-23,09:00,10:30,补课,2,2026-11-21 08:30\n", "row 4.*class hours of this lesson"),
    ],
)
def test_a_wrong_cell_is_named_with_its_row_and_nothing_is_changed(
    desk: Desk, tmp_path: Path, row: str, says: str
) -> None:
    before = desk.rows()
    with pytest.raises(TimetableError, match=says):
        take(desk, tmp_path, row)
    assert desk.rows() == before


def test_in_a_class_file_it_has_no_place(desk: Desk) -> None:
    content = class_content()
    content["sessions"][1] |= {"kind": "make_up", "makes_up": ["2026-11-21 08:30"]}
    with pytest.raises(ClassFileError, match="timetable by itself"):
        check_document(content, "test")

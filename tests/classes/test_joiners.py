"""Trainees who join a class late or come back to it: what they owe, and the word for it (R5, R16, R17)."""

from __future__ import annotations

import json
import uuid

import pytest

from agent.classes import make_up
from agent.classes.attendance import attendance_of
from agent.classes.attendance_export import sheets
from agent.classes.attendance_table import ClassAttendance, TraineeAttendance
from agent.classes.attendance_text import cell_text
from agent.classes.make_up import MissedHour
from agent.classes.reckoned import Reckoned
from agent.classes.rules import rules_of
from agent.classes.undo import undo_import
from agent.paths import Paths
from agent.store import classes as table
from agent.store.classes import Session
from agent.store.database import Store, Value
from tests.classes.desk import DAY, HOUR, MINUTE, POLICIES, Desk
from tests.classes.documents import class_content
from tests.clocks import ManualClock

NAMES = ("学员甲", "学员乙", "学员丙")
pytestmark = pytest.mark.rule("R5")


class Joining(Desk):
    """A theory lesson in the morning, a practical one in the afternoon, four class hours each."""

    def hold(self, session: Session, *names: str) -> None:
        with self.store.transaction():
            table.set_open(self.store, session.id, session.planned_start_us)
            table.set_closed(self.store, session.id, session.planned_end_us, "planned_end")
        for name in names:
            self.store.insert(
                "check_in",
                {
                    "id": str(uuid.uuid4()),
                    "session_id": session.id,
                    "person_id": self.person(name),
                    "outcome": "accepted",
                    "method": "face",
                    "at_us": session.planned_start_us - MINUTE,
                    "liveness": "live",
                    "simulated": 1,
                },
            )
        self.clock.wall_us = session.planned_end_us + MINUTE

    def person(self, name: str) -> str:
        return str(self.store.one("SELECT id FROM person WHERE name = ?", (name,))["id"])

    def listed(self, *names: str) -> None:
        """The class file comes again with these trainees."""
        content = class_content()
        known = {each["name"]: each for each in content["trainees"]}
        self.take({**content, "trainees": [known.get(name, {"name": name}) for name in names]})

    def table(self) -> ClassAttendance:
        training_class = table.training_class(self.store, "dgjc-1")
        assert training_class is not None
        return attendance_of(self.store, rules_of(training_class, POLICIES), "dgjc-1", simulated=True)

    def row(self, name: str) -> TraineeAttendance:
        return next(each for each in self.table().trainees if each.person.name == name)

    def states(self, name: str) -> list[str]:
        row = self.row(name)
        return [row.cells[held.key].state for held in self.table().hours]


@pytest.fixture
def desk(store: Store, paths: Paths, clock: ManualClock) -> Joining:
    return Joining(store, paths, clock)


def test_who_joins_late_owes_the_hours_before_by_a_word_of_their_own(desk: Joining) -> None:
    desk.hold(desk.theory, *NAMES)
    desk.listed(*NAMES, "学员戊")
    desk.hold(desk.practical, *NAMES, "学员戊")
    assert desk.states("学员戊") == ["not_joined"] * 4 + ["attended"] * 4
    assert desk.states("学员甲") == ["attended"] * 8
    row, found = desk.row("学员戊"), desk.table()
    assert (row.required, row.attended.at_most) == (8, 4), "the prescribed course is the whole of it (R5)"
    assert found.average is not None
    assert found.average.attendances.at_most == 28, "and nobody was in place who had not joined (R17)"
    cell = row.cells[found.hours[0].key]
    assert cell_text(cell, 0) == "未入班；当时尚未入班，按缺课计，可补课"
    assert "had not joined" in cell_text(cell, 1)


def test_the_hours_before_can_be_made_up(desk: Joining) -> None:
    desk.hold(desk.theory, *NAMES)
    desk.listed(*NAMES, "学员戊")
    plan: dict[str, Value] = {
        "room": "room-101",
        "kind": "make_up",
        "planned_start_us": desk.theory.planned_start_us + DAY,
        "planned_end_us": desk.theory.planned_start_us + DAY + HOUR,
        "class_id": "dgjc-1",
        "class_hours": 1,
        "state": "planned",
        "id": str(uuid.uuid4()),
    }
    desk.store.insert("session", plan)
    with desk.store.transaction():
        (made,) = make_up.bind(
            desk.store,
            desk.clock.now(),
            str(plan["id"]),
            [MissedHour(desk.theory.id, 1)],
            None,
            Reckoned(POLICIES, simulated=True),
        )
    assert made.person_id == desk.person("学员戊")


def test_who_left_is_not_asked_and_owes_it_again_on_coming_back(desk: Joining) -> None:
    desk.clock.wall_us = desk.theory.planned_start_us - HOUR
    desk.listed("学员甲", "学员乙")
    desk.hold(desk.theory, "学员甲", "学员乙")
    assert desk.states("学员丙")[:4] == ["not_asked"] * 4
    desk.listed(*NAMES)
    desk.hold(desk.practical, *NAMES)
    assert desk.states("学员丙") == ["not_joined"] * 4 + ["attended"] * 4
    row = desk.row("学员丙")
    assert "had left and came back" in cell_text(row.cells[desk.theory.id, 1], 1)
    assert (row.required, row.attended.at_most) == (8, 4)


def test_who_was_on_the_first_list_was_absent_and_who_sat_there_attended(desk: Joining) -> None:
    """An entry by the door stands above the list: HR may enter a trainee during the lesson."""
    desk.clock.wall_us = desk.theory.planned_start_us + HOUR
    desk.listed(*NAMES, "学员戊")
    desk.hold(desk.theory, "学员甲", "学员戊")
    assert desk.states("学员乙")[:4] == ["absent"] * 4
    assert desk.states("学员戊")[:4] == ["attended"] * 4


def test_an_import_that_is_taken_back_leaves_no_trace_of_a_leaving(desk: Joining) -> None:
    desk.clock.wall_us = desk.theory.planned_start_us - HOUR
    desk.listed("学员甲", "学员乙")
    desk.clock.advance(60)
    undo_import(desk.store, desk.vault, desk.clock.now(), "dgjc-1", simulated=True)
    desk.hold(desk.theory, "学员甲", "学员乙")
    assert desk.states("学员丙")[:4] == ["absent"] * 4
    assert [json.loads(row["away"]) for row in desk.store.rows("SELECT away FROM enrolment")] == [[]] * 4


def test_the_workbook_says_it_in_the_cells_the_remarks_and_the_legend(desk: Joining) -> None:
    desk.hold(desk.theory, *NAMES)
    desk.listed(*NAMES, "学员戊")
    content, _ = sheets(desk.store, desk.table(), desk.clock.now())
    rows = content[0]["rows"]
    (joined,) = [row for row in rows if row[0] == "学员戊"]
    assert joined[2][0] == "未 未入班"
    assert "4 个课时未入班 / 4 class hours before joining" in joined[-1]
    ground = [row for row in content[1]["rows"] if row[0] == "图例 / Legend"]
    assert any("未入班" in row[1] and "not in the class yet" in row[2] for row in ground)
    assert any("完成规定课程" in str(cell) for row in content[1]["rows"] for cell in row)

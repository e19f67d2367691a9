"""Inspections by people: entered, counted towards R17 and R18, withdrawn; every wrong entry named."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from agent.classes.inspections import InspectionError, average_in_place, enter, withdraw
from agent.classes.rule_states import Subject, rule_states
from agent.classes.rules import rules_of
from agent.cli import app
from agent.paths import Paths
from agent.policy import load_policies
from agent.store import classes, inspections
from agent.store.database import Store
from agent.store.inspections import Inspection
from tests.classes.attending import CLASS, Roll, at
from tests.clocks import ManualClock
from tests.evidence.schemas import problems_of_facts
from tests.technician import write_settings


@pytest.fixture
def roll(store: Store, clock: ManualClock) -> Roll:
    clock.wall_us = at("2025-06-01 12:00")
    return Roll(store, opening_day="2025-05-05")


def look(
    roll: Roll, clock: ManualClock, kind: str = "on_site", in_place: int = 2, **more: object
) -> Inspection:
    moment = str(more.get("moment", "2025-05-06 09:10"))
    teachers = int(str(more.get("teachers", 1)))
    return enter(roll.store, clock.now(), CLASS, kind, moment, in_place, teachers, simulated=False)


def standings(store: Store) -> dict[str, tuple[str, str]]:
    found = classes.training_class(store, CLASS)
    assert found is not None
    subject = Subject(store, found, rules_of(found, load_policies()), at("2025-06-01 12:00"), False)
    return {each.limit.subject: (each.found.standing, each.found.en) for each in rule_states(subject)}


@pytest.mark.rule("R17")
@pytest.mark.rule("R18")
def test_the_average_is_of_inspections_on_the_spot_and_one_of_them_is_enough_for_r18(
    roll: Roll, clock: ManualClock
) -> None:
    lesson = roll.lesson("2025-05-05 08:00")
    roll.answer(lesson, "A", 0)
    assert standings(roll.store)["inspections"][0] == "not_here", "it may stand elsewhere"
    assert standings(roll.store)["head_count_by_inspection"][0] == "not_here"
    look(roll, clock, "remote", 0)
    assert standings(roll.store)["inspections"][0] == "not_here", "a look from afar is none on the spot"
    look(roll, clock, "on_site", 3)
    wrong = look(roll, clock, "random", 0)
    look(roll, clock, "random", 2)
    withdraw(roll.store, clock.now(), CLASS, wrong.id[:8], simulated=False)
    found = inspections.inspections(roll.store, CLASS)
    assert (len(found), average_in_place(found)) == (3, 2.5)
    said = standings(roll.store)
    assert said["inspections"][0] == said["head_count_by_inspection"][0] == "met"
    assert "2 with 2.50 in place" in said["head_count_by_inspection"][1]
    assert problems_of_facts(roll.store) == []
    facts = roll.store.rows("SELECT data FROM fact WHERE type = 'class.inspected'")
    assert len(facts) == 5 and sum('"withdrawn": true' in row["data"] for row in facts) == 1


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"kind": "party"}, "kind 'party'"),
        ({"moment": "noon"}, "write the time as"),
        ({"moment": "2025-05-04 09:00"}, "before the opening day"),
        ({"moment": "2025-06-02 09:00"}, "is still to come"),
        ({"in_place": 4}, "the class has 3 trainees"),
        ({"in_place": -1}, "the class has 3 trainees"),
        ({"teachers": 101}, "expected 0 to 100"),
    ],
)
def test_a_wrong_entry_is_named_and_nothing_is_kept(
    roll: Roll, clock: ManualClock, more: dict[str, object], says: str
) -> None:
    with pytest.raises(InspectionError) as caught:
        look(roll, clock, **more)  # type: ignore[arg-type]
    assert says in caught.value.en
    assert inspections.inspections(roll.store, CLASS, also_withdrawn=True) == []
    assert roll.store.number("SELECT count(*) FROM fact") == 0


def test_at_the_console(roll: Roll, paths: Paths) -> None:
    config = str(write_settings(paths))

    def run(*arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(app, ["--config", config, "inspection", *arguments])
        assert result.exit_code == code, result.output
        return result.output

    taken = run("add", CLASS, "--at", "2025-05-06 09:10", "--in-place", "2", "--teachers", "1")
    assert "2.00" in run("list", CLASS)
    run("add", CLASS, "--at", "noon", "--in-place", "2", "--teachers", "1", code=1)
    run("list", "nobody", code=1)
    run("withdraw", CLASS, taken[:8])
    assert "已撤回 withdrawn" in run("list", CLASS) and "2.00" not in run("list", CLASS)
    run("withdraw", CLASS, taken[:8], code=1)

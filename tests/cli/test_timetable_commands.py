"""`timetable` and `policy` as HR staff use them at the console."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from agent.classes.document import SHANGHAI
from agent.cli import app
from agent.paths import Paths
from agent.store.database import Store
from tests.classes.attending import Roll
from tests.cli.test_cli import SETTINGS

Run = Callable[..., Result]
TODAY = datetime.now(UTC).astimezone(SHANGHAI)
"""The commands go by the machine's own clock."""


def day(number: int) -> str:
    return f"{TODAY + timedelta(days=number):%Y-%m-%d}"


def configured(paths: Paths, environment: str = "demonstration") -> Run:
    path = paths.state.parent / "agent.toml"
    content = SETTINGS.format(
        folder=paths.state.parent, cameras="[cameras]", port=18443, environment=environment
    )
    path.write_text(content, encoding="utf-8")

    def invoke(*arguments: str, code: int = 0, text: str | None = None) -> Result:
        result = CliRunner().invoke(app, ["--config", str(path), *arguments], input=text)
        assert result.exit_code == code, result.output
        return result

    return invoke


@pytest.fixture
def run(paths: Paths) -> Run:
    return configured(paths)


@pytest.fixture
def roll(store: Store) -> Roll:
    return Roll(store, opening_day=day(-30))


def lessons(run: Run) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("timetable", "show", "C1", "--json").stdout)
    return found


def test_import_move_extend_cancel_and_take_back(roll: Roll, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text(
        f"日期,开始,结束,类型,课时,课间\n{day(1)},08:30,12:00,理论,4,10\n{day(2)},08:30,12:00,实操,4,\n",
        encoding="utf-8",
    )
    assert "a dry run" in run("timetable", "import", "C1", str(file), "--dry-run").output
    assert lessons(run) == []
    run("timetable", "import", "C1", str(file), "--reason", "第一版")
    theory, practical = lessons(run)
    assert (theory["class_hours"], len(theory["breaks"]), practical["breaks"]) == (4, 3, [])
    assert "nothing changes" in run("timetable", "import", "C1", str(file)).output
    run("timetable", "move", theory["session"][:8], "--day", day(3), "--from", "14:00", "--reason", "调课")
    run("timetable", "extend", practical["session"][:8], "--to", "12:45", "--hours", "5", "--reason", "加课")
    run("timetable", "cancel", practical["session"][:8], "--reason", "停电")
    _, moved = lessons(run)
    assert moved["session"] == theory["session"]
    assert moved["end_us"] - moved["start_us"] == theory["end_us"] - theory["start_us"]
    shown = run("timetable", "show", "C1", "--edits").output
    assert "停电" in shown and "第一版" in shown
    edit = next(line for line in shown.splitlines() if line.endswith("停电")).split()[0]
    run("timetable", "undo", "C1", edit, "--reason", "来电")
    assert sorted((each["class_hours"], each["state"]) for each in lessons(run)) == [
        (4, "planned"),
        (5, "cancelled"),
        (5, "planned"),
    ]
    again = run("timetable", "undo", "C1", edit, "--reason", "再来", code=1)
    assert "was taken back by" in again.output


def test_what_is_refused_says_why_and_changes_nothing(roll: Roll, run: Run, tmp_path: Path) -> None:
    run("timetable", "add", "C1", "--day", day(1), "--from", "08:30", "--to", "11:30", "--hours", "4",
        "--reason", "加课", "--kind", "实操", "--breaks", "09:15-09:25")  # fmt: skip
    before = lessons(run)
    clash = run("timetable", "add", "C1", "--day", day(1), "--from", "11:00", "--to", "12:00", "--hours", "1",
                "--reason", "撞课", code=1)  # fmt: skip
    assert "the room is taken by" in clash.output and "nothing was changed" in clash.output
    bad = tmp_path / "t.csv"
    bad.write_text(
        "日期,开始,结束,类型,课时\n1900-01-01,08:30,11:30,理论,4\n昨天,08:30,11:30,理论,4\n", "utf-8"
    )
    said = run("timetable", "import", "C1", str(bad), code=1).output
    assert "row 3" in said
    bad.write_text(f"日期,开始,结束,类型,课时\n{day(5)},08:30,11:30,理论,4\n", "utf-8")
    assert "no such class" in run("timetable", "import", "nobody", str(bad), code=1).output
    for arguments in (
        ("show", "nobody"),
        ("move", "0000", "--day", day(1), "--from", "08:00", "--reason", "x"),
    ):
        run("timetable", *arguments, code=1)
    wrong: tuple[tuple[str, ...], ...] = (
        ("move", "../x", "--day", day(1), "--from", "08:00", "--reason", "x"),
        ("move", before[0]["session"], "--day", "morgen", "--from", "08:00", "--reason", "x"),
        ("make-up", before[0]["session"]),
        ("make-up", before[0]["session"], "--for", "abc"),
        ("add", "C1", "--day", day(1), "--from", "14:00", "--to", "15:00", "--hours", "1", "--reason", "x",
         "--kind", "party"),
        ("add", "C1", "--day", day(1), "--from", "14:00", "--to", "15:00", "--hours", "1", "--reason", "x",
         "--breaks", "14:10-14:20"),
    )  # fmt: skip
    for mistake in wrong:
        run("timetable", *mistake, code=2)
    assert lessons(run) == before


@pytest.mark.rule("R5")
def test_a_make_up_lesson_is_bound_at_the_console(roll: Roll, run: Run) -> None:
    missed = roll.lesson(f"{day(-5)} 08:00")
    roll.answer(missed, "A", 0, simulated=True)
    make_up = roll.lesson(f"{day(2)} 14:00", kind="make_up", state="planned")
    run("timetable", "make-up", make_up, "--for", f"{missed}:1", "--people", "学员A", code=1)
    said = run(
        "timetable", "make-up", make_up, "--for", f"{missed}:1", "--for", f"{missed}:2", "--people", "学员B"
    )
    assert "已安排 bound 2" in said.output
    assert "已安排 bound 1" in run("timetable", "make-up", make_up, "--for", f"{missed}:1").output, "and C"
    (first, second) = lessons(run)
    assert len(first["made_up_by"]) == len(second["stands_for"]) == 3
    assert "学员" not in json.dumps([first, second], ensure_ascii=False)
    assert (
        "已取消 released 1" in run("timetable", "make-up", make_up, "--release", "--people", "学员C").output
    )
    refused = run("timetable", "make-up", make_up, "--release", "--people", "学员C", code=1).output
    assert "is not bound to this make-up lesson" in refused
    assert "已取消 released 2" in run("timetable", "make-up", make_up, "--release").output


@pytest.mark.rule("R5")
def test_who_missed_the_make_up_lesson_is_bound_to_another_at_the_console(roll: Roll, run: Run) -> None:
    """The audit's case: two hours missed by two, one of whom came to the make-up lesson."""
    missed = roll.lesson(f"{day(-5)} 08:00")
    roll.answer(missed, "C", 0, simulated=True)
    first = roll.lesson(f"{day(-3)} 08:00", kind="make_up")
    another = roll.lesson(f"{day(2)} 14:00", kind="make_up", state="planned")
    hours = ("--for", f"{missed}:1", "--for", f"{missed}:2")
    assert "已安排 bound 4" in run("timetable", "make-up", first, *hours).output
    roll.answer(first, "B", 0, simulated=True)
    waits = run("timetable", "make-up", another, *hours, "--people", "学员B", code=1).output
    assert "is not decided yet" in waits and "--release --people" in waits
    roll.judge(first, "met", "met", simulated=True)
    assert "已安排 bound 2" in run("timetable", "make-up", another, *hours).output, "A alone"
    table = json.loads(run("attendance", "show", "C1", "--json").stdout)
    states = {each["person"]: each["made_up"] for each in table["trainees"]}
    assert states[roll.people["B"]] == 2 and states[roll.people["A"]] == 0
    said = run("timetable", "make-up", another, *hours, code=1).output
    assert "is still to come" in said and "nobody missed it" not in said


@pytest.mark.rule("R14")
def test_every_rule_of_a_class_with_its_clause_and_state(roll: Roll, run: Run, store: Store) -> None:
    store.execute("UPDATE class SET opening_day = '2025-09-04', city = 'jiaozuo', workplaces = 1")
    text = run("policy", "show", "C1", code=1).output
    assert "henan-2023, jiaozuo-2021" in text and "较宽，不适用 / milder, gives way" in text
    assert "R9 R15 R20: 本班适用的文件未规定" in text
    found = json.loads(run("policy", "show", "C1", "--json", code=1).stdout)
    states = {each["subject"]: each for each in found["rules"]}
    assert "at most 20 for each" in states["trainees_per_workplace"]["en"], "1 for 20 in 2023"
    assert states["trainees_per_workplace"]["state"] == "not_here", "1 for 3: typed, and seen by nobody"
    assert states["teachers_per_class"]["state"] == "not_met"
    assert states["practical_video"]["notices"][0]["id"] == "jiaozuo-2021"
    assert states["practical_video"]["milder"][0]["limit"] == 15
    run("policy", "show", "nobody", code=1)


def test_in_production_every_change_takes_hrs_password(paths: Paths, store: Store, tmp_path: Path) -> None:
    Roll(store, opening_day=day(-30))
    run = configured(paths, "production")
    wrong = tmp_path / "password"
    wrong.write_text("wrong", encoding="utf-8")
    said = run("timetable", "add", "C1", "--day", day(1), "--from", "08:30", "--to", "11:30", "--hours", "4",
               "--reason", "x", "--password-file", str(wrong), code=1)  # fmt: skip
    assert "wrong password" in said.output
    assert store.number("SELECT count(*) FROM session") == 0

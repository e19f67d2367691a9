"""`attendance` as HR staff use it at the console; the workbook read back."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
from typer.testing import CliRunner, Result

from agent.checkin.pins import set_pin
from agent.cli import app
from agent.paths import Paths
from agent.store.database import Store
from agent.store.vault import Vault
from tests.classes.attending import Roll, at
from tests.cli.test_cli import SETTINGS
from tests.clocks import ManualClock

Run = Callable[..., Result]
DAY = "2025-10-09"


@pytest.fixture
def run(paths: Paths) -> Run:
    path = paths.state.parent / "agent.toml"
    content = SETTINGS.format(
        folder=paths.state.parent, cameras="[cameras]", port=18443, environment="demonstration"
    )
    path.write_text(content, encoding="utf-8")

    def invoke(*arguments: str, text: str | None = None) -> Result:
        return CliRunner().invoke(app, ["--config", str(path), "attendance", *arguments], input=text)

    return invoke


@pytest.fixture
def roll(store: Store) -> Roll:
    """A attended both hours, B only the second, C's check-in waits; a hostile name on the list."""
    made = Roll(store)
    made.session = made.lesson(f"{DAY} 08:00", hours=2)
    made.answer(made.session, "A", 0)
    made.answer(made.session, "B", 30)
    made.answer(made.session, "C", 0, "awaiting_confirmation", method="pin")
    made.people["D"] = made.person("=HYPERLINK(1)", "trainee")
    made.film(made.session, 0, 90)
    return made


def test_the_table_at_the_console(roll: Roll, run: Run) -> None:
    shown = run("show", "C1")
    assert shown.exit_code == 0, shown.output
    assert "学员A\t2/2\t100.0%\t✓✓" in shown.output
    assert "学员B\t1/2\t50.0%\t✗✓" in shown.output
    assert "学员C\t0–2/2\t0.0–100.0%\t??" in shown.output
    assert "全班到课率 / class: 3–5/8\t37.5–62.5%" in shown.output
    assert "开班人数 2–3" in shown.output and "70%" in shown.output
    found = json.loads(run("show", "C1", "--json").stdout)
    assert "学员" not in json.dumps(found, ensure_ascii=False), "ids, no names"
    assert found["hours"][0]["states"][roll.people["B"]] == {"state": "absent", "reasons": []}
    assert found["opening"]["trainees"] == {"at_least": 2, "at_most": 3}
    unknown = run("show", "no-such-class")
    assert (unknown.exit_code, "no such class" in unknown.output) == (1, True)


@pytest.mark.rule("R5")
def test_who_joined_later_has_a_word_of_their_own_at_the_console(roll: Roll, run: Run, store: Store) -> None:
    joined_us = at(f"{DAY} 08:45")
    away = json.dumps([[0, joined_us]])
    store.execute("UPDATE enrolment SET away = ? WHERE person_id = ?", (away, roll.people["B"]))
    shown = run("show", "C1").output
    assert "学员B\t1/2\t50.0%\t未✓" in shown
    assert "未 未入班 not in the class yet" in shown and "the whole prescribed course" in shown
    found = json.loads(run("show", "C1", "--json").stdout)
    cell = found["hours"][0]["states"][roll.people["B"]]
    assert cell == {"state": "not_joined", "reasons": ["joined_later"]}


@pytest.mark.promise("I12")
def test_the_workbook_says_the_same_and_runs_nothing(roll: Roll, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "table.xlsx"
    done = run("export", "C1", str(file))
    assert done.exit_code == 0, done.output
    content = file.read_bytes()
    book = openpyxl.load_workbook(io.BytesIO(content))
    table, ground, corrected = book.worksheets
    assert (table["A1"].value, table["A2"].value, table.freeze_panes) == ("姓名", "Name", "B3")
    rows = {str(row[0].value): row for row in table.iter_rows(min_row=3)}
    assert [cell.value for cell in rows["学员B"][2:8]] == ["✗ 缺课", "✓ 到课", 2, 1, 1, 0.5]
    assert str(rows["学员C"][-1].value).startswith("密码签到待核实")
    hostile = rows["=HYPERLINK(1)"][0]
    assert (hostile.data_type, hostile.quotePrefix) == ("s", True)
    assert not any(cell.data_type == "f" for sheet in book.worksheets for row in sheet for cell in row)
    words = "\n".join(str(cell.value) for row in ground for cell in row if cell.value)
    assert "70%" in words and "计入培训到课率" in words and "开班人数 2–3" in words
    lines = [tuple(cell.value for cell in row) for row in ground]
    assert len(lines) == len(set(lines)), "no clause is quoted twice"
    assert corrected["A1"].value == "课时"
    (stated,) = [
        json.loads(row["data"])
        for row in roll.store.rows("SELECT data FROM fact WHERE type = 'access.attendance-exported'")
    ]
    assert stated["sha256"] == hashlib.sha256(content).hexdigest()
    assert stated["records"]["sha256"] in words
    again = run("export", "C1", str(file))
    assert (again.exit_code, file.read_bytes()) == (2, content), "never overwritten"
    assert run("export", "C1", str(tmp_path / "table.csv")).exit_code == 2
    assert run("export", "C1", str(tmp_path / "no-such-folder" / "table.xlsx")).exit_code == 2
    named = run("export", "C1", str(tmp_path / "b.xlsx"), "--note", "学员A 的")
    assert (named.exit_code, (tmp_path / "b.xlsx").exists()) == (2, False)


@pytest.mark.promise("I10")
def test_a_correction_asks_for_the_teachers_own_pin(
    roll: Roll, run: Run, store: Store, paths: Paths, clock: ManualClock
) -> None:
    given = set_pin(store, Vault(paths.keys), clock.now(), roll.teacher, None, "hr", simulated=True)
    trainees = set_pin(store, Vault(paths.keys), clock.now(), roll.people["A"], None, "hr", simulated=True)

    def correct(number: int, pin: str, *more: str) -> Result:
        return run(
            "correct", "C1", "--session", roll.session[:8], "--hour", "1", "--person-name", "学员B",
            "--as", "attended", "--reason", "seen", "--from", f"{DAY} 08:05", "--teacher", str(number), *more,
            text=f"{pin}\n",
        )  # fmt: skip

    wrong = correct(given.number, "000000")
    assert (wrong.exit_code, "wrong" in wrong.output) == (1, True)
    other = correct(trainees.number, trainees.pin)
    assert (other.exit_code, "only a teacher" in other.output) == (1, True)
    early = correct(given.number, given.pin, "--to", f"{DAY} 07:00")
    assert (early.exit_code, "times in the lesson" in early.output) == (1, True)
    done = correct(given.number, given.pin, "--to", f"{DAY} 08:06")
    assert done.exit_code == 0, done.output
    assert "学员B\t2/2\t100.0%\t✓✓" in run("show", "C1").output
    assert re.search(r"[0-9a-f-]{36}$", done.output.strip())
    assert given.pin not in done.output

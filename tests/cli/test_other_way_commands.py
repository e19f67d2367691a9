"""`pin`, `suspicions`, `teacher`, `spot-check` as HR staff use them at the console."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from typer.testing import CliRunner, Result

from agent.checkin.verdicts import decide
from agent.cli import app
from agent.paths import Paths
from agent.store.database import Store
from tests.checkin.other_rows import Lesson, face
from tests.cli.test_cli import SETTINGS
from tests.clocks import ManualClock

Run = Callable[..., Result]


@pytest.fixture
def lesson(store: Store, paths: Paths, clock: ManualClock) -> Lesson:
    return Lesson(store, paths, clock, room="R1")


@pytest.fixture
def run(paths: Paths) -> Run:
    path = paths.state.parent / "agent.toml"
    content = SETTINGS.format(
        folder=paths.state.parent, cameras="[cameras]", port=18443, environment="demonstration"
    )
    path.write_text(re.sub(r'room = "[^"]*"', 'room = "R1"', content), encoding="utf-8")

    def invoke(*arguments: str, text: str | None = None) -> Result:
        return CliRunner().invoke(app, ["--config", str(path), *arguments], input=text)

    return invoke


def test_a_pin_is_given_shown_once_and_taken_away(lesson: Lesson, run: Run) -> None:
    lesson.person("学员甲")
    lesson.person("学员乙")
    lesson.person("学员乙")
    given = run("pin", "set", "--class", "C1", "--person-name", "学员甲")
    assert given.exit_code == 0, given.output
    found = re.search(r"number (\d{3}) · 密码 / PIN (\d{6})", given.output)
    assert found
    assert lesson.enter(found[1], found[2]).code == "waiting"
    listed = run("pin", "list", "--class", "C1").output
    assert found[1] in listed
    assert found[2] not in listed
    typed = run("pin", "set", "--class", "C1", "--person-name", "学员甲", "--choose", text="748201\n748201\n")
    assert typed.exit_code == 0
    assert "748201" not in typed.output
    assert lesson.enter(found[1], "748201").code == "already_waiting"
    weak = run("pin", "set", "--class", "C1", "--person-name", "学员甲", "--choose", text="111111\n111111\n")
    assert (weak.exit_code, "too simple" in weak.output) == (1, True)
    assert run("pin", "remove", "--class", "C1", "--person-name", "学员甲").exit_code == 0
    assert run("pin", "remove", "--class", "C1", "--person-name", "学员甲").exit_code == 1
    assert "nobody has a PIN" in run("pin", "list", "--class", "C1").output
    for wrong in (("--person-name", "学员乙"), ("--person-name", "没有"), ()):
        assert run("pin", "set", "--class", "C1", *wrong).exit_code == 2


@pytest.mark.rule("R7", "R15")
def test_suspicions_and_teachers_at_the_console(lesson: Lesson, run: Run) -> None:
    assert "no suspicions" in run("suspicions", "list").output
    lesson.person("赵老师", "teacher")
    lesson.person("学员甲")
    for number in range(3):
        lesson.look("unknown", template=face(number))
    listed = run("suspicions", "list").output
    found = re.findall(r"^([0-9a-f-]{36})  .*stranger", listed, re.M)
    assert len(found) == 3
    for one in found:
        decide(lesson.store, lesson.clock.now(), one, "confirmed", "hr", "是")
    assert "ALARM (R7)  C1: 3" in run("suspicions", "list", "--all").output
    assert run("suspicions", "reopen", found[0], "--reason", "再查").exit_code == 0
    assert run("suspicions", "reopen", found[0], "--reason", "再查").exit_code == 1
    assert "ALARM" not in run("suspicions", "list").output
    assert run("teacher", "--class", "C1", "--person-name", "赵老师").exit_code == 0
    assert run("teacher", "--class", "C1", "--person-name", "赵老师").exit_code == 1
    assert run("teacher", "--class", "C1", "--person-name", "学员甲").exit_code == 1
    assert run("teacher", "--class", "C1", "--person-name", "赵老师", "--withdraw").exit_code == 0


@pytest.mark.rule("R18")
def test_a_spot_check_at_the_console(lesson: Lesson, run: Run) -> None:
    refused = run("spot-check")
    assert (refused.exit_code, "no trainee is present" in refused.output) == (1, True)
    lesson.look("accepted", lesson.person("学员甲"))
    answer = run("spot-check", "--minutes", "3")
    assert answer.exit_code == 0, answer.output
    assert "drawn: 学员甲" in answer.output
    assert lesson.facts("spot-check.drawn")[0][1]["origin"] == "console"

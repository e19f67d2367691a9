"""`timetable held` as HR staff use it at the console."""

from __future__ import annotations

import pytest

from tests.classes.attending import MINUTE, Roll, at
from tests.cli.test_timetable_commands import Run, day, lessons, roll, run

__all__ = ["roll", "run"]


@pytest.mark.rule("R10")
def test_a_lesson_that_began_late_and_overran_is_put_right_at_the_console(roll: Roll, run: Run) -> None:
    yesterday = day(-1)
    held = roll.lesson(f"{yesterday} 08:30")
    roll.store.execute("UPDATE session SET closed_us = ?", (at(f"{yesterday} 10:40"),))
    roll.store.execute("UPDATE session SET opened_us = ?", (at(f"{yesterday} 09:00"),))
    (before,) = lessons(run)
    assert [each["standing"] for each in before["hours"]] == ["short", "held"]
    said = run("timetable", "move", held, "--day", yesterday, "--from", "09:00", "--reason", "晚", code=1)
    assert "timetable held" in said.output
    times = ("held", held, "--from", "09:00", "--to", "10:30", "--reason", "晚开课半小时")
    assert "no recording of 09:00" in run("timetable", *times, code=1).output
    roll.film(held, -15, 135)
    assert "a dry run" in run("timetable", *times, "--dry-run").output
    assert "09:00–10:30" in run("timetable", *times).output
    (after,) = lessons(run)
    assert [(each["standing"], each["held_us"] // MINUTE) for each in after["hours"]] == [("held", 45)] * 2
    (edit,) = [line.split()[0] for line in run("timetable", "show", "C1", "--edits").output.splitlines()
               if line.endswith("晚开课半小时")]  # fmt: skip
    run("timetable", "undo", "C1", edit, "--reason", "写错了")
    assert lessons(run) == [before]

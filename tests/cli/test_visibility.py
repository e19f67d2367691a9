"""`visibility show` and `visibility decide` at the console."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.cli import app
from agent.paths import Paths
from agent.store import visibility
from agent.store.database import Store
from tests.cli.test_continuity import config
from tests.clocks import ManualClock
from tests.web.lesson import hold_lesson
from tests.web.test_visibility import state_verdict

__all__ = ["config"]


@pytest.mark.rule("R6")
def test_an_uncertain_class_hour_is_decided_and_shown_beside_the_devices_verdict(
    config: Path, store: Store, paths: Paths, clock: ManualClock
) -> None:
    lesson = hold_lesson(store, clock.wall_us)
    state_verdict(store, paths, lesson.session, "uncertain")

    def ask(*words: str, code: int = 0) -> str:
        result = CliRunner().invoke(app, ["--config", str(config), "visibility", *words])
        assert result.exit_code == code, result.output
        return result.output

    assert "无法确定 uncertain" in ask("show", lesson.session[:8])
    assert "no such lesson" in ask("show", "ffffffff", code=1)
    assert "VERDICT = 'maybe'" in ask("decide", lesson.session, "1", "maybe", "--reason", "x", code=2)
    assert "reason" in ask("decide", lesson.session, "1", "shown", "--reason", " ", code=1)
    assert "recorded" in ask("decide", lesson.session, "1", "not-shown", "--reason", "后排看不见")
    shown = ask("show", lesson.session, code=1)
    assert "未显示全员 not shown" in shown and "设备 device: 无法确定 uncertain" in shown
    assert "R6: 1/3" in shown
    (hour,) = json.loads(ask("show", lesson.session, "--json", code=1))["hours"]
    assert (hour["verdict"], hour["device"]["verdict"]) == ("not_shown", "uncertain")
    ask("decide", lesson.session, "1", "uncertain", "--reason", "撤回")
    assert visibility.strikes(store, _class_of(store)).count == 0


def _class_of(store: Store) -> str:
    return str(store.one("SELECT id FROM class")[0])

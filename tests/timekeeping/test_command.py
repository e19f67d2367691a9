"""`classroom-agent clock`, as HR staff and the technician meet it."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from agent.cli import app
from agent.clock import SystemClock
from agent.configuration.credential import set_first_password
from agent.configuration.setup_code import ensure_setup_code
from agent.store.database import Store
from agent.timekeeping.report import face
from tests.cli.test_cli import write_config

PASSWORD = "Xinxiang-7-Lane-43"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A production node whose HR password is set."""
    path = write_config(tmp_path, environment="production")
    (tmp_path / "password").write_text(PASSWORD + "\n", encoding="utf-8")
    assert run(path, "status").exit_code in (0, 1), "makes the folders"
    with Store(tmp_path / "state/agent.sqlite") as store:
        keys = tmp_path / "state/keys"
        code = ensure_setup_code(keys, store) or ""
        set_first_password(store, SystemClock().now(), keys, code=code, password=PASSWORD, simulated=True)
    return path


def run(config: Path, *arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(app, ["--config", str(config), "clock", *arguments], input=given)


def compared(config: Path) -> list[dict[str, int]]:
    with sqlite3.connect(config.parent / "state/agent.sqlite") as database:
        rows = database.execute("SELECT data FROM fact WHERE type = 'node.clock-compared'").fetchall()
    return [json.loads(data) for (data,) in rows]


@pytest.mark.rule("R20")
@pytest.mark.promise("I8")
def test_a_comparison_is_recorded_under_hrs_password_alone(config: Path) -> None:
    password = ("--password-file", str(config.parent / "password"))
    wrong = config.parent / "wrong"
    wrong.write_text("not this one 12\n", encoding="utf-8")
    now = face(time.time_ns() // 1000)
    assert run(config, "check", "--watch", now, "--password-file", str(wrong)).exit_code == 1
    assert run(config, "check", "--watch", "soon", *password).exit_code == 2
    assert run(config, "check", "--watch", "2020-01-01 09:00", *password, given="n\n").exit_code == 1
    assert compared(config) == []
    done = run(config, "check", *password, given=face(time.time_ns() // 1000) + "\n")
    assert done.exit_code == 0, done.output
    assert "已记录" in done.output
    (said,) = compared(config)
    assert abs(said["difference_us"]) < 30_000_000
    after = run(config, "status")
    assert after.exit_code == 0
    assert "人社部门核对" in after.output

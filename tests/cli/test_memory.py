"""scripts/memory.py names roles and adds up."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.memory import memory_kib, role_of
from tests.cli.test_cli import agent_process, write_config
from tests.waiting import wait_until

SCRIPT = Path(__file__).resolve().parents[2] / "scripts/memory.py"


@pytest.mark.parametrize(
    ("command", "role"),
    [
        (b"/venv/bin/python\0-m\0agent\0run\0recorder\0", "recorder"),
        (b"/venv/bin/python\0-m\0agent\0--config\0/etc/a.toml\0run\0web\0", "web"),
        (b"/venv/bin/python\0-m\0agent\0run\0", "supervisor"),
        (b"/venv/bin/python\0/venv/bin/classroom-agent\0run\0", "supervisor"),
        (b"/venv/bin/python\0-m\0agent\0accept\0", None),
        (b"python\0-m\0pytest\0", None),
    ],
)
def test_roles_are_told_from_other_programs(command: bytes, role: str | None) -> None:
    assert role_of(command) == role


def test_a_running_role_is_measured(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    process = agent_process(config, "run", "checkin")
    wait_until((tmp_path / "runtime/status/checkin.json").exists, 20, "it runs")
    answer = subprocess.run(
        [sys.executable, str(SCRIPT), str(config)], capture_output=True, text=True, check=True
    )
    own = memory_kib(process.pid)
    process.kill()
    process.communicate()
    measured = json.loads(answer.stdout)
    assert 5_000 < own["pss"] < 200_000
    assert list(measured["roles"]) == ["checkin"]
    assert measured["roles"]["checkin"]["pid"] == process.pid
    assert measured["sum_pss"] == measured["roles"]["checkin"]["pss"] > 5_000

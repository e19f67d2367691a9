"""Acceptance beside a daemon at work, and beside one that only looks alive."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.acceptance.roles import role_status
from agent.acceptance.trial import watch_recorder
from agent.clock import SystemClock
from agent.paths import Paths
from agent.settings import Settings
from tests.acceptance.conftest import MakeSettings
from tests.waiting import wait_until


def config_text(settings: Settings) -> str:
    storage, node = settings.storage, settings.node
    cameras = "".join(
        f'[cameras.{name}]\ndriver = "file"\npath = "{camera.path}"\n'
        for name, camera in settings.cameras.items()
        if camera.driver == "file"
    )
    return (
        f'[node]\ninstitution = "{node.institution}"\nroom = "{node.room}"\nnode = "{node.node}"\n'
        f'environment = "demonstration"\n[storage]\nstate = "{storage.state}"\nvideo = "{storage.video}"\n'
        f'runtime = "{storage.runtime}"\nrequire_volume_marker = false\n{cameras}'
    )


@pytest.fixture
def settings(node: MakeSettings) -> Settings:
    return node(door=None)


@pytest.fixture
def recorder(settings: Settings, paths: Paths, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    config = tmp_path / "agent.toml"
    config.write_text(config_text(settings), encoding="utf-8")
    command = [sys.executable, "-m", "agent", "--config", str(config), "run", "recorder"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    clock = SystemClock()

    def records() -> bool:
        status = role_status(paths, "recorder", clock.now())
        return status is not None and status.detail.get("segment") is not None

    wait_until(records, 30, "the recorder records")
    yield process
    process.kill()
    process.wait()


def test_growing_footage_is_good(settings: Settings, recorder: subprocess.Popen[bytes]) -> None:
    found = watch_recorder(settings, SystemClock(), 10)
    assert found.verdict == "good"
    assert found.measured["kbit_per_second"] > 0


def test_a_hung_recorder_is_not_taken_for_a_working_one(
    settings: Settings, recorder: subprocess.Popen[bytes]
) -> None:
    os.kill(recorder.pid, signal.SIGSTOP)
    assert watch_recorder(settings, SystemClock(), 2).verdict == "bad"


def test_accept_works_beside_the_running_recorder(
    settings: Settings, recorder: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    command = [sys.executable, "-m", "agent", "--config", str(tmp_path / "agent.toml"), "accept"]
    answer = subprocess.run(
        [*command, "--seconds", "5", "--report", str(report)], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 1, "other roles do not run and no password is set"
    lines = answer.stdout.splitlines()
    assert any(line.startswith("✔ 试录") for line in lines), answer.stdout
    assert any(line.startswith("✔ 录像正在落盘") for line in lines), answer.stdout
    assert any(line.startswith("✘ ledger 没有运行") for line in lines), answer.stdout
    assert report.exists()
    assert report.with_suffix(".txt").exists()

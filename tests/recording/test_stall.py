"""A recorder that hangs in its disk says so, and is no less dead to the watchdogs for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent import board
from agent.clock import SystemClock
from agent.paths import Paths
from agent.recording.stall import AFTER_S, StallWatch
from agent.role import RoleContext
from agent.settings import load_settings
from tests.recording.process import RecorderProcess


@pytest.mark.promise("I11")
def test_a_hanging_recorder_is_a_fault_on_the_board_under_its_old_stamps(
    paths: Paths, clip_path: Path
) -> None:
    RecorderProcess(paths, f'driver = "file"\npath = "{clip_path}"')  # writes the settings
    context = RoleContext("recorder", load_settings(paths.state / "agent.toml"), paths, SystemClock())
    watch = StallWatch(context)
    watch.look(10**18)
    assert not (paths.status / "recorder.json").exists(), "nothing was reported that could be late"
    context.report("running", "正在录像", "recording", recorder="recording")
    reported = board.read_json(paths.status / "recorder.json")
    assert reported is not None and context.reported_ns is not None
    watch.look(context.reported_ns + round((AFTER_S - 1) * 1e9))
    assert board.read_json(paths.status / "recorder.json") == reported
    watch.look(context.reported_ns + 30 * 10**9)
    shown = board.read_json(paths.status / "recorder.json")
    assert shown is not None
    assert shown["state"] == "fault" and "30 s" in shown["message"]["en"]
    assert {**shown, "state": "running", "message": reported["message"]} == reported

"""The watcher's role beside a recorder in a process of its own, as on a node."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import models.weights
from agent import board
from agent.clock import SystemClock
from agent.paths import Paths
from agent.role import RoleContext
from agent.settings import load_settings
from agent.store.database import Store
from agent.visibility import role
from agent.visibility.counting import head_counter
from agent.visibility.role import Watch
from agent.visibility.watcher import Watcher
from tests import synthetic
from tests.recording.rig import Rig
from tests.visibility.segments import PictureNumberCounter, publish_status
from tests.waiting import wait_until

CONFIG = """
[node]
institution = "school"
room = "room-101"
node = "node-1"
environment = "demonstration"
[storage]
state = "{paths.state}"
video = "{paths.video}"
runtime = "{paths.runtime}"
require_volume_marker = false
minimum_free_mib = 10
[visibility]
count_interval_seconds = 1
[cameras.rear]
driver = "file"
path = "rear.mp4"
"""


@pytest.fixture
def context(paths: Paths, tmp_path: Path) -> RoleContext:
    synthetic.clip(tmp_path / "rear.mp4", seconds=4, fps=10, gop=10)
    config = tmp_path / "agent.toml"
    config.write_text(CONFIG.format(paths=paths), encoding="utf-8")
    settings = load_settings(config)
    return RoleContext("watch", settings, settings.paths, SystemClock())


def start_recorder(tmp_path: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "agent", "--config", str(tmp_path / "agent.toml"), "run", "recorder"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.fixture
def recorder(context: RoleContext, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = start_recorder(tmp_path)
    yield process
    process.kill()
    process.wait(10)


def status(context: RoleContext) -> dict[str, Any]:
    return board.read_json(context.paths.status / "watch.json") or {}


@pytest.mark.promise("I11")
def test_counts_while_another_process_records_and_outlives_it(
    context: RoleContext, recorder: subprocess.Popen[bytes], tmp_path: Path, store: Store
) -> None:
    thread = threading.Thread(target=role.run, args=(context,))
    thread.start()

    def counts() -> int:
        row = store.row("SELECT count(*) FROM head_count")
        return 0 if row is None else int(row[0])

    try:
        wait_until(lambda: counts() >= 3, 40, "three pictures counted")
        assert status(context)["state"] == "running"
        picture = board.read_json(context.paths.frames / "rear.json")
        assert picture is not None and picture["simulated"] is True
        recorder.kill()  # in the middle of a fragment
        recorder.wait(10)
        before = counts()
        second = start_recorder(tmp_path)
        try:
            wait_until(lambda: counts() >= before + 2, 40, "counting goes on in the next run's file")
            runs = store.row("SELECT count(DISTINCT run_id) FROM head_count")
            assert runs is not None and runs[0] == 2
        finally:
            second.kill()
            second.wait(10)
    finally:
        context.stop.set()
        thread.join(20)
    assert not thread.is_alive()


@pytest.fixture
def watch(context: RoleContext, rig: Rig) -> Watch:
    """A watcher on the rig's footage."""
    rig.begin(2.7)
    publish_status(context.paths, rig)
    watcher = Watcher(context.paths, "room-101", PictureNumberCounter(), rig.clock, simulated=True)
    return Watch(context, watcher)


@pytest.mark.promise("I11")
def test_a_locked_database_is_said_and_outlived(
    watch: Watch, context: RoleContext, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Store.__init__, "__kwdefaults__", {"busy_timeout_ms": 100})
    holder = sqlite3.connect(store.path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    watch.step()
    assert status(context)["state"] == "fault" and "locked" in status(context)["message"]["en"]
    holder.execute("ROLLBACK")
    holder.close()
    watch.step()
    assert status(context)["state"] == "running" and status(context)["detail"]["counted"] == 2
    watch.close()


def test_a_picture_that_cannot_be_published_is_counted_and_said(
    watch: Watch, context: RoleContext, store: Store
) -> None:
    context.paths.frames.rmdir()
    watch.step()
    said = status(context)["message"]
    assert "画面发布不了" in said["zh"] and "cannot be published" in said["en"]
    row = store.row("SELECT count(*) FROM head_count")
    assert row is not None and row[0] == 1
    context.paths.frames.mkdir()
    watch.step()
    assert status(context)["state"] != "fault"
    watch.close()


@pytest.mark.promise("I11")
def test_damaged_footage_is_said_and_left_alone(watch: Watch, context: RoleContext) -> None:
    (path,) = [p for p in context.paths.segments.glob("*/*.mp4") if p.name.startswith("000001")]
    before = path.read_bytes()
    torn = bytearray(before)
    torn[30:34] = b"\xff\xff\xff\xff"
    path.write_bytes(torn)
    watch.step()
    assert status(context)["state"] == "fault"
    assert path.read_bytes() == torn, "the watcher never writes into footage"
    path.write_bytes(before)
    watch.step()
    assert status(context)["state"] == "running"
    watch.close()


def test_without_a_recording_it_waits(context: RoleContext) -> None:
    watcher = Watcher(context.paths, "room-101", PictureNumberCounter(), context.clock, simulated=True)
    watch = Watch(context, watcher)
    watch.step()
    assert (status(context)["state"], status(context)["message"]["en"]) == ("waiting", "no recording")
    watch.close()


@pytest.mark.promise("I9")
def test_while_the_chosen_counter_is_not_installed_no_other_counts(
    context: RoleContext, rig: Rig, store: Store
) -> None:
    rig.begin(2.7)
    publish_status(context.paths, rig)
    visibility = context.settings.visibility.model_copy(update={"counter": "nanodet"})
    checkin = context.settings.checkin.model_copy(update={"models_folder": context.paths.state / "models"})
    settings = context.settings.model_copy(update={"visibility": visibility, "checkin": checkin})
    counter = head_counter(settings)
    watch = Watch(context, Watcher(context.paths, "room-101", counter, rig.clock, simulated=True))
    watch.step()
    watch.step()
    said = status(context)
    assert said["state"] == "fault"
    assert "没有统计人数：请安装：classroom-agent models install nanodet-g-416" in said["message"]["zh"]
    assert "models install nanodet-g-416" in said["message"]["en"]
    row = store.row("SELECT count(*) FROM head_count")
    assert row is not None and row[0] == 0, "nothing takes its place"
    watch.close()


@pytest.mark.promise("I9")
def test_without_its_weights_nobody_is_counted_and_that_is_said(
    context: RoleContext, rig: Rig, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.begin(2.7)
    publish_status(context.paths, rig)
    (tmp_path / "weights.toml").write_bytes(models.weights.MANIFEST.read_bytes())
    monkeypatch.setattr("models.weights.MANIFEST", tmp_path / "weights.toml")
    counter = head_counter(context.settings)
    watch = Watch(context, Watcher(context.paths, "room-101", counter, rig.clock, simulated=True))
    watch.step()
    said = status(context)
    assert said["state"] == "fault" and "没有统计人数" in said["message"]["zh"]
    assert "head_net.onnx" in said["message"]["en"] and "install" in said["message"]["en"]
    row = store.row("SELECT count(*) FROM head_count")
    assert row is not None and row[0] == 0
    monkeypatch.undo()
    watch.step()
    assert status(context)["state"] == "running", "installed again, it counts"
    watch.close()

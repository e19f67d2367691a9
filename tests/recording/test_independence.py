"""I11: the recorder depends on its camera, its disk and its clock, and on nothing else."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.paths import Paths
from agent.recording.scan import scan_segment
from agent.store.database import Store
from tests.recording.process import RecorderProcess
from tests.waiting import wait_until

pytestmark = pytest.mark.promise("I11")

FOREIGN = {
    "argon2", "cryptography", "cv2", "dlib", "face_recognition_models", "fastapi", "ffmpeg", "jinja2",
    "joserfc", "jwcrypto", "onnxruntime", "openpyxl", "paho", "starlette", "uvicorn",
    "agent.checkin", "agent.classes", "agent.evidence", "agent.sync", "agent.visibility", "agent.web",
    "models",
}  # fmt: skip
"""Decoders, models, cryptography, network and the other roles: nothing of it is a recorder's."""


@pytest.fixture
def process(paths: Paths, clip_path: Path) -> Iterator[RecorderProcess]:
    wrapper = ["unshare", "--net"] if os.geteuid() == 0 and _can_unshare() else []
    recorder = RecorderProcess(paths, f'driver = "file"\npath = "{clip_path}"', wrapper=wrapper)
    yield recorder
    recorder.end()


def _can_unshare() -> bool:
    return subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode == 0


def recorded_seconds(process: RecorderProcess) -> float:
    return sum(
        sum(fragment.duration for fragment in scan_segment(file).fragments) / 10_240
        for file in process.files()
    )


def test_it_records_with_the_database_locked_then_deleted_and_without_a_network(
    process: RecorderProcess,
) -> None:
    database = process.paths.database
    Store(database).close()
    lock = sqlite3.connect(database, isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    process.start("-X", "importtime")
    process.wait_for("recording")
    wait_until(
        lambda: recorded_seconds(process) > 3, 30, "three seconds on the disk beside a locked database"
    )
    lock.close()
    for path in process.paths.state.glob("agent.sqlite*"):
        path.unlink()
    before = recorded_seconds(process)
    wait_until(lambda: recorded_seconds(process) > before + 2, 30, "two more beside a deleted one")
    assert process.stop() == 0

    imported = {
        match[1] for match in re.finditer(r"^import time:.*\|\s+([\w.]+)$", process.log, re.MULTILINE)
    }
    assert "agent.recording.recorder" in imported, "the list of imports was read"
    assert not {name for name in imported if any(name == f or name.startswith(f + ".") for f in FOREIGN)}


def test_a_read_only_runtime_folder_does_not_stop_it(process: RecorderProcess) -> None:
    """A full or broken tmpfs costs the status, not the footage."""
    process.paths.status.rmdir()
    process.paths.status.write_text("no folder")
    process.start()
    wait_until(lambda: recorded_seconds(process) > 2, 30, f"two seconds on the disk; log:\n{process.log}")
    assert process.stop() == 0


def test_a_second_recorder_on_the_same_folder_is_refused_with_a_sentence(
    process: RecorderProcess, paths: Paths, clip_path: Path, tmp_path: Path
) -> None:
    process.start()
    process.wait_for("recording")
    elsewhere = Paths(tmp_path / "other", paths.video, tmp_path / "other-runtime")
    elsewhere.state.mkdir()
    second = RecorderProcess(elsewhere, f'driver = "file"\npath = "{clip_path}"')
    second.start()
    assert second.process is not None
    assert second.process.wait(30) != 0
    assert "录像目录" in second.log and "stop" in second.log
    assert process.stop() == 0

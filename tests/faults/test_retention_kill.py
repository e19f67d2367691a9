"""Retention killed at every step of a deletion: no file goes that is not stated, none is stated and stays.

The process kills itself, at its n-th look at a file, its n-th unlink, its n-th folder sync; then the next one
goes on. After each kill a recorder starts, whose sweep must take nothing in again.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from agent.store import files_to_remove
from agent.store.facts import FactType
from tests.archive.retention.past import old_room, vouch_for_the_machine
from tests.archive.retention.room import Room
from tests.recording.conftest import clip, clip_path, rig
from tests.recording.rig import Rig
from tests.technician import write_settings

__all__ = ["clip", "clip_path", "rig"]

REPOSITORY = Path(__file__).resolve().parents[2]
KILLER = """
import os, signal, sys
at, video = int(sys.argv[1]), sys.argv[2]
left = [at]
def hook(event, arguments):
    if event in ("os.remove", "os.rmdir", "open") and str(arguments[0]).startswith(video):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hook)
sys.argv = ["classroom-agent", *sys.argv[3:]]
from agent.cli import run
run()
"""


def run_and_kill(room: Room, at: int) -> int:
    """Exit status of a retention that is killed at its `at`-th touch of the video folder."""
    config = write_settings(room.rig.paths)
    command = [sys.executable, "-c", KILLER, str(at), str(room.rig.paths.video / "segments")]
    command += ["--config", str(config), "retention", "run", "--now", "--yes"]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, timeout=60, check=False).returncode


@pytest.mark.promise("I1")
def test_killed_at_every_step_it_loses_no_deletion_and_deletes_nothing_unstated(rig: Rig) -> None:
    room = old_room(rig, seconds=8)
    files = {file: file.read_bytes() for file in rig.files_with_footage()}
    kills = 0
    for at in (*range(1, 8), 10**6):
        status = run_and_kill(room, at)
        kills += status == -9
        check(room, files)
        if at % 3 == 0 and status == -9:
            rig.start(new_boot=True)  # a recorder's start sweeps the folder
            rig.volume.close()
            check(room, files)
        room.sign()
        vouch_for_the_machine(room)
    assert kills >= 3, "the kills fell into the work"
    assert status == 0 and not rig.files_with_footage()
    assert files_to_remove.waiting(room.store, "local", 100) == []


def check(room: Room, files: dict[Path, bytes]) -> None:
    stated = Counter(
        (said["run"], said["sequence"])
        for said in (json.loads(fact["data"]) for fact in room.facts(FactType.SEGMENT_EXPIRED))
    )
    assert set(stated.values()) <= {1}, "each deletion is stated once"
    assert not room.facts(FactType.INDEX_REBUILT), "nothing was taken in again"
    rows = {room.rig.paths.video / row.path: row for row in room.rows()}
    waiting = set(files_to_remove.waiting(room.store, "local", 100))
    for file, content in files.items():
        row = rows[file]
        if not file.exists():
            assert row.expired_us is not None and stated[row.key] == 1, f"{file} went unstated"
        else:
            assert file.read_bytes() == content
            assert row.expired_us is None or row.path in waiting, "stated, and never finished"

"""The database locked, damaged, deleted under the real recorder: it records, and the index follows (I11)."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.paths import Paths
from tests import synthetic
from tests.faults.nursery import ForkedRecorder, nursery
from tests.faults.witness import Witness
from tests.waiting import wait_until

pytestmark = pytest.mark.promise("I1", "I3", "I11")

LOCKED_S = float(os.environ.get("CLASSROOM_AGENT_LOCKED_SECONDS", "60"))


@pytest.fixture
def recorder(paths: Paths, tmp_path: Path) -> Iterator[ForkedRecorder]:
    clip = synthetic.clip(tmp_path / "clip.mp4", seconds=20, fps=25, gop=25, size=(320, 240))
    with nursery(tmp_path) as forks:
        made = ForkedRecorder(forks, paths, f'driver = "file"\npath = "{clip}"', segment_seconds=2)
        yield made
        made.end()


def await_files(witness: Witness, more: int) -> None:
    enough = len(witness.files()) + more
    wait_until(lambda: len(witness.files()) >= enough, 60, f"{more} more segments")


def test_locked_for_a_minute_then_damaged_then_deleted(recorder: ForkedRecorder) -> None:
    witness = Witness(recorder.paths)
    database = recorder.paths.database
    recorder.start()
    recorder.wait_for("recording")
    await_files(witness, 2)

    before = len(witness.files())
    lock = sqlite3.connect(database, isolation_level=None, timeout=30)
    lock.execute("BEGIN EXCLUSIVE")
    time.sleep(LOCKED_S)  # the fault itself
    assert len(witness.files()) - before > LOCKED_S / 2 - 5
    assert recorder.status()["index"]["waiting"] > 0
    lock.execute("ROLLBACK")
    lock.close()
    wait_until(lambda: recorder.status()["index"]["waiting"] == 0, 60, "the index has caught up")

    for path in (database, *database.parent.glob("agent.sqlite-*")):
        path.write_bytes(b"no database any more" * 500)
    await_files(witness, 2)
    wait_until(lambda: recorder.status()["index"]["problem"], 60, "the damage is said")
    assert recorder.status()["recorder"] == "recording"

    for path in (database, *database.parent.glob("agent.sqlite-*")):
        path.unlink()
    wait_until(lambda: recorder.status()["index"]["problem"] is None, 60, "a new database")
    await_files(witness, 2)
    wait_until(lambda: recorder.status()["index"]["waiting"] == 0, 60, "nothing waits")
    recorder.stop()
    story = witness.check()
    assert story.reasons == ["operator"]
    assert len(story.runs) == 1, "the recorder never noticed"

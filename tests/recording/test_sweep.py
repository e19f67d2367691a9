"""What only the files know comes into the index, and what holds nothing is looked at once (I1)."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from agent.recording.recovery import newest_run
from agent.store.database import Row
from tests.recording.rig import Rig

pytestmark = pytest.mark.promise("I1")


def remembered(rig: Rig) -> list[Row]:
    return rig.store.rows("SELECT * FROM file_without_footage")


@pytest.mark.parametrize("content", ["the header alone", "zeros", "nothing"])
def test_a_file_without_a_whole_fragment_stays_and_is_read_once(rig: Rig, content: str) -> None:
    """Killed, or cut off, before the first fragment was whole."""
    rig.begin(0.4)
    rig.kill()
    (file,) = rig.paths.segments.glob("*/*.mp4")
    left = {"the header alone": file.read_bytes(), "zeros": bytes(4096), "nothing": b""}[content]
    file.write_bytes(left)
    rig.begin(3)
    rig.stop()
    (seen,) = remembered(rig)
    assert (seen["run_id"], seen["sequence"], seen["bytes"]) == (file.parent.name, 0, len(left))
    rig.clock.advance(60)
    rig.start_again()
    assert remembered(rig) == [seen], "it was not looked at again"
    rig.lose_database()
    rig.start()
    assert len(remembered(rig)) == 1
    assert file.read_bytes() == left
    rig.check_files()


def test_a_file_that_was_empty_and_holds_footage_now_is_taken_in(rig: Rig, tmp_path: Path) -> None:
    """As when a cable is changed and the disk gives back what it kept to itself."""
    rig.begin(5)
    rig.stop()
    file = rig.paths.video / rig.segments()[1]["path"]  # not the last, which each start looks at
    whole = shutil.copy2(file, tmp_path / "whole.mp4")
    os.truncate(file, 500)
    rig.lose_database()
    rig.start()
    assert [row["sequence"] for row in remembered(rig)] == [1]
    shutil.copy2(whole, file)
    rig.start_again()
    assert [row["sequence"] for row in rig.segments()] == [0, 1, 2]
    rig.check_files()


def test_one_unknown_file_among_known_ones_is_found(rig: Rig) -> None:
    rig.begin(7)
    rig.stop()
    before = [tuple(row) for row in rig.segments()]
    lost = rig.segments()[1]
    rig.store.execute(
        "DELETE FROM segment WHERE run_id = ? AND sequence = ?", (lost["run_id"], lost["sequence"])
    )
    rig.start_again()
    after = [tuple(row) for row in rig.segments()]
    assert len(after) == len(before)
    rig.check_files()


def test_the_newest_run_is_told_by_its_files_although_retention_touched_an_older_folder(rig: Rig) -> None:
    rig.begin(5)
    rig.fault()
    rig.connect()
    rig.play(3)
    rig.stop()
    older, newer = rig.segments()[0], rig.segments()[-1]
    for number, row in enumerate(rig.segments()):
        os.utime(rig.paths.video / row["path"], (1_800_000_000 + number, 1_800_000_000 + number))
    os.utime(rig.paths.segments / newer["run_id"], (1_800_000_000, 1_800_000_000))
    os.utime(rig.paths.segments / older["run_id"], (1_800_400_000, 1_800_400_000))
    assert newest_run(rig.paths.video)[-1].run == newer["run_id"]

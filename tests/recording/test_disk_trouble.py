"""A disk that is full, gone, slow or unreadable costs what it must and no more."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.paths import Paths
from agent.recording.feed import Overrun
from agent.recording.recorder import State
from drivers.disk import MARKER, create_marker
from tests.clocks import ManualClock
from tests.recording.rig import Clip, Rig


@pytest.fixture
def small_disk(paths: Paths) -> Iterator[Path]:
    """A real file system of 4 MiB at the video folder."""
    if os.geteuid() != 0:
        pytest.skip("SKIPPED LOUDLY: mounting a small file system needs root")
    paths.segments.rmdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(paths.video)]
    if subprocess.run(mount, capture_output=True, check=False, timeout=10).returncode:
        pytest.skip("SKIPPED LOUDLY: this system does not let tests mount")
    yield paths.video
    subprocess.run(["umount", "-l", str(paths.video)], check=False, timeout=10)


@pytest.mark.promise("I1", "I3")
def test_a_full_disk_is_a_gap_and_ends_when_there_is_room(rig: Rig, small_disk: Path) -> None:
    rig.minimum_free_mib = 0
    rig.begin()
    ballast = small_disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    rig.play(5)
    assert rig.is_in(State.DISK_FAULT)
    rig.play(20)
    ballast.unlink()
    rig.play(20)
    assert rig.is_in(State.RECORDING)
    rig.stop()
    assert rig.reasons() == ["disk", "operator"]
    assert rig.coverage().unexplained == ()
    rig.check_files()


@pytest.mark.promise("I3")
def test_below_the_floor_the_file_is_finished_and_nothing_is_torn(rig: Rig, small_disk: Path) -> None:
    rig.minimum_free_mib = 2
    rig.begin()
    (small_disk / "ballast").write_bytes(bytes(2 << 20))
    rig.play(2)
    assert rig.is_in(State.DISK_FAULT)
    assert "MiB" in rig.recorder.disk_problem
    assert rig.segments()[-1]["end_reason"] == "disk"
    (small_disk / "ballast").unlink()
    rig.play(10)
    rig.stop()
    assert rig.reasons() == ["disk", "operator"]
    assert rig.coverage().unexplained == ()
    rig.check_files()


@pytest.mark.promise("I1", "I3")
def test_a_vanished_disk_is_never_replaced_by_the_folder_beneath(rig: Rig, small_disk: Path) -> None:
    create_marker(small_disk)
    rig.require_marker = True
    rig.begin()
    subprocess.run(["umount", "-l", str(small_disk)], check=True, timeout=10)
    assert not (small_disk / MARKER).exists()
    rig.play(10)
    assert rig.is_in(State.DISK_FAULT)
    assert list(small_disk.iterdir()) == [], "nothing was written to the mount point"
    assert [row["end_us"] for row in rig.gaps() if row["reason"] == "disk"] == [None]


@pytest.mark.promise("I3")
def test_a_disk_that_is_missing_at_the_start(rig: Rig, paths: Paths, clock: ManualClock, clip: Clip) -> None:
    rig.require_marker = True
    rig.begin(5)
    assert rig.is_in(State.DISK_FAULT)
    create_marker(rig.paths.video)
    rig.play(15)
    assert rig.is_in(State.RECORDING)
    rig.stop()
    assert rig.reasons()[0] == "disk"
    assert rig.coverage(rig.gaps()[0]["start_us"], rig.clock.wall_us).unexplained == ()


@pytest.mark.promise("I3")
def test_a_disk_that_does_not_keep_up_is_a_gap(rig: Rig) -> None:
    rig.begin(3.4)
    rig.recorder.step(Overrun(), rig.clock.now())
    rig.play(4)
    rig.stop()
    assert rig.reasons() == ["disk", "operator"]
    assert rig.coverage().unexplained == ()


@pytest.mark.promise("I1", "I3")
def test_a_segment_that_could_not_be_created_is_one_gap(rig: Rig) -> None:
    """As when the room runs out, or the disk is pulled, at the very moment of rotation."""
    rig.begin(1)
    assert rig.recorder.run is not None
    in_the_way = rig.paths.segments / rig.recorder.run.id / "000001.mp4"
    in_the_way.mkdir()
    rig.play(3)
    assert rig.is_in(State.DISK_FAULT)
    in_the_way.rmdir()
    rig.play(20)
    assert rig.is_in(State.RECORDING)
    rig.stop()
    assert rig.reasons() == ["disk", "operator"]
    assert rig.coverage().unexplained == ()
    rig.check_files()


@pytest.mark.promise("I1", "I3")
def test_a_run_whose_first_file_could_not_be_created_is_one_gap(rig: Rig) -> None:
    rig.begin()
    rig.fault()
    elsewhere = rig.paths.segments.rename(rig.paths.video / "elsewhere")
    rig.paths.segments.touch()
    rig.connect()
    rig.play(3)
    assert rig.is_in(State.DISK_FAULT)
    rig.paths.segments.unlink()
    elsewhere.rename(rig.paths.segments)
    rig.play(20)
    assert rig.is_in(State.RECORDING)
    rig.stop()
    assert rig.coverage().unexplained == ()
    rig.check_files()


def make_unreadable(file: Path) -> None:
    """A folder in the file's place: reading it is an OSError, as reading a bad sector is."""
    file.rename(file.with_suffix(".aside"))
    file.mkdir()


def make_readable(file: Path) -> None:
    file.rmdir()
    file.with_suffix(".aside").rename(file)


@pytest.mark.promise("I1", "I3")
@pytest.mark.parametrize("played", [1.5, 5.0], ids=["the run's only file", "the last of several"])
@pytest.mark.parametrize("new_boot", [False, True])
def test_a_last_segment_that_cannot_be_read_is_passed_over_and_recording_goes_on(
    rig: Rig, played: float, new_boot: bool
) -> None:
    rig.begin()
    rig.stop()
    rig.start_again()
    rig.connect()
    rig.play(played)
    assert rig.recorder.run is not None
    last = rig.paths.video / rig.recorder.run.path
    began = rig.clock.wall_us
    rig.kill()
    make_unreadable(last)
    rig.idle_without_recorder(20)
    rig.start(new_boot=new_boot)
    rig.connect()
    rig.play(3)
    assert rig.is_in(State.RECORDING)
    rig.stop()
    missing = [gap for gap in rig.gaps() if gap["end_us"] is not None and gap["end_us"] > began]
    assert len(missing) == 1 and missing[0]["reason"] == ("power" if new_boot else "crash")
    assert rig.coverage().unexplained == ()
    indexed = len(rig.segments())
    make_readable(last)
    rig.start_again()
    assert len(rig.segments()) == indexed + 1, "the sweep takes it in once it can be read"


@pytest.mark.promise("I1")
def test_a_torn_segment_that_cannot_be_read_does_not_keep_the_disk_in_fault(
    rig: Rig, small_disk: Path
) -> None:
    rig.minimum_free_mib = 0
    rig.begin()
    assert rig.recorder.run is not None
    torn = rig.paths.video / rig.recorder.run.path
    ballast = small_disk / "ballast"
    with pytest.raises(OSError, match="No space"), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    rig.play(1.9)
    assert rig.is_in(State.DISK_FAULT)
    ballast.unlink()
    make_unreadable(torn)
    rig.play(20)
    assert rig.is_in(State.RECORDING)


def test_a_journal_that_cannot_be_read_is_made_good_from_the_files(rig: Rig) -> None:
    rig.begin()
    rig.kill()
    make_unreadable(rig.paths.video / "recorder.json")
    rig.idle_without_recorder(5)
    rig.start(new_boot=True)
    rig.connect()
    rig.play(3)
    assert rig.is_in(State.RECORDING)
    assert rig.reasons() == ["power"]

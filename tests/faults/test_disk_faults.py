"""Whatever the video disk does to the running recorder: a gap `disk` at most, and everything stands after it.

Real processes with a camera in real time; real file systems where the file system's own behaviour is the
point, faults below one process (`disk_faults.c`) where it is the answer of a single call.
"""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.paths import Paths
from drivers.disk import create_marker
from tests import synthetic
from tests.faults.injector import Operation
from tests.faults.nursery import ForkedRecorder, Nursery, nursery
from tests.faults.witness import Story, Witness
from tests.recording.process import RecorderProcess
from tests.waiting import wait_until

pytestmark = pytest.mark.promise("I1", "I2", "I3")

SLOW_SYNC_S = 0.2


@dataclass
class Scene:
    """One recorder on one volume."""

    recorder: ForkedRecorder
    witness: Witness

    def record(self) -> None:
        """Start, and wait until a first rotation has been."""
        self.recorder.start()
        self.recorder.wait_for("recording")
        self.await_files(2)

    def await_files(self, more: int) -> None:
        """Until `more` segments have been begun from now on."""
        enough = len(self.witness.files()) + more
        wait_until(lambda: len(self.witness.files()) >= enough, 60, f"{more} more segments")

    def await_fault(self) -> None:
        self.recorder.wait_for("disk_fault", 60)
        self.witness.look()

    def hang_in_sync(self) -> None:
        """From now on no sync returns; until the board says so."""
        self.recorder.injector.delay_syncs(600)
        wait_until(
            lambda: self.recorder.board()["state"] == "fault", 60, "the board says that the disk hangs"
        )

    def end(self) -> Story:
        """Let it record on, stop it, and see whether everything stands."""
        self.recorder.wait_for("recording", 90)
        self.await_files(2)
        wait_until(lambda: self.recorder.status()["index"]["waiting"] == 0, 60, "nothing waits")
        self.recorder.stop()
        return self.witness.check()

    def close(self) -> None:
        self.recorder.injector.heal()
        self.recorder.end()


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthetic.clip(
        tmp_path_factory.mktemp("clip") / "clip.mp4", seconds=20, fps=25, gop=25, size=(320, 240)
    )


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    with nursery(tmp_path_factory.mktemp("nursery")) as made:
        yield made


@pytest.fixture
def scene(forks: Nursery, paths: Paths, clip: Path) -> Iterator[Scene]:
    made = scene_on(forks, paths, clip)
    yield made
    made.close()


def scene_on(forks: Nursery, paths: Paths, clip: Path) -> Scene:
    recorder = ForkedRecorder(forks, paths, f'driver = "file"\npath = "{clip}"', segment_seconds=2)
    return Scene(recorder, Witness(paths))


def needs_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("SKIPPED LOUDLY: mounting a disk of one's own needs root")


def run(*command: str | Path) -> str:
    text = [str(part) for part in command]
    return subprocess.run(text, check=True, capture_output=True, text=True, timeout=60).stdout.strip()


@pytest.fixture
def small_disk(paths: Paths) -> Iterator[Path]:
    """A file system of 24 MiB at the video folder."""
    needs_root()
    paths.segments.rmdir()
    run("mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", paths.video)
    yield paths.video
    run("umount", "-l", paths.video)


@contextmanager
def own_disk(folder: Path, mount_point: Path) -> Iterator[Callable[[], None]]:
    """An ext4 of its own, made and mounted; what is yielded mounts it again after it was taken away."""
    needs_root()
    image = folder / "disk.img"
    with image.open("wb") as file:
        file.truncate(64 << 20)
    run("mkfs.ext4", "-q", "-F", image)
    device = run("losetup", "--find", "--show", image)

    def mount() -> None:
        run("mount", device, mount_point)

    try:
        mount()
        yield mount
    finally:
        subprocess.run(["umount", "-l", str(mount_point)], check=False, timeout=60)
        run("losetup", "--detach", device)


# -- full ----------------------------------------------------------------------------


def test_a_disk_that_is_full_and_freed(scene: Scene, small_disk: Path) -> None:
    scene.record()
    with (
        pytest.raises(OSError, match="No space"),
        (small_disk / "ballast").open("wb", buffering=0) as ballast,
    ):
        while True:
            ballast.write(bytes(4096))
    scene.await_fault()
    (small_disk / "ballast").unlink()
    assert scene.end().reasons == ["disk", "operator"]


# -- calls that fail -----------------------------------------------------------------


@pytest.fixture
def scenes(forks: Nursery, tmp_path: Path, clip: Path) -> Iterator[Callable[[str], Scene]]:
    """Makes scenes by name, for several beside one another."""
    made: list[Scene] = []

    def make(name: str) -> Scene:
        paths = Paths(*(tmp_path / name / part for part in ("state", "video", "runtime")))
        for folder in (paths.state, paths.segments, paths.status):
            folder.mkdir(parents=True)
        made.append(scene_on(forks, paths, clip))
        return made[-1]

    yield make
    for scene in made:
        scene.close()


def test_calls_that_fail_until_the_disk_is_well_again(scenes: Callable[[str], Scene]) -> None:
    def suffer(case: tuple[Operation, int]) -> list[str]:
        operation, error = case
        scene = scenes(f"{operation.name}-{errno.errorcode[error]}")
        scene.record()
        scene.recorder.injector.fail(operation, error)
        scene.await_fault()
        scene.recorder.injector.heal()
        return scene.end().reasons

    cases = [
        (Operation.WRITE, errno.EIO),
        (Operation.WRITE, errno.ENOSPC),
        (Operation.SYNC, errno.EIO),
        (Operation.FOLDER_SYNC, errno.EIO),
        (Operation.CREATE, errno.EIO),
    ]
    with ThreadPoolExecutor(len(cases)) as pool:
        assert list(pool.map(suffer, cases)) == [["disk", "operator"]] * len(cases)


def test_killed_while_its_disk_fails(scenes: Callable[[str], Scene]) -> None:
    """The journal may not have been written: the files tell."""

    def suffer(operation: Operation) -> set[str]:
        scene = scenes(f"killed-{int(operation)}")
        scene.record()
        scene.recorder.injector.fail(operation)
        scene.await_fault()
        scene.recorder.kill()
        scene.recorder.injector.heal()
        scene.recorder.start()
        return set(scene.end().reasons)

    cases = [Operation.WRITE, Operation.SYNC, Operation.FOLDER_SYNC, Operation.WRITE | Operation.NAME]
    with ThreadPoolExecutor(len(cases)) as pool:
        for reasons in pool.map(suffer, cases):
            assert reasons <= {"disk", "crash", "operator"}


def test_an_old_file_that_the_disk_does_not_give_back_is_kept_for_later(scene: Scene) -> None:
    """A bad sector in a file that the index does not know: nothing waits for it, nothing of it is touched."""
    scene.record()
    scene.await_files(2)
    scene.recorder.kill()
    scene.witness.look()
    old = scene.witness.files()[1]
    for database in scene.recorder.paths.state.glob("agent.sqlite*"):
        database.unlink()
    scene.recorder.injector.fail(Operation.READ, on=old)
    scene.recorder.start()
    scene.recorder.wait_for("recording", 60)
    wait_until(lambda: scene.recorder.status()["index"]["refused_files"] == 1, 30, "the file is told")
    scene.await_files(2)
    scene.recorder.kill()
    scene.recorder.injector.heal()
    scene.recorder.start()
    scene.end()  # every file is in the index now, that one too


# -- a disk that goes away -----------------------------------------------------------


def test_a_disk_unmounted_under_the_recorder(
    forks: Nursery, paths: Paths, clip: Path, tmp_path: Path
) -> None:
    paths.segments.rmdir()
    with own_disk(tmp_path, paths.video) as mount_again:
        create_marker(paths.video)
        scene = scene_on(forks, paths, clip)
        scene.recorder.require_marker()
        try:
            scene.record()
            run("umount", "-l", paths.video)
            scene.recorder.wait_for("disk_fault", 60)
            assert list(paths.video.iterdir()) == [], "nothing goes to the root file system"
            mount_again()
            assert scene.end().reasons == ["disk", "operator"]
        finally:
            scene.close()


def test_a_file_system_that_turns_read_only(forks: Nursery, paths: Paths, clip: Path, tmp_path: Path) -> None:
    """As ext4 does by itself when its disk fails under its journal."""
    paths.segments.rmdir()
    with own_disk(tmp_path, paths.video) as mount_again:
        create_marker(paths.video)
        scene = scene_on(forks, paths, clip)
        scene.recorder.require_marker()
        try:
            scene.record()
            run("mount", "-o", "remount,abort", paths.video)
            scene.await_fault()
            wait_until(lambda: is_unmounted(paths.video), 60, "the recorder lets go of the disk")
            mount_again()
            assert scene.end().reasons == ["disk", "operator"]
        finally:
            scene.close()


def is_unmounted(folder: Path) -> bool:
    """Try it, not lazily: a file system that is still held would come back as read-only as it was."""
    return (
        subprocess.run(["umount", str(folder)], capture_output=True, check=False, timeout=60).returncode == 0
    )


# -- a disk that is slow -------------------------------------------------------------


def test_a_slow_disk_loses_no_frame(scene: Scene) -> None:
    scene.recorder.injector.delay_syncs(SLOW_SYNC_S)
    scene.record()
    scene.await_files(5)
    scene.recorder.injector.heal()
    story = scene.end()
    assert story.reasons == ["operator"]
    assert len(story.runs) == 1


def test_a_sync_that_hangs_for_long_loses_no_frame_and_is_said(scene: Scene) -> None:
    scene.record()
    scene.hang_in_sync()
    scene.recorder.injector.heal()
    wait_until(lambda: scene.recorder.board()["state"] == "running", 60, "it goes on")
    story = scene.end()
    assert story.reasons == ["operator"]
    assert len(story.runs) == 1


def test_killed_while_a_sync_hangs_every_second_is_explained(scene: Scene) -> None:
    scene.record()
    scene.hang_in_sync()
    scene.recorder.kill()
    scene.recorder.injector.heal()
    scene.recorder.start()
    assert scene.end().reasons == ["crash", "operator"]


# -- two of them ---------------------------------------------------------------------


def test_a_second_recorder_on_the_same_folder_says_who_holds_it(
    scene: Scene, paths: Paths, clip: Path
) -> None:
    scene.record()
    other = Paths(paths.state.parent / "other", paths.video, paths.runtime.parent / "other-runtime")
    for folder in (other.state, other.status):
        folder.mkdir(parents=True)
    second = RecorderProcess(other, f'driver = "file"\npath = "{clip}"')
    second.start()
    assert second.process is not None and scene.recorder.process is not None
    assert second.process.wait(30) != 0
    assert f"录像目录 / the video folder {paths.video}" in second.log
    assert f"process {scene.recorder.process.pid}" in second.log
    scene.end()

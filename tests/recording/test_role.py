"""The recorder's role: a thread that ended is never shown as "running"."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from agent import board
from agent.clock import SystemClock
from agent.paths import Paths
from agent.recording import role
from agent.recording.feed import CameraFeed
from agent.recording.index_thread import Index
from agent.recording.status import dead_thread
from agent.role import RoleContext
from agent.settings import load_settings
from drivers.cameras import open_camera
from drivers.cameras.base import Packet
from drivers.cameras.file import FileCamera
from tests.recording.process import RecorderProcess

pytestmark = pytest.mark.promise("I11")


class BrokenDriver(FileCamera):
    """Its fault is one that ends the thread that reads it."""

    def batches(
        self, silence_timeout: float = 5.0, together_seconds: float = 0.0
    ) -> Iterator[Sequence[Packet]]:
        raise SystemExit


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_without_its_camera_thread_the_process_says_so_and_ends(
    paths: Paths, clip_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that it is started again; a process that records nothing and lives on would never be."""
    RecorderProcess(paths, f'driver = "file"\npath = "{clip_path}"')
    camera = BrokenDriver("rear", path=clip_path)
    monkeypatch.setattr(role, "open_camera", lambda *_, **__: camera)
    context = RoleContext("recorder", load_settings(paths.state / "agent.toml"), paths, SystemClock())
    with pytest.raises(SystemExit, match="the thread that reads the camera is gone"):
        role.run(context)
    shown = board.read_json(paths.status / "recorder.json")
    assert shown is not None and shown["state"] == "fault"


def test_without_its_index_thread_it_is_a_fault(paths: Paths, clip_path: Path) -> None:
    feed = CameraFeed(open_camera("rear", "file", path=clip_path), 2.0)
    index = Index(paths.database, SystemClock(), "r101", lambda _: iter(()))
    feed.start()
    index.start()
    assert dead_thread(index, feed) is None
    index.stop(10)
    fault = dead_thread(index, feed)
    feed.close()
    assert fault is not None and fault[0] == "fault" and "index" in fault[2]

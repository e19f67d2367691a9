"""`visibility calibrate` at the console: pictures of a real file, by way of the recorder's idle picture."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from agent.cli import app
from agent.clock import SystemClock
from agent.paths import Paths
from agent.recording.feed import StreamOpened
from agent.recording.idle_frame import IdleFrame
from agent.recording.recorder import State
from agent.settings import load_settings
from agent.store import calibration
from agent.store.database import Store
from tests.cli.test_continuity import config
from tests.evidence.schemas import problems_of
from tests.recording.rig import Clip, read_clip
from tests.visibility.test_picture_watch import class_light

__all__ = ["config"]

PEOPLE = 14
"""In each picture of `class_light`."""


def room_file(out: Path) -> Clip:
    """An H.264 file of a class that sits in a room."""
    with av.open(str(out), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 640, 360, "yuv420p", 2
        stream.options = {"bf": "0", "preset": "ultrafast"}
        for number in range(8):
            grey = np.clip(class_light(number), 0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="gray").reformat(format="yuv420p")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return read_clip(out)


@pytest.fixture
def camera(paths: Paths, tmp_path: Path) -> Iterator[None]:
    """A recorder that rests and leaves the file's key frames, quicker than a real one."""
    clip, clock, over = room_file(tmp_path / "room.mp4"), SystemClock(), threading.Event()
    pictures = [packet for packet in clip.packets if packet.is_key_frame]

    def leave() -> None:
        number = 0
        while not over.wait(0.02):
            idle = IdleFrame(paths.idle_key_frame, simulated=True)
            packet = pictures[number % len(pictures)]
            idle.see([StreamOpened(clip.stream), packet], State.PAUSED, clock.now())
            number += 1

    thread = threading.Thread(target=leave)
    thread.start()
    yield
    over.set()
    thread.join(10)


def calibrate(config: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["--config", str(config), "visibility", "calibrate", *words])


@pytest.mark.rule("R6")
@pytest.mark.usefixtures("camera")
def test_the_technician_calibrates_with_the_empty_room_and_then_with_people_whom_he_counts(
    config: Path, store: Store, tmp_path: Path
) -> None:
    room = load_settings(config).node.room
    done = calibrate(config, "--empty", "--teacher-zone", "0,0.6 0.3,0.6 0.3,1 0,1")
    assert done.exit_code == 0, done.output
    reference = calibration.reference_of(store, room)
    assert reference is not None and (reference.width, reference.height) == (640, 360)
    overlay = tmp_path / "coverage.jpg"
    done = calibrate(config, "--people", str(PEOPLE), "--frames", "1", "--overlay", str(overlay))
    assert done.exit_code == 0, done.output
    assert f"{PEOPLE} people" in done.output and "a reference view" in done.output
    picture = cv2.imread(str(overlay))
    assert picture is not None and picture.shape == (360, 640, 3)
    made = calibration.newest_calibration(store, room)
    assert made is not None and made.reference_id == reference.id and len(made.teacher_zone) == 4
    rows = store.rows("SELECT data, simulated FROM fact WHERE type = 'room.calibrated' ORDER BY id")
    said = [json.loads(row["data"]) for row in rows]
    assert [problems_of("facts/room.calibrated", each) for each in said] == [[], []]
    assert [(each["account"], each["fit"]["people"]) for each in said] == [
        ("technician", 0),
        ("technician", PEOPLE),
    ]
    assert all(row["simulated"] for row in rows), "a file stands in for the camera"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--teacher-zone", "0,0 2,0 1,1"), "0 to 1"),
        (("--teacher-zone", "0,0 1"), "expected corners"),
        (("--hidden", "0,0 1,1"), "3 to"),
    ],
)
def test_a_region_that_is_none_is_refused_before_anybody_counts(
    config: Path, words: tuple[str, str], said: str
) -> None:
    done = calibrate(config, *words)
    assert done.exit_code == 1 and said in done.output

"""A recording that turns black, from the recorder's file to the record and the status board."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest

from agent.paths import Paths
from agent.store.database import Store
from agent.visibility.watcher import Watcher
from tests.clocks import ManualClock
from tests.recording.rig import Rig, read_clip
from tests.visibility.segments import PictureNumberCounter, publish_status


def dark_clip(out: Path) -> Path:
    with av.open(str(out), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 320, 240, "yuv420p", 10
        stream.options = {"bf": "0", "sc_threshold": "0", "preset": "ultrafast"}
        for _ in range(20):
            frame = av.VideoFrame.from_ndarray(np.zeros((240, 320, 3), np.uint8), format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out


@pytest.mark.rule("R6")
def test_a_black_recording_is_stated_once_with_its_key_frame(
    tmp_path: Path, paths: Paths, clock: ManualClock, store: Store
) -> None:
    rig = Rig(paths, clock, read_clip(dark_clip(tmp_path / "dark.mp4")), segment_seconds=60)
    rig.start()
    rig.connect()
    watcher = Watcher(paths, "room-101", PictureNumberCounter(), clock, simulated=False)
    for _ in range(12):
        rig.play(3)
        publish_status(paths, rig)
        watcher.look(store)
    assert watcher.pictures.kind == "black"
    (row,) = store.rows("SELECT subject, simulated, data FROM fact WHERE type = 'camera.picture-changed'")
    said = json.loads(row["data"])
    assert (said["picture"], said["before"], row["subject"]) == ("black", "normal", "camera/rear")
    assert said["run"] == rig.recorder.run.id if rig.recorder.run else False
    assert row["simulated"] == 1, "a file camera's footage never counts"

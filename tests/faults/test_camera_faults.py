"""A real RTSP camera that hangs for a minute, goes away and comes back as another: two gaps `camera` (I3)."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from agent.paths import Paths
from tests import rtsp, synthetic
from tests.faults.witness import Witness
from tests.recording.process import RecorderProcess
from tests.waiting import wait_until

SILENT_S = float(os.environ.get("CLASSROOM_AGENT_SILENT_SECONDS", "60"))


@pytest.mark.promise("I1", "I2", "I3")
def test_silent_for_a_minute_then_gone_then_back_with_another_picture_size(
    paths: Paths, tmp_path: Path
) -> None:
    first = synthetic.clip(tmp_path / "first.mp4", seconds=SILENT_S + 60, fps=10, gop=20, size=(640, 480))
    other = synthetic.clip(tmp_path / "other.mp4", seconds=60, fps=10, gop=20, size=(320, 240))
    witness = Witness(paths)
    with rtsp.RtspServer(first) as camera:
        recorder = RecorderProcess(paths, f'driver = "rtsp"\nurl = "{camera.url()}"')
        try:
            recorder.start()
            recorder.wait_for("recording")
            await_run(witness, 1)
            camera.freeze()
            recorder.wait_for("camera_silent")
            time.sleep(SILENT_S)  # the fault itself
            camera.thaw()
            recorder.wait_for("recording", 90)
            await_run(witness, 2)
            camera.kill()
            recorder.wait_for("camera_silent")
            with rtsp.RtspServer(other, port=camera.port):
                recorder.wait_for("recording", 90)
                await_run(witness, 3)
                assert recorder.stop() == 0
        finally:
            recorder.end()
    story = witness.check()
    assert story.reasons == ["camera", "camera", "operator"]
    assert (story.gaps[0]["end_us"] - story.gaps[0]["start_us"]) / 1e6 > SILENT_S
    assert [(row["width"], row["height"]) for row in story.run_rows] == [(640, 480), (640, 480), (320, 240)]


def await_run(witness: Witness, number: int) -> None:
    """Until the recorder's `number`th run holds three seconds of footage."""

    def grown() -> bool:
        durable = witness.look()
        if durable is None or len(list(witness.paths.segments.iterdir())) < number:
            return False
        return durable.until_ns - durable.header.monotonic_start_ns > 3_000_000_000

    wait_until(grown, 60, f"footage of run {number}")

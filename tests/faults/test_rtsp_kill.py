"""The recorder of a real RTSP camera, killed at random instants: from the last durable frame to the kill at
most one fragment and 0.2 s, as with a file; what was durable stays, no second is unexplained (I1, I2, I3)."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import pytest

from agent.paths import Paths
from agent.settings import Recording
from tests import rtsp, synthetic
from tests.faults.nursery import ForkedRecorder, nursery
from tests.faults.witness import Witness

KILLS = 20
ALLOWED_S = Recording().fragment_seconds + 0.2


@pytest.mark.promise("I1", "I2", "I3")
def test_a_kill_costs_no_more_than_a_fragment_and_a_fifth_of_a_second(paths: Paths, tmp_path: Path) -> None:
    clip = synthetic.clip(tmp_path / "clip.mp4", seconds=60, fps=25, gop=25, size=(320, 240))
    witness, losses = Witness(paths), list[float]()
    with rtsp.RtspServer(clip) as server, nursery(tmp_path) as forks:
        recorder = ForkedRecorder(forks, paths, f'driver = "rtsp"\nurl = "{server.url()}"', segment_seconds=2)
        try:
            for _ in range(KILLS):
                began_ns = time.monotonic_ns()
                recorder.start()
                recorder.wait_for("recording")
                time.sleep(random.uniform(0.7, 2.2))  # the instant itself is what is tested
                recorder.kill()
                killed_ns = time.monotonic_ns()
                durable = witness.look()
                assert durable is not None and durable.header.monotonic_start_ns > began_ns
                losses.append((killed_ns - durable.until_ns) / 1e9)
            recorder.start()
            recorder.wait_for("recording")
            recorder.stop()
        finally:
            recorder.end()
    assert {"crash", "operator"} >= set(witness.check().reasons) > set()
    print(json.dumps({"kills": KILLS, "lost_s": [round(loss, 3) for loss in sorted(losses)]}))  # noqa: T201
    # A server hands its first frame over late and the next ones sooner, so that media time runs ahead of the
    # first arrival by which it is placed; by as much as the least loss would seem to be less than nothing.
    assert max(losses) - min(0.0, *losses) <= ALLOWED_S

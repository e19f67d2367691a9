"""The recorder of a real RTSP camera, killed at random instants: from the first frame that is not durable to
the kill at most one fragment and 0.2 s, as with a file; what was durable stays, no second is unexplained (I1,
I2, I3).

The camera runs on whoever looks, and a tap on the wire tells when each frame reached the recorder. Counted
from there nothing hides a loss: no first frame that came late, nor where the recorder places its footage.
"""

from __future__ import annotations

import json
import random
import subprocess
import time
from pathlib import Path

import pytest

from agent.paths import Paths
from agent.recording.scan import has_footage, scan_segment
from agent.settings import Recording
from tests import rtsp, synthetic
from tests.faults.nursery import ForkedRecorder, nursery
from tests.faults.witness import Witness
from tests.rtsp_tap import Connection, RtspTap, tail_of
from tests.waiting import wait_until

KILLS = 20
ALLOWED_S = Recording().fragment_seconds + 0.2
FILM_S, TIMES = 60, 10


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Longer than all lives together."""
    once, out = tmp_path / "once.mp4", tmp_path / "film.mp4"
    synthetic.clip(once, seconds=FILM_S, fps=25, gop=25, size=(320, 240))
    repeat = ("-stream_loop", str(TIMES - 1), "-i", str(once), "-c", "copy")
    subprocess.run(["ffmpeg", "-v", "error", *repeat, str(out)], check=True, timeout=60)
    return out


@pytest.mark.promise("I1", "I2", "I3")
def test_a_kill_costs_no_more_than_a_fragment_and_a_fifth_of_a_second(
    film: Path, paths: Paths, tmp_path: Path
) -> None:
    witness, losses = Witness(paths), list[float]()
    with (
        rtsp.RtspServer(film, "--running") as server,
        RtspTap(server.port) as tap,
        nursery(tmp_path) as forks,
    ):
        recorder = ForkedRecorder(forks, paths, f'driver = "rtsp"\nurl = "{tap.url}"', segment_seconds=2)
        try:
            for life in range(1, KILLS + 1):
                before = set(recorder.files())
                recorder.start()
                wait_until(lambda old=before: footage(recorder, old), 30, "a durable fragment")  # type: ignore[misc]
                time.sleep(random.uniform(0.0, 2.2))  # the instant itself is what is tested
                recorder.kill()
                killed_ns = time.monotonic_ns()
                witness.look()
                assert len(tap.video) == life, "one connection in each life"
                losses.append(lost_s(footage(recorder, before), tap.video[-1], killed_ns))
            recorder.start()
            recorder.wait_for("recording")
            recorder.stop()
        finally:
            recorder.end()
    assert {"crash", "operator"} >= set(witness.check().reasons) > set()
    print(json.dumps({"kills": KILLS, "lost_s": [round(loss, 3) for loss in sorted(losses)]}))  # noqa: T201
    assert max(losses) <= ALLOWED_S


def footage(recorder: ForkedRecorder, before: set[Path]) -> list[Path]:
    """The files with durable footage that were not there `before`, in their order."""
    return [file for file in recorder.files() if file not in before and has_footage(file)]


def lost_s(files: list[Path], connection: Connection, killed_ns: int) -> float:
    """From the arrival of the first frame that is not durable to the kill; 0 when all are. What is durable is
    what was sent, frame by frame."""
    durable: list[bytes] = []
    for file in files:
        content = file.read_bytes()
        samples = [sample for fragment in scan_segment(file).fragments for sample in fragment.samples]
        durable += [tail_of(content[sample.offset : sample.offset + sample.size]) for sample in samples]
    sent = connection.frames
    first = next(place for place, frame in enumerate(sent) if frame.tail == durable[0])
    assert durable == [frame.tail for frame in sent[first : first + len(durable)]]
    lost = sent[first + len(durable) :]
    return (killed_ns - lost[0].first_arrived_ns) / 1e9 if lost else 0.0

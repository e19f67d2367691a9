"""A real RTSP camera that goes away twice: two gaps `camera`, everything else continuous to one tick (I3).

`CLASSROOM_AGENT_RTSP_SECONDS` sets the length (60 s; 600 s for the published run). Prints a line of JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import pytest

from agent.paths import Paths
from agent.recording.continuity import coverage
from agent.recording.verify import verify_segment
from agent.store import footage
from agent.store.database import Store
from tests import rtsp, synthetic
from tests.recording.process import RecorderProcess
from tests.recording.rig import durations, probe_packets

SECONDS = float(os.environ.get("CLASSROOM_AGENT_RTSP_SECONDS", "60"))
OUTAGE_S = 6.0
FPS = 25


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Long enough to outlast the test: the stream must not end by itself."""
    short = synthetic.clip(tmp_path / "short.mp4", seconds=20, fps=FPS, gop=2 * FPS, size=(640, 480))
    long = tmp_path / "long.mp4"
    loops = str(int(SECONDS / 20) + 2)
    command = ["ffmpeg", "-v", "error", "-stream_loop", loops, "-i", str(short), "-c", "copy", str(long)]
    subprocess.run(command, check=True, timeout=120)
    return long


@pytest.mark.promise("I3")
def test_two_outages_are_two_gaps_and_the_rest_is_continuous(paths: Paths, clip: Path) -> None:
    with rtsp.RtspServer(clip) as first:
        process = RecorderProcess(paths, f'driver = "rtsp"\nurl = "{first.url()}"')
        try:
            process.start()
            process.wait_for("recording")
            time.sleep(SECONDS / 3)
            port = first.port
            outages = [outage(first, process)]
            for last in (False, True):
                with rtsp.RtspServer(clip, port=port) as server:
                    process.wait_for("recording", 60)
                    time.sleep(SECONDS / 3)
                    if last:
                        assert process.stop() == 0
                    else:
                        outages.append(outage(server, process))
        finally:
            process.end()
    report(process, outages)


def outage(server: rtsp.RtspServer, process: RecorderProcess) -> float:
    """The camera loses its power; wall seconds at which it did."""
    at = time.time()
    server.kill()
    process.wait_for("camera_silent")
    time.sleep(OUTAGE_S)
    return at


def report(process: RecorderProcess, outages: list[float]) -> None:
    with Store(process.paths.database) as store:
        rows = footage.segments_between(store, "rear", 0, 2**62)
        gaps = [row for row in footage.gaps_between(store, "rear", 0, 2**62) if row["reason"] != "operator"]
    found = coverage(rows, gaps, rows[0]["start_us"], rows[-1]["end_us"])
    runs: dict[str, list[Path]] = defaultdict(list)
    for row in rows:
        path = process.paths.video / row["path"]
        assert verify_segment(path, row["sha256"], row["fragments"]).is_intact, path
        runs[row["run_id"]].append(path)
    steps = [step for files in runs.values() for step in steps_of(files)]
    figures = {
        "seconds": SECONDS,
        "segments": len(rows),
        "gaps": [{"reason": g["reason"], "seconds": (g["end_us"] - g["start_us"]) / 1e6} for g in gaps],
        "outage_to_gap_start_s": [
            round(g["start_us"] / 1e6 - at, 3) for g, at in zip(gaps, outages, strict=True)
        ],
        "stretches_s": [round(float(stretch.seconds), 3) for stretch in found.stretches],
        "unexplained_s": found.unexplained_seconds,
        "frame_ticks": sorted(set(steps)),
        "frames": len(steps) + len(runs),
    }
    print(json.dumps(figures))  # noqa: T201 (the figures are what the run is for)
    assert [gap["reason"] for gap in gaps] == ["camera", "camera"]
    assert len(found.stretches) == 3
    assert found.unexplained == ()
    assert {abs(step - 90_000 // FPS) <= 1 for step in steps} == {True}


def steps_of(files: list[Path]) -> list[int]:
    """Distances of decoding stamps over all files of a run, as ffprobe reads them; each file's stated
    durations must fill them exactly, across files, too."""
    stamps = [dts for file in files for _, dts in probe_packets(file)]
    stated = [duration for file in files for duration in durations(file)]
    steps = [after - before for before, after in pairwise(stamps)]
    assert stated[:-1] == steps
    return steps

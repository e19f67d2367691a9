"""The recorder killed again and again at random instants, as a real process with a camera in real time.

From the last durable frame to the kill at most one fragment and 0.2 s; every kept segment's hash right; no
second unexplained (I1, I2, I3). Prints its figures as one line of JSON.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.clock import SystemClock
from agent.paths import Paths
from agent.recording.continuity import coverage
from agent.recording.header import SegmentHeader
from agent.recording.scan import NotASegmentError, scan_segment
from agent.recording.verify import verify_segment
from agent.store import footage
from agent.store.database import Row, Store
from tests import synthetic
from tests.recording.process import RecorderProcess
from tests.waiting import wait_until

KILLS = int(os.environ.get("CLASSROOM_AGENT_KILLS", "50"))
FRAGMENT_S = 0.5
DURING_START = 0.3
"""Share of the kills that come while the process is still starting and repairing."""


@pytest.fixture
def process(paths: Paths, tmp_path: Path) -> Iterator[RecorderProcess]:
    clip = synthetic.clip(tmp_path / "clip.mp4", seconds=20, fps=25, gop=50, size=(640, 480))
    recorder = RecorderProcess(paths, f'driver = "file"\npath = "{clip}"')
    yield recorder
    recorder.end()


def durable_until_ns(files: list[Path]) -> tuple[SegmentHeader, int] | None:
    """End of the last whole fragment as CLOCK_MONOTONIC, from the newest file that holds one."""
    for file in reversed(files):
        try:
            scan = scan_segment(file)
        except NotASegmentError:
            continue
        if scan.fragments:
            media = (
                scan.fragments[-1].decode_time + scan.fragments[-1].duration - scan.fragments[0].decode_time
            )
            return scan.header, scan.header.monotonic_start_ns + round(
                media / scan.header.ticks_per_second * 1e9
            )
    return None


@pytest.mark.promise("I1", "I2", "I3")
def test_killed_at_random_instants_it_loses_at_most_one_fragment(process: RecorderProcess) -> None:
    random_instants = random.Random(os.environ.get("CLASSROOM_AGENT_SEED"))
    losses: list[float] = []
    kept: dict[Path, bytes] = {}
    for _ in range(KILLS):
        began_ns = time.monotonic_ns()
        process.start()
        if random_instants.random() > DURING_START:
            process.wait_for("recording")
        time.sleep(random_instants.uniform(0.0, 2.0))  # the instant itself is what is tested
        process.kill()
        killed_ns = time.monotonic_ns()
        for file, head in kept.items():
            assert file.read_bytes()[: len(head)] == head, f"{file}: footage that was durable has changed"
        durable = durable_until_ns(process.files())
        if durable is not None and durable[0].monotonic_start_ns > began_ns:
            losses.append((killed_ns - durable[1]) / 1e9)
        for newest in process.files()[-1:]:
            kept[newest] = whole_part(newest)
    process.start()
    process.wait_for("recording")
    assert process.stop() == 0

    with Store(process.paths.database) as store:
        rows = check_index(store, process)
        figures = {
            "kills": KILLS,
            "measured": len(losses),
            "worst_loss_s": round(max(losses), 3),
            "mean_loss_s": round(sum(losses) / len(losses), 3),
            "segments": len(rows),
            "gaps": len(footage.gaps_between(store, "rear", 0, 2**62)),
        }
    print(json.dumps(figures))  # noqa: T201 (the figures are what the run is for)
    assert len(losses) >= KILLS // 2
    assert max(losses) <= FRAGMENT_S + 0.2


def whole_part(file: Path) -> bytes:
    """The bytes that recovery must keep."""
    try:
        return file.read_bytes()[: scan_segment(file).hashes.size]
    except NotASegmentError:
        return b""


def check_index(store: Store, process: RecorderProcess) -> list[Row]:
    """Every file that holds footage is indexed with the right hash, and no second is unexplained."""

    def indexed() -> list[Row]:
        return footage.segments_between(store, "rear", 0, 2**62)

    with_footage = [file for file in process.files() if whole_part(file) and scan_segment(file).fragments]
    wait_until(lambda: len(indexed()) == len(with_footage), 20, "every file with footage in the index")
    rows = indexed()
    for row in rows:
        path = process.paths.video / row["path"]
        assert verify_segment(path, row["sha256"], row["fragments"]).is_intact, path
    start_us, end_us = rows[0]["start_us"], SystemClock().now().wall_us
    found = coverage(rows, footage.gaps_between(store, "rear", start_us, end_us), start_us, end_us)
    assert found.unexplained == (), f"{found.unexplained_seconds} s are neither video nor gap"
    return rows

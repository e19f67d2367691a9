"""The wall clock set in mid-run under the real process: no frame lost, every second of the day one place.

Four recorders beside one another, each with its own jump; only CLOCK_REALTIME moves (`disk_faults.c`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from agent.paths import Paths
from agent.recording.scan import read_header
from agent.store.database import Row, Store
from agent.store.facts import FactType
from tests import synthetic
from tests.faults.nursery import ForkedRecorder, Nursery, nursery
from tests.faults.witness import Witness
from tests.waiting import wait_until

pytestmark = pytest.mark.promise("I3", "I8")

HOUR_S = 3600.0


@pytest.fixture
def forks(tmp_path: Path) -> Iterator[Nursery]:
    with nursery(tmp_path) as made:
        yield made


def offset_to(year: int) -> float:
    """Seconds from now to the first day of `year`, UTC."""
    return (datetime(year, 1, 2, tzinfo=UTC) - datetime.now(UTC)).total_seconds()


class Jump:
    """One recorder, its clock, and what is left."""

    def __init__(self, forks: Nursery, folder: Path, clip: Path, offset_s: float) -> None:
        self.paths = Paths(*(folder / part for part in ("state", "video", "runtime")))
        for path in (self.paths.state, self.paths.segments, self.paths.status):
            path.mkdir(parents=True)
        self.recorder = ForkedRecorder(
            forks, self.paths, f'driver = "file"\npath = "{clip}"', segment_seconds=2
        )
        self.offset_s = offset_s
        self.witness = Witness(self.paths)

    def happen(self) -> None:
        """Record, jump, record on, jump back, record on, stop."""
        self.recorder.injector.claim_synchronised(True)
        try:
            self.recorder.start()
            self.recorder.wait_for("recording")
            self._await_files(2)
            for offset_s in (self.offset_s, 0.0):
                self._set_clock(offset_s)
            wait_until(lambda: self.recorder.status()["index"]["waiting"] == 0, 30, "nothing waits")
            self.recorder.stop()
        finally:
            self.recorder.end()
        self._check()

    def _set_clock(self, offset_s: float) -> None:
        """Set it, and wait until a run by the new clock has grown."""
        runs = len(list(self.paths.segments.iterdir()))
        self.recorder.injector.set_clock(offset_s)
        wait_until(lambda: len(list(self.paths.segments.iterdir())) > runs, 30, "a run by the new clock")
        self._await_files(2)

    def _await_files(self, more: int) -> None:
        enough = len(self.witness.files()) + more
        wait_until(lambda: len(self.witness.files()) >= enough, 30, f"{more} more segments")

    def _check(self) -> None:
        story = self.witness.check(covered=False)
        assert len(story.runs) == 3
        segments = sorted(story.segments, key=lambda row: row["monotonic_start_ns"])
        for before, after in pairwise(segments):
            assert self._camera_ticks(before, "end_ticks") == self._camera_ticks(after, "start_ticks")
        assert sorted(set(story.reasons)) == ["clock", "operator"]
        forward, back = abs(self.offset_s), 0.0
        lengths = [(gap["end_us"] - gap["start_us"]) / 1e6 for gap in story.gaps if gap["reason"] == "clock"]
        assert sorted(lengths) == pytest.approx([back, forward], abs=1.0)
        with Store(self.paths.database) as store:
            steps = store.rows("SELECT data FROM fact WHERE type = ? ORDER BY id", (FactType.CLOCK_STEPPED,))
        mapped = [json.loads(row["data"]) for row in steps]
        moved = [(step["new_us"] - step["old_us"]) / 1e6 for step in mapped]
        assert moved == pytest.approx([self.offset_s, -self.offset_s], abs=1.0)
        named = [(step["run_before"], step["run_after"]) for step in mapped]
        assert named == list(pairwise(story.runs))

    def _camera_ticks(self, segment: Row, which: str) -> int:
        """On the camera's own time line, which knows of no wall clock: not one tick may be missing."""
        ticks: int = read_header(self.paths.video / segment["path"]).camera_dts + segment[which]
        return ticks


def test_an_hour_forth_and_back_to_1970_and_to_2099(forks: Nursery, tmp_path: Path) -> None:
    clip = synthetic.clip(tmp_path / "clip.mp4", seconds=20, fps=25, gop=25, size=(320, 240))
    offsets = {"forth": HOUR_S, "back": -HOUR_S, "1970": offset_to(1970), "2099": offset_to(2099)}
    jumps = [Jump(forks, tmp_path / name, clip, offset) for name, offset in offsets.items()]
    with ThreadPoolExecutor(len(jumps)) as pool:
        list(pool.map(Jump.happen, jumps))

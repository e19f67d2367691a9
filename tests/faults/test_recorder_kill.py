"""The recorder killed, at random instants and at every single step that it takes on the disk.

Several recorders beside one another, each with a volume of its own and a camera in real time, killed and
started again on what the kills before have left. From the last durable frame to the kill, or from the life's
first frame where none was durable yet, at most one fragment and 0.2 s; what was durable stays; every hash
right; no second unexplained (I1, I2, I3). Prints its figures as one line of JSON. `CLASSROOM_AGENT_KILLS`
(200): half of them at random instants, half at steps, of which each is taken at least once.

The instants are told from what stands on the disk, not from the clock, so that a busy machine does not move
them: some kills come while the process starts, all others after footage of that very life was seen durable,
and each of those is measured.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agent.paths import Paths
from agent.recording.scan import has_footage
from agent.settings import Recording
from tests import synthetic
from tests.faults.nursery import ForkedRecorder, Nursery, nursery
from tests.faults.witness import Story, Witness
from tests.waiting import wait_until

KILLS = int(os.environ.get("CLASSROOM_AGENT_KILLS", "200"))
LANES = 6
SEGMENT_S, ROTATIONS = 2, 3
STARTING = 5
"""Each fifth random kill comes while the process still starts, repairs and begins its first file."""
ALLOWED_S = Recording().fragment_seconds + 0.2

pytestmark = pytest.mark.promise("I1", "I2", "I3")


class Lane:
    """One recorder with its volume and its witness."""

    def __init__(self, forks: Nursery, folder: Path, clip: Path, seed: str) -> None:
        paths = Paths(folder / "node/state", folder / "node/video", folder / "runtime")
        for path in (paths.state, paths.segments, paths.status):
            path.mkdir(parents=True)
        self.recorder = ForkedRecorder(
            forks, paths, f'driver = "file"\npath = "{clip}"', segment_seconds=SEGMENT_S
        )
        self.witness = Witness(paths)
        self.chance = random.Random(seed)
        self.losses: list[float] = []
        self.kills = self.aimed = 0
        """All of them, and those that came after footage of their life was durable."""
        self._runs_before: set[Path] = set()

    def start(self, kill_at: int = 0, *, torn: bool = False) -> None:
        """A life that ends by itself at the step `kill_at`, 0 for none."""
        self._runs_before = set(self.recorder.paths.segments.iterdir())
        self.recorder.injector.kill_at(kill_at, torn=torn)
        self.recorder.start()

    def files_of_this_life(self) -> list[Path]:
        """In the order in which they were begun; the last ones may hold no footage yet."""
        runs = set(self.recorder.paths.segments.iterdir()) - self._runs_before
        files = [file for run in runs for file in run.glob("*.mp4")]
        return sorted(files, key=lambda file: (file.stat().st_mtime_ns, file.name))

    def await_footage(self) -> None:
        """Until this life's first fragment is durable; the witness holds it against what the kill leaves."""
        wait_until(
            lambda: any(map(has_footage, self.files_of_this_life())), 60, "a durable fragment of this life"
        )
        self.witness.look()

    def kill_while_starting(self) -> None:
        self.start()
        time.sleep(self.chance.uniform(0.0, 1.0))  # the instant itself is what is tested
        self._kill(aimed=False)

    def kill_while_recording(self) -> None:
        """Anywhere in a segment, and across a rotation."""
        self.start()
        self.await_footage()
        time.sleep(self.chance.uniform(0.0, SEGMENT_S + 0.5))  # the instant itself is what is tested
        self._kill(aimed=True)

    def kill_at_step_of_start(self, step: int, *, torn: bool) -> None:
        """At its `step`th step from the fork on, counted from 1."""
        self.start(step, torn=torn)
        self._await_death(step, aimed=False)

    def kill_at_step_of_recording(self, step: int, *, torn: bool) -> None:
        """At its `step`th step, counted from 1, after its first fragment was seen durable."""
        self.start()
        self.await_footage()
        self.recorder.injector.kill_at(step, torn=torn)
        self._await_death(step, aimed=True)

    def _kill(self, *, aimed: bool) -> None:
        assert self.recorder.process is not None
        assert self.recorder.process.poll() is None, self.recorder.log[-2000:]
        self.recorder.process.kill()
        self._killed(time.monotonic_ns(), aimed=aimed)

    def _await_death(self, step: int, *, aimed: bool) -> None:
        assert self.recorder.process is not None
        self.recorder.process.wait(60)
        killed_ns = self.recorder.injector.killed_ns
        assert killed_ns is not None, f"it ended by itself before step {step}:\n{self.recorder.log[-2000:]}"
        self._killed(killed_ns, aimed=aimed)

    def _killed(self, killed_ns: int, *, aimed: bool) -> None:
        assert self.recorder.process is not None
        self.recorder.process.wait(20)
        self.kills += 1
        self.aimed += aimed
        files = self.files_of_this_life()
        durable = self.witness.look(files)
        assert durable or not aimed, "footage of this life was durable before the kill and is not there now"
        kept_until_ns = durable.until_ns if durable else self.witness.first_frame_ns(files)
        if kept_until_ns is not None:
            self.losses.append((killed_ns - kept_until_ns) / 1e9)

    def end(self) -> Story:
        """Let it live for once, and see whether everything stands."""
        self.start()
        self.recorder.wait_for("recording")
        wait_until(lambda: self.recorder.status()["index"]["waiting"] == 0, 30, "nothing waits")
        self.recorder.stop()
        return self.witness.check()


@pytest.fixture
def lanes(tmp_path: Path) -> Iterator[list[Lane]]:
    clip = synthetic.clip(tmp_path / "clip.mp4", seconds=20, fps=25, gop=25, size=(320, 240))
    seed = os.environ.get("CLASSROOM_AGENT_SEED", str(random.randrange(2**32)))
    print(f"CLASSROOM_AGENT_SEED={seed}")  # noqa: T201 (to repeat a failure)
    with nursery(tmp_path) as forks:
        made = [Lane(forks, tmp_path / f"lane-{n}", clip, f"{seed}/{n}") for n in range(LANES)]
        yield made
        for lane in made:
            lane.recorder.end()


def in_parallel(lanes: list[Lane], work: Callable[[Lane], None]) -> list[Story]:
    """`work` in each lane, then its end; the first failure of a lane is raised."""

    def through(lane: Lane) -> Story:
        work(lane)
        return lane.end()

    with ThreadPoolExecutor(len(lanes)) as pool:
        return list(pool.map(through, lanes))


def report(name: str, lanes: list[Lane], stories: list[Story]) -> None:
    losses = [loss for lane in lanes for loss in lane.losses]
    kills, aimed = sum(lane.kills for lane in lanes), sum(lane.aimed for lane in lanes)
    figures = {
        "kills": kills,
        "after_durable_footage": aimed,
        "measured": len(losses),
        "worst_loss_s": round(max(losses), 3),
        "mean_loss_s": round(sum(losses) / len(losses), 3),
        "segments": sum(len(story.segments) for story in stories),
        "gaps": sum(len(story.gaps) for story in stories),
        "unexplained_s": sum(story.coverage.unexplained_seconds for story in stories),
    }
    print(json.dumps({name: figures}))  # noqa: T201 (the figures are what the run is for)
    assert max(losses) <= ALLOWED_S


def test_killed_at_random_instants_it_loses_at_most_one_fragment(lanes: list[Lane]) -> None:
    numbers = iter(range(KILLS // 2))

    def work(lane: Lane) -> None:
        while (number := next(numbers, None)) is not None:
            if number % STARTING == 0:
                lane.kill_while_starting()
            else:
                lane.kill_while_recording()

    report("random instants", lanes, in_parallel(lanes, work))
    kills, measured = sum(lane.kills for lane in lanes), sum(len(lane.losses) for lane in lanes)
    assert kills == KILLS // 2
    assert measured >= kills - kills // STARTING


def test_killed_at_each_step_on_the_disk_it_loses_at_most_one_fragment(lanes: list[Lane]) -> None:
    """A step is a write, sync, creation, rename, truncation or removal, of footage, journal and database;
    where it is a write, every second one is half done. Up to the first durable fragment they are counted from
    the fork, behind it from that fragment: how many a start takes depends on what it finds."""
    with ThreadPoolExecutor(len(lanes)) as pool:
        list(pool.map(steps_of_a_life, lanes))  # the first one makes the database, which no later one does
        lives = list(pool.map(steps_of_a_life, lanes))
    starting, recording = (max(steps) for steps in zip(*lives, strict=True))
    numbers = iter(range(max(KILLS // 2, starting + recording)))

    def work(lane: Lane) -> None:
        while (number := next(numbers, None)) is not None:
            around, step = divmod(number, starting + recording)
            torn = (around + step) % 2 == 1
            if step < starting:
                lane.kill_at_step_of_start(step + 1, torn=torn)
            else:
                lane.kill_at_step_of_recording(step - starting + 1, torn=torn)

    report("every step", lanes, in_parallel(lanes, work))
    kills, aimed = sum(lane.kills for lane in lanes), sum(lane.aimed for lane in lanes)
    measured = sum(len(lane.losses) for lane in lanes)
    assert measured >= kills // 2
    assert aimed < measured < kills, "before the first frame and the first fragment, too"


def steps_of_a_life(lane: Lane) -> tuple[int, int]:
    """From the start to its first durable fragment, and from there to behind its rotations and their rows."""
    lane.start()
    lane.await_footage()
    starting = lane.recorder.injector.steps
    wait_until(lambda: len(lane.files_of_this_life()) > ROTATIONS, 60, "its rotations")
    steps = lane.recorder.injector.steps
    lane.recorder.kill()
    return starting, steps - starting

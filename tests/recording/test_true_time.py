"""Footage under a clock that was wrong, set and set back: in true time each second has one place (I3, I8)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from agent.paths import Paths
from agent.recording.continuity import Coverage, coverage
from agent.store import true_time
from agent.timekeeping.watch import ClockWatch, Instruments
from tests.clocks import ManualClock
from tests.recording.rig import Clip, Rig

START_US = ManualClock.wall_us
TOLERANCE_US = 5_000
LONG = 2**50


@dataclass
class TrueClock(ManualClock):
    """Knows the true time besides what it shows."""

    true_us: int = START_US
    offsets: dict[str, int] = field(default_factory=dict)
    """Boot → true minus monotonic time."""

    def advance(self, seconds: float) -> None:
        super().advance(seconds)
        self.true_us += round(seconds * 1_000_000)
        self.offsets[self.boot_id] = self.true_us - self.monotonic_ns // 1000


class Film:
    """A clip whose bytes are not printed with a failure."""

    def __init__(self, clip: Clip) -> None:
        self.clip = clip


class Story:
    """A recorder and a keeper on one clock."""

    def __init__(self, rig: Rig, clock: TrueClock) -> None:
        self.rig, self.clock, self.boots = rig, clock, 1
        self._keeper()
        rig.start()
        rig.connect()
        self.play(1)

    def _keeper(self) -> None:
        self.watch = ClockWatch(Instruments(lambda: 10_000, lambda: None), simulated=True)

    def play(self, seconds: float) -> None:
        self.rig.play(seconds)
        for _ in range(2):
            self.watch.look(self.rig.store, self.clock.now())

    def set_clock(self, seconds: float) -> None:
        self.clock.step_wall(seconds)
        self.clock.clock_state = "unsynchronised"
        self.play(2)

    def synchronise(self) -> None:
        self.clock.wall_us = self.clock.true_us
        self.clock.clock_state = "synchronised"
        self.play(2)

    def power_cut(self, seconds: float) -> None:
        """The machine wakes with the time at which it went off."""
        self.rig.kill()
        saved_us = self.clock.wall_us
        self.clock.advance(seconds)
        self.boots += 1
        self.clock.boot_id = str(UUID(int=self.boots, version=4))
        self.clock.wall_us, self.clock.monotonic_ns = saved_us, 20_000_000_000
        self.clock.clock_state = "unsynchronised"
        self._keeper()
        self.clock.advance(0)
        self.rig.start()
        self.rig.idle(0.4)
        self.rig.connect()
        self.play(2)

    def camera_fails(self, seconds: float) -> None:
        self.rig.fault()
        self.rig.idle(seconds)
        self.rig.connect()
        self.play(2)

    def segments(self) -> list[true_time.PlacedRow]:
        return true_time.segments_between(self.rig.store, "rear", 0, LONG * 4)

    def coverage(self) -> Coverage:
        rows = self.segments()
        gaps = true_time.gaps_between(self.rig.store, "rear", 0, LONG * 4)
        return coverage(rows, gaps, rows[0]["start_us"], max(row["end_us"] for row in rows))


@pytest.fixture
def film(clip: Clip) -> Film:
    return Film(clip)


@contextmanager
def told(clip: Clip, booted_us: int = START_US) -> Iterator[Story]:
    with tempfile.TemporaryDirectory() as folder:
        paths = Paths(*(Path(folder) / name for name in ("state", "video", "runtime")))
        for path in (paths.state, paths.video):
            path.mkdir()
        clock = TrueClock(wall_us=booted_us, clock_state="unsynchronised")
        rig = Rig(paths, clock, clip)
        story = Story(rig, clock)
        try:
            yield story
        finally:
            rig.volume.close()
            rig.store.close()


def total_us(spans: tuple[tuple[int, int], ...]) -> int:
    return sum(end - start for start, end in spans)


@pytest.mark.promise("I3", "I8")
@pytest.mark.parametrize("wrong_s", [-3600, 3600, -50 * 365 * 86_400, 73 * 365 * 86_400])
def test_a_lesson_that_began_under_a_wrong_clock_is_found_at_its_true_time(clip: Clip, wrong_s: int) -> None:
    """An hour off either way, 1976, 2099."""
    with told(clip, START_US + wrong_s * 1_000_000) as story:
        story.play(5)
        story.synchronise()
        story.play(3)
        story.rig.stop()
        stated = {(row["run_id"], row["sequence"]): row["start_us"] for row in story.rig.segments()}
        during = true_time.segments_between(story.rig.store, "rear", START_US, START_US + 60_000_000)
        assert {(row["run_id"], row["sequence"]) for row in during} == set(stated)
        assert all(row["stated_start_us"] == stated[row["run_id"], row["sequence"]] for row in during)
        assert during[0]["add_us"] == pytest.approx(-wrong_s * 1_000_000, abs=TOLERANCE_US)
        assert during[0]["uncertainty_us"] is not None and during[-1]["uncertainty_us"] is None
        there = START_US + wrong_s * 1_000_000
        assert true_time.segments_between(story.rig.store, "rear", there, there + 8_000_000) == []
        found = story.coverage()
        assert total_us(found.unexplained) <= TOLERANCE_US
        assert float(found.longest) == pytest.approx(found.seconds_on_video, abs=0.01)


@pytest.mark.promise("I3", "I8")
def test_a_clock_set_back_by_hand_doubles_nothing_once_it_is_right_again(clip: Clip) -> None:
    with told(clip) as story:
        story.synchronise()
        story.play(20)
        story.set_clock(-10)
        story.play(6)
        stated = coverage(story.rig.segments(), story.rig.gaps(), START_US, START_US + 40_000_000)
        assert stated.twice != (), "by its stamps ten seconds passed twice"
        story.synchronise()
        story.rig.stop()
        found = story.coverage()
        assert total_us(found.twice) <= TOLERANCE_US
        assert total_us(found.unexplained) <= TOLERANCE_US
        assert float(found.longest) > 30


STEPS = st.one_of(
    st.tuples(st.just("play"), st.integers(1, 5)),
    st.tuples(st.just("set"), st.integers(-90_000, 90_000).filter(lambda s: abs(s) > 3)),
    st.tuples(st.just("power"), st.integers(1, 90_000)),
    st.tuples(st.just("camera"), st.integers(6, 20)),
)


@pytest.mark.promise("I3", "I8", "I4")
@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # the rig is too slow to shrink a failure
)
@given(steps=st.lists(STEPS, max_size=6), wrong_s=st.integers(-100_000, 100_000))
@example(steps=[("power", 600)], wrong_s=-3600)
@example(steps=[], wrong_s=2)
@example(steps=[("power", 1)], wrong_s=105)
@example(steps=[("set", -515), ("set", 35), ("power", 288), ("power", 51024)], wrong_s=1283)
@example(steps=[("set", -20), ("play", 3), ("set", -20)], wrong_s=0)
def test_no_second_of_footage_is_without_place_and_none_has_two(
    film: Film, steps: list[tuple[str, int]], wrong_s: int
) -> None:
    with told(film.clip, START_US + wrong_s * 1_000_000) as story:
        for what, amount in [*steps, ("play", 2)]:
            match what:
                case "play":
                    story.play(amount)
                case "set":
                    story.set_clock(amount)
                case "power":
                    story.synchronise()
                    story.power_cut(amount)
                case _:
                    story.camera_fails(amount)
        story.synchronise()
        story.rig.stop()
        rows_before = {(row["run_id"], row["sequence"]): tuple(row) for row in story.rig.segments()}
        placed = story.segments()
        assert len(placed) == len(rows_before)
        for row in placed:
            true_us = story.clock.offsets[row["boot_id"]] + row["monotonic_start_ns"] // 1000
            assert abs(row["start_us"] - true_us) <= (row["uncertainty_us"] or TOLERANCE_US)
            assert abs(row["start_us"] - true_us) <= TOLERANCE_US, "the rig's crystal does not drift"
        found = story.coverage()
        assert total_us(found.twice) <= TOLERANCE_US * len(placed)
        assert total_us(found.unexplained) <= TOLERANCE_US * len(placed)
        after = {(row["run_id"], row["sequence"]): tuple(row) for row in story.rig.segments()}
        assert after == rows_before, "a row was rewritten"

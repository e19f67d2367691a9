"""A camera that is not well is said so, with its measure; one that is well is left in peace."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.recording.camera_health import CameraHealth, HealthStatement
from drivers.cameras.base import Packet, StreamInfo

STREAM = StreamInfo("h264", 1920, 1080, Fraction(1, 90_000), b"")
FPS = 15
SECOND = 1_000_000_000
Arrival = Callable[[int], float]
"""Number of a frame → seconds at which it arrives."""


@dataclass
class Camera:
    """Sends into a `CameraHealth`; `key_s` between key frames, `ppm` by which its clock is fast."""

    health: CameraHealth
    key_s: float = 2.0
    fps: float = FPS
    size: int = 12_000
    ppm: float = 0.0
    number: int = 0
    now_s: float = 100.0
    dts: float = 5_000.0
    key_due: float = 0.0

    def send(
        self, seconds: float, late: Callable[[int], float] = lambda number: 0.0
    ) -> list[HealthStatement]:
        """`late`: seconds by which a frame arrives later than it was taken."""
        end = self.now_s + seconds
        while self.now_s < end:
            is_key = self.now_s >= self.key_due
            if is_key:
                self.key_due = self.now_s + self.key_s
            arrived = round((self.now_s + late(self.number)) * SECOND)
            ticks = round(self.dts)
            self.health.add(Packet(bytes(self.size), ticks, ticks, 0, is_key, arrived))
            self.number += 1
            self.now_s += 1 / self.fps
            self.dts += 90_000 / self.fps * (1 + self.ppm / 1e6)
        return list(self.health.statements())

    def pause(self, seconds: float) -> None:
        """The camera takes and sends nothing."""
        self.now_s += seconds
        self.dts += seconds * 90_000


def camera(stream: StreamInfo = STREAM, **options: float) -> Camera:
    health = CameraHealth("rear", simulated=True)
    health.opened(stream)
    return Camera(health, **options)  # type: ignore[arg-type]


def test_a_good_camera_is_said_once_and_left_in_peace() -> None:
    sender = camera()
    (said,) = sender.send(300)
    assert (said.state, said.before, said.problems) == ("good", None, ())
    assert said.measured.frames_per_second == pytest.approx(FPS, rel=0.02)
    assert said.measured.kbit_per_second == pytest.approx(FPS * 12_000 * 8 / 1000, rel=0.02)
    assert said.measured.key_frame_interval_s == pytest.approx(2.0, abs=0.1)
    assert said.measured.drift_ppm is None


@pytest.mark.parametrize(
    ("options", "state", "problem"),
    [
        ({"key_s": 6.0}, "degraded", "few_key_frames"),
        ({"key_s": 12.0}, "bad", "few_key_frames"),
        ({"key_s": 1e9}, "bad", "few_key_frames"),
        ({"fps": 4.0}, "degraded", "low_frame_rate"),
        ({"size": 100}, "degraded", "low_bitrate"),
    ],
)
def test_what_is_wrong_is_named(options: dict[str, float], state: str, problem: str) -> None:
    said = camera(**options).send(120)
    assert said[-1].state == state and said[-1].problems == (problem,)


def test_a_small_picture_is_named() -> None:
    said = camera(replace(STREAM, width=640, height=360)).send(60)
    assert said[-1].problems == ("small_picture",)


def test_the_drift_of_the_cameras_clock_is_measured_and_recorded() -> None:
    shaky = random.Random(7)
    sender = camera(ppm=120.0)
    said = sender.send(1300, late=lambda number: shaky.uniform(0, 0.08))
    assert [s.before for s in said] == [None, "good"], "said again once the drift is known"
    assert said[-1].measured.drift_ppm == pytest.approx(120, abs=15)
    assert camera(ppm=-3000.0).send(900)[-1].problems == ("clock_drift",)


def test_frames_held_up_by_the_network_are_late_and_no_gap() -> None:
    sender = camera()
    sender.send(60)
    said = sender.send(60, late=lambda number: 1.2 * abs(math.sin(number / 60)))
    assert said[-1].state == "degraded" and said[-1].problems == ("late_frames",)


def test_frames_that_arrive_by_the_batch_are_not_late() -> None:
    """A camera or a busy machine hands over 0.4 s at once: the first of a batch is stated late by as much."""
    sender = camera()
    burst = math.ceil(0.4 * FPS)
    (said,) = sender.send(180, late=lambda number: (burst - 1 - number % burst) / FPS)
    assert said.state == "good" and said.measured.late_frames == said.measured.stalls == 0


def test_pauses_are_stalls_and_a_recovered_camera_is_good_after_a_minute() -> None:
    sender = camera()
    sender.send(60)
    said: list[HealthStatement] = []
    for _ in range(4):
        said += sender.send(8)
        sender.pause(2)
    assert said[-1].state in ("degraded", "bad") and "stalls" in said[-1].problems
    assert sender.send(40) == [], "not at the first good window"
    assert [s.state for s in sender.send(60)][-1:] == ["good"]


def test_one_bad_window_is_no_alarm() -> None:
    sender = camera()
    sender.send(60)
    sender.pause(3)
    assert sender.send(120) == []


def test_frames_left_out_by_the_camera_are_seen_by_its_own_stamps() -> None:
    sender = camera()
    sender.send(60)
    said: list[HealthStatement] = []
    for _ in range(60):
        said += sender.send(0.5)
        sender.pause(0.4)
    assert said[-1].problems[-1] == "uneven_frame_rate"


def test_a_new_connection_or_stamps_that_jump_are_measured_afresh() -> None:
    sender = camera()
    sender.send(60)
    sender.dts += 90_000 * 3600
    assert sender.send(60) == []
    sender.health.opened(STREAM)
    sender.now_s += 100
    sender.dts = 0
    assert sender.send(60) == []


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(0.02, 20),
            st.floats(0.1, 40),
            st.floats(0, 8),
            st.booleans(),
            st.integers(-(10**9), 10**9),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_no_stream_breaks_the_measure_and_every_change_is_a_change(
    parts: list[tuple[float, float, float, bool, int]],
) -> None:
    sender = camera()
    said: list[HealthStatement] = []
    for seconds, fps, pause_s, opens, jump in parts:
        sender.fps = fps
        said += sender.send(seconds * 3)
        sender.pause(pause_s)
        sender.dts += jump if opens else 0
        if opens:
            sender.health.opened(STREAM)
    assert all(s.state != s.before or s.measured.drift_ppm is not None for s in said)
    assert all((s.state == "good") == (not s.problems) for s in said)
    assert list(_states(said)) == [s.state for s in said]


def _states(said: list[HealthStatement]) -> Iterator[str]:
    """Each statement goes on from the one before."""
    before: str | None = None
    for statement in said:
        assert statement.before == before
        before = statement.state
        yield statement.state

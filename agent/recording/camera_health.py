"""How a camera's stream is, judged from what arrives (`agent.recording.stream_meter`).

The state changes when several windows in a row agree, so that one late packet makes no alarm and one good
moment ends none.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from agent.recording.feed import Event, StreamOpened
from agent.recording.stream_limits import (
    KEY_FRAMES_BAD_S,
    KEY_FRAMES_DEGRADED_S,
    NARROWEST_PX,
    SLOWEST_FPS,
)
from agent.recording.stream_meter import Measured, StreamMeter
from drivers.cameras.base import Packet, StreamInfo

HealthState = Literal["good", "degraded", "bad"]
Problem = Literal[
    "few_key_frames",
    "low_frame_rate",
    "uneven_frame_rate",
    "late_frames",
    "stalls",
    "low_bitrate",
    "clock_drift",
    "small_picture",
]

WORSE_AFTER, BETTER_AFTER = 2, 6
"""Windows in a row that must agree."""
LOW_KBIT = 30
DRIFT_LIMIT_PPM = 1000
RESTATE_NS = 86_400_000_000_000
"""Measured values go into the log once a day although nothing changed: the drift is part of the evidence."""

_LEVELS: tuple[HealthState, ...] = ("good", "degraded", "bad")


@dataclass(frozen=True, slots=True)
class HealthStatement:
    """The state of a camera changed, or is said again; for the index and the record log."""

    camera: str
    simulated: bool
    state: HealthState
    before: HealthState | None
    problems: tuple[Problem, ...]
    measured: Measured

    def as_data(self) -> dict[str, Any]:
        return {
            "camera": self.camera,
            "state": self.state,
            "before": self.before,
            "problems": list(self.problems),
            "measured": self.measured.as_data(),
        }


class CameraHealth:
    """One camera. One thread."""

    def __init__(self, camera: str, *, simulated: bool) -> None:
        self._camera, self._simulated = camera, simulated
        self.state: HealthState | None = None
        """None until the first windows have agreed."""
        self.problems: tuple[Problem, ...] = ()
        self.measured: Measured | None = None
        """The last whole window."""
        self._meter: StreamMeter | None = None
        """Of the connection that delivers."""
        self._levels: deque[tuple[int, tuple[Problem, ...]]] = deque(maxlen=BETTER_AFTER)
        self._drift_stated = False
        self._stated_ns = 0
        self._statements: deque[HealthStatement] = deque(maxlen=16)

    def take(self, event: Event | None) -> None:
        """What the camera's thread hands to the recorder; None is the passing of time."""
        match event:
            case None:
                return
            case StreamOpened():
                self.opened(event.stream)
            case Packet():
                self.add(event)
            case _:
                self.interrupted()

    def opened(self, stream: StreamInfo) -> None:
        """A connection delivers; whatever was measured of the one before says nothing of it."""
        self._meter = StreamMeter(stream)

    def interrupted(self) -> None:
        """Packets are missing for another reason than the camera's stream."""
        if self._meter is not None:
            self._meter.interrupted()

    def add(self, packet: Packet) -> None:
        """Measure a packet as it arrived. Constant time."""
        measured = None if self._meter is None else self._meter.add(packet)
        if measured is not None:
            self._judge(measured, packet.arrived_ns)

    def statements(self) -> Iterator[HealthStatement]:
        """What is to be said since the last call."""
        while self._statements:
            yield self._statements.popleft()

    def as_detail(self) -> dict[str, Any] | None:
        """For the status board; None before the first window."""
        if self.measured is None:
            return None
        return {
            "state": self.state,
            "problems": list(self.problems),
            "measured": self.measured.as_data(),
        }

    def _judge(self, measured: Measured, now_ns: int) -> None:
        self.measured = measured
        found = dict(_problems(measured))
        self._levels.append((max(found.values(), default=0), tuple(sorted(found))))
        levels = [level for level, _ in self._levels]
        before = self.state
        current = -1 if before is None else _LEVELS.index(before)
        lately = levels[-WORSE_AFTER:]
        if len(lately) == WORSE_AFTER and min(lately) > current:
            self.state = _LEVELS[min(lately)]
        elif len(levels) == BETTER_AFTER and max(levels) < current:
            self.state = _LEVELS[max(levels)]
        if self.state is None:
            return
        # A good state has no problems, whatever a single window found.
        self.problems = self._levels[-1][1] if self.state != "good" else ()
        if self.state != "good" and not self.problems:
            self.problems = next((p for _, p in reversed(self._levels) if p), ())
        drift_is_new = measured.drift_ppm is not None and not self._drift_stated
        if self.state != before or drift_is_new or now_ns - self._stated_ns >= RESTATE_NS:
            self._drift_stated |= drift_is_new
            self._stated_ns = now_ns
            self._statements.append(
                HealthStatement(self._camera, self._simulated, self.state, before, self.problems, measured)
            )


def _problems(found: Measured) -> Iterator[tuple[Problem, int]]:
    """Each problem of a window with its level: 1 degraded, 2 bad."""
    interval = found.key_frame_interval_s
    if interval is not None and interval > KEY_FRAMES_DEGRADED_S:
        yield "few_key_frames", 2 if interval > KEY_FRAMES_BAD_S else 1
    if found.frames_per_second < SLOWEST_FPS:
        yield "low_frame_rate", 2 if found.frames_per_second < 1 else 1
    if found.nominal_fps is not None and found.frames_per_second < 0.8 * found.nominal_fps:
        yield "uneven_frame_rate", 2 if found.frames_per_second < 0.5 * found.nominal_fps else 1
    if found.late_frames > 0.05 * found.frames:
        yield "late_frames", 2 if found.late_frames > 0.5 * found.frames else 1
    if found.stalls:
        yield "stalls", 2 if found.stalls > 2 else 1
    if found.kbit_per_second < LOW_KBIT:
        yield "low_bitrate", 1
    if found.drift_ppm is not None and abs(found.drift_ppm) > DRIFT_LIMIT_PPM:
        yield "clock_drift", 1
    if found.width < NARROWEST_PX:
        yield "small_picture", 1

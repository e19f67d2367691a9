"""How a camera's stream is, from what arrives: nothing is decoded, nothing waits for it (I11).

Windows of ten seconds are measured and judged; the state changes when several windows in a row agree, so that
one late packet makes no alarm and one good moment ends none.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median_low
from typing import Any, Literal

from agent.recording.feed import Event, StreamOpened
from agent.recording.stream_limits import (
    KEY_FRAMES_BAD_S,
    KEY_FRAMES_DEGRADED_S,
    NARROWEST_PX,
    SLOWEST_FPS,
)
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

WINDOW_NS = 10_000_000_000
WORSE_AFTER, BETTER_AFTER = 2, 6
"""Windows in a row that must agree."""
LATE_NS = 1_000_000_000
"""A frame that arrives so much later than the quickest of the last minute is late. Cameras send,
and a busy machine reads, several at once."""
STALL_NS = 1_000_000_000
"""A pause between two frames; from `recording.silence_seconds` on it is a gap."""
LOW_KBIT = 30
DRIFT_LIMIT_PPM = 1000
DRIFT_AFTER_NS = 600_000_000_000
"""Before that the network's jitter is more than the drift."""
RESTATE_NS = 86_400_000_000_000
"""Measured values go into the log once a day although nothing changed: the drift is part of the evidence."""

_LEVELS: tuple[HealthState, ...] = ("good", "degraded", "bad")
_BASELINES = 6


@dataclass(frozen=True, slots=True)
class Measured:
    """One window."""

    seconds: float
    frames_per_second: float
    kbit_per_second: float
    key_frame_interval_s: float | None
    """The longest so far in the window, the one that lasts included; None before the first key frame."""
    late_frames: int
    stalls: int
    longest_pause_s: float
    drift_ppm: float | None
    """The camera's clock against ours; positive: the camera's is fast. None in the first ten minutes."""
    width: int
    height: int
    codec: str

    def as_data(self) -> dict[str, Any]:
        """JSON, as the record carries it."""
        return {
            "seconds": round(self.seconds, 1),
            "frames_per_second": round(self.frames_per_second, 2),
            "kbit_per_second": round(self.kbit_per_second),
            "key_frame_interval_s": _rounded(self.key_frame_interval_s, 2),
            "late_frames": self.late_frames,
            "stalls": self.stalls,
            "longest_pause_s": round(self.longest_pause_s, 2),
            "drift_ppm": _rounded(self.drift_ppm, 1),
            "width": self.width,
            "height": self.height,
            "codec": self.codec,
        }


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


@dataclass
class _Window:
    """What arrived since its first packet."""

    began_ns: int
    frames: int = 0
    bytes: int = 0
    late: int = 0
    stalls: int = 0
    longest_pause_ns: int = 0
    longest_key_interval: int = 0
    quickest_ns: int | None = None
    steps: list[int] = field(default_factory=list)


class CameraHealth:
    """One camera. One thread."""

    def __init__(self, camera: str, *, simulated: bool) -> None:
        self._camera, self._simulated = camera, simulated
        self.state: HealthState | None = None
        """None until the first windows have agreed."""
        self.problems: tuple[Problem, ...] = ()
        self.measured: Measured | None = None
        """The last whole window."""
        self._stream: StreamInfo | None = None
        self._window: _Window | None = None
        self._last: Packet | None = None
        self._key_dts: int | None = None
        self._baselines: deque[int] = deque(maxlen=_BASELINES)
        self._anchor: tuple[int, int] | None = None
        """(camera's time, delay of arrival) of the first window, both nanoseconds."""
        self._levels: deque[tuple[int, tuple[Problem, ...]]] = deque(maxlen=BETTER_AFTER)
        self._drift_stated = False
        self._stated_ns = 0
        self._longest_step = self._ns_numerator = 0
        self._ns_denominator = 1
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
        self._stream = stream
        # Integers once a connection: fractions at each frame cost more than everything else done here.
        self._longest_step = int(30 / stream.time_base)
        self._ns_numerator = stream.time_base.numerator * 1_000_000_000
        self._ns_denominator = stream.time_base.denominator
        self.interrupted()

    def interrupted(self) -> None:
        """Packets are missing for another reason than the camera's stream."""
        self._window = self._last = self._key_dts = self._anchor = None
        self._baselines.clear()

    def add(self, packet: Packet) -> None:
        """Measure a packet as it arrived. Constant time."""
        if self._stream is None:
            return
        last, self._last = self._last, packet
        if last is not None and not 0 < packet.dts - last.dts < self._longest_step:
            self.interrupted()  # the stamps jumped: another time line
            self._last, last = packet, None
        window = self._window
        if window is not None and packet.arrived_ns - window.began_ns >= WINDOW_NS:
            self._judge(window, packet.arrived_ns)
            window = None
        if window is None:
            window = self._window = _Window(packet.arrived_ns)
        self._count(window, last, packet)

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

    def _count(self, window: _Window, last: Packet | None, packet: Packet) -> None:
        window.frames += 1
        window.bytes += len(packet.data)
        if last is not None:
            pause_ns = packet.arrived_ns - last.arrived_ns
            window.longest_pause_ns = max(window.longest_pause_ns, pause_ns)
            window.stalls += pause_ns > STALL_NS
            window.steps.append(packet.dts - last.dts)
        delay_ns = packet.arrived_ns - self._ns(packet.dts)
        window.quickest_ns = delay_ns if window.quickest_ns is None else min(window.quickest_ns, delay_ns)
        window.late += delay_ns - min(*self._baselines, window.quickest_ns, delay_ns) > LATE_NS
        if self._key_dts is not None:
            window.longest_key_interval = max(window.longest_key_interval, packet.dts - self._key_dts)
        if packet.is_key_frame:
            self._key_dts = packet.dts

    def _judge(self, window: _Window, now_ns: int) -> None:
        assert self._stream is not None  # noqa: S101 (a window belongs to a stream)
        assert window.quickest_ns is not None  # noqa: S101 (a window holds a packet)
        seconds = (now_ns - window.began_ns) / 1e9
        interval = window.longest_key_interval * self._stream.time_base
        self.measured = Measured(
            seconds=seconds,
            frames_per_second=window.frames / seconds,
            kbit_per_second=window.bytes * 8 / 1000 / seconds,
            key_frame_interval_s=float(interval) if self._key_dts is not None and interval else None,
            late_frames=window.late,
            stalls=window.stalls,
            longest_pause_s=window.longest_pause_ns / 1e9,
            drift_ppm=self._drift(now_ns, window.quickest_ns),
            width=self._stream.width,
            height=self._stream.height,
            codec=self._stream.codec,
        )
        self._baselines.append(window.quickest_ns)
        found = dict(_problems(self.measured, window.frames, self._nominal_fps(window)))
        self._levels.append((max(found.values(), default=0), tuple(sorted(found))))
        self._decide(now_ns)

    def _decide(self, now_ns: int) -> None:
        assert self.measured is not None  # noqa: S101 (judged just now)
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
        drift_is_new = self.measured.drift_ppm is not None and not self._drift_stated
        if self.state != before or drift_is_new or now_ns - self._stated_ns >= RESTATE_NS:
            self._drift_stated |= drift_is_new
            self._stated_ns = now_ns
            self._statements.append(
                HealthStatement(
                    self._camera, self._simulated, self.state, before, self.problems, self.measured
                )
            )

    def _drift(self, now_ns: int, quickest_ns: int) -> float | None:
        """Parts per million by which the camera's clock is fast. The quickest packet of a window was hardly
        held up, so the change of its delay is the clocks', not the network's."""
        if self._anchor is None:
            self._anchor = (now_ns, quickest_ns)
            return None
        since_ns = now_ns - self._anchor[0]
        if since_ns < DRIFT_AFTER_NS:
            return None
        return (self._anchor[1] - quickest_ns) * 1e6 / since_ns

    def _nominal_fps(self, window: _Window) -> float | None:
        """By the camera's own stamps; most frames follow each other at the frame rate that it was set to."""
        assert self._stream is not None  # noqa: S101 (a window belongs to a stream)
        if not window.steps:
            return None
        return float(1 / (median_low(window.steps) * self._stream.time_base))

    def _ns(self, ticks: int) -> int:
        return ticks * self._ns_numerator // self._ns_denominator


def _problems(found: Measured, frames: int, nominal_fps: float | None) -> Iterator[tuple[Problem, int]]:
    """Each problem of a window with its level: 1 degraded, 2 bad."""
    interval = found.key_frame_interval_s
    if interval is not None and interval > KEY_FRAMES_DEGRADED_S:
        yield "few_key_frames", 2 if interval > KEY_FRAMES_BAD_S else 1
    if found.frames_per_second < SLOWEST_FPS:
        yield "low_frame_rate", 2 if found.frames_per_second < 1 else 1
    if nominal_fps is not None and found.frames_per_second < 0.8 * nominal_fps:
        yield "uneven_frame_rate", 2 if found.frames_per_second < 0.5 * nominal_fps else 1
    if found.late_frames > 0.05 * frames:
        yield "late_frames", 2 if found.late_frames > 0.5 * frames else 1
    if found.stalls:
        yield "stalls", 2 if found.stalls > 2 else 1
    if found.kbit_per_second < LOW_KBIT:
        yield "low_bitrate", 1
    if found.drift_ppm is not None and abs(found.drift_ppm) > DRIFT_LIMIT_PPM:
        yield "clock_drift", 1
    if found.width < NARROWEST_PX:
        yield "small_picture", 1


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)

"""What arrives of a camera's stream, measured in windows of ten seconds. Nothing is decoded, and nothing
waits for it (I11)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from statistics import median_low
from typing import Any

from drivers.cameras.base import Packet, StreamInfo

WINDOW_NS = 10_000_000_000
LATE_NS = 1_000_000_000
"""A frame that arrives so much later than the quickest of the last minute is late. Cameras send,
and a busy machine reads, several at once."""
STALL_NS = 1_000_000_000
"""A pause between two frames; from `recording.silence_seconds` on it is a gap."""
DRIFT_AFTER_NS = 600_000_000_000
"""Before that the network's jitter is more than the drift."""

_BASELINES = 6


@dataclass(frozen=True, slots=True)
class Measured:
    """One window."""

    seconds: float
    frames: int
    nominal_fps: float | None
    """By the camera's own stamps: the frame rate that it was set to; None with fewer than two frames."""
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


@dataclass
class _Window:
    """What arrived since its first packet."""

    began_ns: int
    quickest_ns: int
    """The shortest delay of arrival."""
    frames: int = 0
    bytes: int = 0
    late: int = 0
    stalls: int = 0
    longest_pause_ns: int = 0
    longest_key_interval: int = 0
    steps: list[int] = field(default_factory=list)


class StreamMeter:
    """One connection's stream. One thread."""

    def __init__(self, stream: StreamInfo) -> None:
        self._stream = stream
        # Integers once a connection: fractions at each frame cost more than everything else done here.
        self._longest_step = int(30 / stream.time_base)
        self._ns_numerator = stream.time_base.numerator * 1_000_000_000
        self._ns_denominator = stream.time_base.denominator
        self._window: _Window | None = None
        self._last: Packet | None = None
        self._key_dts: int | None = None
        self._baselines: deque[int] = deque(maxlen=_BASELINES)
        self._anchor: tuple[int, int] | None = None
        """(our time, delay of arrival) of the first window, both nanoseconds."""

    def interrupted(self) -> None:
        """Packets are missing for another reason than the camera's stream."""
        self._window = self._last = self._key_dts = self._anchor = None
        self._baselines.clear()

    def add(self, packet: Packet) -> Measured | None:
        """Count a packet as it arrived, in constant time; the window that it ends, if it ends one."""
        last, self._last = self._last, packet
        if last is not None and not 0 < packet.dts - last.dts < self._longest_step:
            self.interrupted()  # the stamps jumped: another time line
            self._last, last = packet, None
        delay_ns = packet.arrived_ns - packet.dts * self._ns_numerator // self._ns_denominator
        window, measured = self._window, None
        if window is not None and packet.arrived_ns - window.began_ns >= WINDOW_NS:
            measured = self._measured(window, packet.arrived_ns)
            self._baselines.append(window.quickest_ns)
            window = None
        if window is None:
            window = self._window = _Window(packet.arrived_ns, delay_ns)
        self._count(window, last, packet, delay_ns)
        return measured

    def _count(self, window: _Window, last: Packet | None, packet: Packet, delay_ns: int) -> None:
        window.frames += 1
        window.bytes += len(packet.data)
        if last is not None:
            pause_ns = packet.arrived_ns - last.arrived_ns
            window.longest_pause_ns = max(window.longest_pause_ns, pause_ns)
            window.stalls += pause_ns > STALL_NS
            window.steps.append(packet.dts - last.dts)
        window.quickest_ns = min(window.quickest_ns, delay_ns)
        window.late += delay_ns - min(*self._baselines, window.quickest_ns, delay_ns) > LATE_NS
        if self._key_dts is not None:
            window.longest_key_interval = max(window.longest_key_interval, packet.dts - self._key_dts)
        if packet.is_key_frame:
            self._key_dts = packet.dts

    def _measured(self, window: _Window, now_ns: int) -> Measured:
        seconds = (now_ns - window.began_ns) / 1e9
        interval = window.longest_key_interval * self._stream.time_base
        # Most frames follow each other at the frame rate.
        step = median_low(window.steps) * self._stream.time_base if window.steps else None
        return Measured(
            seconds=seconds,
            frames=window.frames,
            nominal_fps=None if step is None else float(1 / step),
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


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)

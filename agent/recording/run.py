"""A run: the unbroken footage of one opened stream, cut into segments at key frames.

The run counts ticks from its first packet's decoding time. One packet is held back, because a packet's true
duration is the distance to the next one (a camera's statement may be rounded, absent or wrong); so a
segment ends exactly where the next one begins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from uuid import uuid4

from agent.clock import Stamp
from agent.recording.gaps import EndReason, Gap
from agent.recording.gops import LARGEST
from agent.recording.header import Origin, SegmentHeader
from agent.recording.segment_writer import ClosedSegment, SegmentWriter, segment_path
from agent.recording.sound_track import SoundBuffer, SoundTrack
from drivers.cameras.base import Packet, StreamInfo
from drivers.cameras.bitstream import is_annex_b, is_random_access

LONGEST_FRAME_S = 2
"""A greater distance between two packets is a hole in the camera's stream, not a long frame."""

OPEN_GOP_PATIENCE = Fraction(6, 5)
"""How much longer than configured a segment gets at most while a key frame is awaited that closes a group."""

_ASSUMED_FRAME_S = Fraction(1, 25)
"""Duration of a run's only frame, when the camera does not state it."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What every run of a process shares."""

    video: Path
    origin: Origin
    segment_seconds: int
    fragment_seconds: float
    written_by: str


@dataclass(frozen=True, slots=True)
class _Arrived:
    packet: Packet
    ticks: int
    """Decoding time from the run's start."""
    now: Stamp
    """When it was taken, some time after it arrived."""

    @property
    def stamp(self) -> Stamp:
        """When it arrived."""
        return arrival(self.packet, self.now)


class Run:
    """Footage being written. OSError: the disk failed, call `abandon`. MuxError, BitstreamError: the camera
    sent something that is no video; what came before is intact, call `close`."""

    def __init__(
        self,
        options: RunOptions,
        stream: StreamInfo,
        on_closed: Callable[[ClosedSegment], None],
        *,
        previous_sha256: str | None,
        gaps_before: tuple[Gap, ...],
        sound: SoundBuffer | None = None,
    ) -> None:
        """`on_closed` gets every segment as it is finished; `gaps_before` go into the first header; `sound`
        is recorded beside the pictures."""
        self.id = str(uuid4())
        self.stream = stream
        self.first: SegmentHeader | None = None
        """Header of the first segment, from the first packet on."""
        self._options = options
        self._on_closed = on_closed
        self._previous_sha256 = previous_sha256
        self._gaps_before = gaps_before
        self._origin_dts = 0
        self._sound = (
            SoundTrack(sound, sound.format, stream.time_base.denominator) if sound and sound.format else None
        )
        self._sequence = 0
        self._segment: SegmentWriter | None = None
        self._held: _Arrived | None = None
        self._step = 0
        self._longest_step = int(LONGEST_FRAME_S / stream.time_base)

    @property
    def segment(self) -> SegmentWriter | None:
        """The growing segment."""
        return self._segment

    @property
    def sequence(self) -> int:
        """Of the growing segment."""
        return self._sequence

    @property
    def path(self) -> Path:
        """The growing file, relative to the video folder."""
        return segment_path(self.id, self._sequence)

    @property
    def has_sound(self) -> bool:
        """Whether the run's files have a sound track, which may be empty."""
        return self._sound is not None

    @property
    def has_durable_footage(self) -> bool:
        return self._segment is not None and (
            self._sequence > 0 or self._segment.durable_ticks > self._segment.start_ticks
        )

    def follows(self, packet: Packet) -> bool:
        """True when `packet` continues the run's time line."""
        if self._held is None:
            return packet.is_key_frame
        return 0 < packet.dts - self._held.packet.dts <= self._longest_step

    def write(self, packet: Packet, now: Stamp) -> None:
        """Take one packet; the one before it goes to the file."""
        if self._held is None:
            self._origin_dts = packet.dts
        arrived = _Arrived(packet, self._ticks(packet.dts), now)
        if self._sound is not None:
            self._sound.see_picture(self._ticks(packet.pts), packet.arrived_ns)
        if self._held is not None:
            self._write_held(arrived.ticks)
            if packet.is_key_frame and self._may_cut(packet, arrived.ticks):
                self._close_segment(arrived.ticks, arrived.stamp.wall_us, "rotation")
                self._sequence += 1
        if self._segment is None:
            self._open_segment(arrived)
        self._held = arrived

    def close(self, reason: EndReason, successor: Packet | None = None, now: Stamp | None = None) -> int:
        """End the run, before `successor` (which another run begins with) where there is one.

        Returns the end of the footage in UTC microseconds, by the clock that the segment began with. Where
        the stream only changed, that is the successor's arrival, as between two segments of a run.
        """
        if self._held is None:
            raise RuntimeError("the run holds no packet")
        held, self._held = self._held, None
        end_ticks = (
            held.ticks + self._last_duration(held) if successor is None else self._ticks(successor.dts)
        )
        if reason == "stream" and successor is not None and now is not None:
            end_us = arrival(successor, now).wall_us
        else:
            end_us = self._wall_at(end_ticks)
        self._write(held, end_ticks)
        self._close_segment(end_ticks, end_us, reason)
        return end_us

    def break_off(self, reason: EndReason) -> int | None:
        """End the run before the packet that could not be muxed. Returns as `abandon`."""
        if self._segment is None or self._segment.durable_bytes == 0:
            return None
        end_ticks = self._segment.durable_ticks if self._held is None else self._held.ticks
        self._held = None
        end_us = self._wall_at(end_ticks)
        self._close_segment(end_ticks, end_us, reason)
        return end_us

    def abandon(self) -> int | None:
        """Give up after a disk fault. Returns the end of what is durable in UTC microseconds; None when
        nothing is."""
        if self._segment is None:
            return None
        self._segment.abandon()
        return self._wall_at(self._segment.durable_ticks) if self.has_durable_footage else None

    def _write_held(self, next_ticks: int) -> None:
        if self._held is None:
            raise RuntimeError("the run holds no packet")
        self._step = next_ticks - self._held.ticks
        self._write(self._held, next_ticks)

    def _write(self, arrived: _Arrived, end_ticks: int) -> None:
        if self._segment is None:
            raise RuntimeError("the run has no open segment")
        pts = self._ticks(arrived.packet.pts)
        self._segment.write(arrived.packet, pts=pts, dts=arrived.ticks, duration=end_ticks - arrived.ticks)

    def _open_segment(self, first: _Arrived) -> None:
        stamp = first.stamp
        header = SegmentHeader(
            origin=self._options.origin,
            run=self.id,
            sequence=self._sequence,
            codec=self.stream.codec,
            width=self.stream.width,
            height=self.stream.height,
            ticks_per_second=self.stream.time_base.denominator,
            camera_dts=self._origin_dts * self.stream.time_base.numerator,
            boot_id=stamp.boot_id,
            monotonic_start_ns=stamp.monotonic_ns,
            wall_start_us=stamp.wall_us,
            clock_state=stamp.clock_state,
            previous_segment_sha256=self._previous_sha256,
            gaps_before=self._ended_gaps(stamp.wall_us) if self._sequence == 0 else (),
            written_by=self._options.written_by,
        )
        self.first = self.first or header
        self._segment = SegmentWriter(
            self._options.video,
            header,
            self.stream,
            first.ticks,
            self._options.fragment_seconds,
            self._sound,
        )

    def _ended_gaps(self, start_us: int) -> tuple[Gap, ...]:
        """The gaps before, an open last one ended by this run's first frame."""
        return tuple(
            gap
            if gap.end_us is not None
            else replace(gap, end_us=max(gap.start_us, start_us), run_after=self.id)
            for gap in self._gaps_before
        )

    def _close_segment(self, end_ticks: int, end_us: int, reason: EndReason) -> None:
        if self._segment is None:
            raise RuntimeError("the run has no open segment")
        closed = self._segment.close(end_ticks, end_us, reason)
        self._segment = None
        self._previous_sha256 = closed.hashes.sha256.hex()
        self._on_closed(closed)

    def _may_cut(self, packet: Packet, ticks: int) -> bool:
        """A segment that begins with an open group cannot show its leading pictures alone, so a closed one is
        waited for; a camera that has none is cut where it can be, or its file would never end."""
        return self._is_long_enough(ticks) and (
            is_random_access(packet.data, self.stream.codec)
            or not is_annex_b(packet.data)
            or self._is_long_enough(ticks, OPEN_GOP_PATIENCE)
        )

    def _is_long_enough(self, ticks: int, factor: Fraction = Fraction(1)) -> bool:
        if self._segment is None:
            raise RuntimeError("the run has no open segment")
        length = int(factor * self._options.segment_seconds * self.stream.time_base.denominator)
        return (
            ticks - self._segment.start_ticks >= min(length, LARGEST // 2)
            or self._segment.durable_bytes >= LARGEST // 2
        )

    def _last_duration(self, last: _Arrived) -> int:
        stated = last.packet.duration * self.stream.time_base.numerator
        return stated or self._step or round(_ASSUMED_FRAME_S * self.stream.time_base.denominator)

    def _wall_at(self, ticks: int) -> int:
        if self._segment is None:
            raise RuntimeError("the run has no open segment")
        elapsed = Fraction(ticks - self._segment.start_ticks, self.stream.time_base.denominator)
        return self._segment.header.wall_start_us + round(elapsed * 1_000_000)

    def _ticks(self, camera_ticks: int) -> int:
        return (camera_ticks - self._origin_dts) * self.stream.time_base.numerator


def arrival(packet: Packet, now: Stamp) -> Stamp:
    """The stamp of the instant at which `packet` reached the process."""
    ago_us = (now.monotonic_ns - packet.arrived_ns) // 1000
    return replace(now, wall_us=now.wall_us - ago_us, monotonic_ns=packet.arrived_ns)

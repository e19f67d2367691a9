"""A video file as a live camera: in real time, looped, on one unbroken time line.

For the demo, for trials and for tests. Everything it gives is marked simulated (I9).
"""

from __future__ import annotations

import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from drivers.cameras.base import CameraError, Packet, StreamInfo
from drivers.cameras.guard import StreamGuard
from drivers.cameras.libav import demux, describe, reason, ticks, video_stream
from drivers.cameras.streaming import PacketSink, StreamingCamera
from drivers.cameras.timestamps import as_stated


class FileCamera(StreamingCamera):
    """Plays `path` at the pace of its own time stamps; the packets are the file's, not re-encoded."""

    driver = "file"

    def __init__(self, name: str, *, path: Path, loop: bool = True) -> None:
        """With `loop` the file begins again at its end, its stamps going on by exactly its length;
        without, its end is the CameraError of a camera that went away."""
        super().__init__(name)
        self.simulated = True
        self._path = path
        self._loop = loop

    @property
    def where(self) -> str:
        return f"{self.name} ({self._path})"

    def _read(self, sink: PacketSink, silence_timeout: float) -> None:
        player = _Player(self.where, sink)
        while True:
            with _opened(self._path, self.where) as container:
                player.play(container, video_stream(container, self.where))
            if sink.closed:
                return
            if not self._loop:
                raise CameraError(f"{self.where}: 文件播放完了 / the file ended (loop is off)")


class _Player:
    """One time line over all the repetitions of a file."""

    def __init__(self, where: str, sink: PacketSink) -> None:
        self._where = where
        self._sink = sink
        self._guard: StreamGuard | None = None
        self._stream: StreamInfo | None = None
        self._started_ns = 0
        self._first_dts = 0
        self._shift = 0

    def play(self, container: InputContainer, stream: VideoStream) -> None:
        """One repetition, paced by the monotonic clock."""
        guard = self._begin(describe(stream, self._where))
        span = _Span()
        for read in as_stated(demux(container, stream, self._where), self._where):
            if not span.count and not read.is_key_frame:
                continue
            packet = replace(read, pts=read.pts + self._shift, dts=read.dts + self._shift)
            span.add(packet)
            guard.admit(packet)
            if not self._wait_for(packet, guard.stream):
                return
            if not self._sink.put(replace(packet, arrived_ns=time.monotonic_ns())):
                return
        if not span.count:
            raise CameraError(f"{self._where}: 文件里没有关键帧 / the file holds no key frame")
        self._shift += span.length(stream)

    def _begin(self, found: StreamInfo) -> StreamGuard:
        if self._stream is not None and found != self._stream:
            raise CameraError(
                f"{self._where}: 文件在播放中被换成了另一种编码 / "
                "the file was replaced by one encoded differently"
            )
        self._stream = found
        if self._guard is None:
            self._guard = StreamGuard(self._where, found, key_frame_timeout=0.0)
        return self._guard

    def _wait_for(self, packet: Packet, stream: StreamInfo) -> bool:
        """Wait until `packet` is due; False when the camera was closed meanwhile."""
        if not self._started_ns:
            self._started_ns, self._first_dts = time.monotonic_ns(), packet.dts
            self._sink.begin(stream)
        due_ns = self._started_ns + int((packet.dts - self._first_dts) * stream.time_base * 1_000_000_000)
        return not self._sink.wait_closed((due_ns - time.monotonic_ns()) / 1e9)


class _Span:
    """The stretch of time that one repetition covers, in ticks."""

    def __init__(self) -> None:
        self.count = 0
        self._first_pts = self._end_pts = self._last_pts = 0
        self._last_dts = self._step = 0
        self._last_has_duration = False

    def add(self, packet: Packet) -> None:
        if not self.count:
            self._first_pts = packet.pts
        else:
            self._step = packet.dts - self._last_dts
        self.count += 1
        self._first_pts = min(self._first_pts, packet.pts)
        if packet.pts >= self._last_pts or self.count == 1:
            self._last_pts, self._last_has_duration = packet.pts, packet.duration > 0
            self._end_pts = packet.pts + packet.duration
        self._last_dts = packet.dts

    def length(self, stream: VideoStream) -> int:
        """From the first picture to the end of the last, whose duration a container may leave unsaid."""
        end = self._end_pts
        if not self._last_has_duration:
            rate = stream.average_rate or Fraction(25)
            if stream.time_base is None:
                raise RuntimeError("the stream has no time base")
            end += self._step or ticks(1 / rate, stream.time_base)
        return end - self._first_pts


def _opened(path: Path, where: str) -> InputContainer:
    try:
        # Only this file: a playlist must not lead libav to other files or addresses (I12).
        return av.open(str(path.absolute()), "r", options={"protocol_whitelist": "file"})
    except av.FFmpegError as error:
        fault = CameraError(
            f"{where}: 打不开视频文件（{reason(error)}），请检查路径、权限和格式 / "
            f"cannot open the video file ({reason(error)}); check path and permissions, "
            "and that it is an H.264 video (mp4, mkv)"
        )
    raise fault

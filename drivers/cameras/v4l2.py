"""A USB camera (Video4Linux).

Where the camera encodes H.264 itself, its packets are taken as they are; otherwise an ffmpeg process
encodes. Both come through NUT, the container that keeps every time stamp of the device in microseconds.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import ffmpeg
from av.container import InputContainer

from drivers.cameras.base import CameraError
from drivers.cameras.feed import Feed
from drivers.cameras.ffmpeg_process import FfmpegProcess
from drivers.cameras.guard import StreamGuard
from drivers.cameras.libav import demux, describe, pump, reason, video_stream
from drivers.cameras.pictures import Pace, Picture, bgr_of, brightness_of
from drivers.cameras.streaming import PacketSink, StreamingCamera
from drivers.cameras.timestamps import as_stated
from drivers.cameras.v4l2_formats import pixel_formats

KEY_FRAME_SECONDS = 2
"""A GOP's length: what is lost at most at the start of a run, and the grain of seeking."""

_MICROSECONDS = "1:1000000"


@dataclass(frozen=True, slots=True)
class TestSource:
    """What ffmpeg reads in place of a device: its input name and format, e.g. lavfi's `testsrc`.

    Only a constructor can be given one, never a configuration file, and it makes the camera simulated.
    """

    __test__ = False  # not a test class, whatever pytest thinks of its name

    name: str
    format: str
    encoded: bool = False
    """Its packets are H.264 already."""


class V4l2Camera(StreamingCamera):
    """One ffmpeg process per iterator, killed when the iterator ends."""

    driver = "v4l2"
    opening_seconds = 20.0

    def __init__(
        self,
        name: str,
        *,
        device: str = "/dev/video0",
        width: int = 1280,
        height: int = 720,
        frames_per_second: int = 15,
        bitrate_kbit: int = 2000,
        encoder: str = "libx264",
        source: TestSource | None = None,
        formats: Callable[[str], frozenset[str]] = pixel_formats,
        program: str = "ffmpeg",
    ) -> None:
        """`encoder` is ffmpeg's name of an H.264 encoder, e.g. h264_v4l2m2m on a Raspberry Pi 4; it is not
        used when the camera encodes. `source`, `formats` and `program` are for tests."""
        super().__init__(name)
        self.simulated = source is not None
        self._device = device
        self._size = (width, height)
        self._rate = frames_per_second
        self._bitrate_kbit = bitrate_kbit
        self._encoder = encoder
        self._source = source
        self._formats = formats
        self._program = program

    @property
    def where(self) -> str:
        return f"{self.name} ({self._source.name if self._source else self._device})"

    def _read(self, sink: PacketSink, silence_timeout: float) -> None:
        command = self._command(for_pictures=False)
        with FfmpegProcess(command, self.where) as process:
            sink.on_close(process.kill)
            with _nut(process) as container:
                stream = video_stream(container, self.where)
                guard = StreamGuard(self.where, describe(stream, self.where), self.opening_seconds)
                pump(as_stated(demux(container, stream, self.where), self.where), guard, sink)
            if not sink.closed:
                raise process.fault()

    def _read_pictures(self, slot: Feed[Picture], silence_timeout: float, interval: float) -> None:
        """Pictures as the camera gives them, without the way through H.264 where it gives others."""
        with FfmpegProcess(self._command(for_pictures=True), self.where) as process:
            slot.on_close(process.kill)
            with _nut(process) as container:
                self._decode(container, slot, Pace(interval))
            if not slot.closed:
                raise process.fault()

    def _decode(self, container: InputContainer, slot: Feed[Picture], pace: Pace) -> None:
        stands_alone = container.streams.video[0].codec_context.name in ("mjpeg", "rawvideo")
        try:
            for number, packet in enumerate(container.demux(video=0), start=1):
                arrived_ns = time.monotonic_ns()
                if stands_alone and packet.size and not pace.wants(arrived_ns):
                    continue
                for picture in packet.decode():
                    decoded = Picture(number, arrived_ns, bgr_of(picture), brightness_of(picture))
                    if not slot.replace(decoded):
                        return
        except av.FFmpegError as error:
            raise CameraError(f"{self.where}: 图像数据损坏 / damaged pictures: {reason(error)}") from error

    def _command(self, *, for_pictures: bool) -> list[str]:
        """ffmpeg's arguments; CameraError when there is no such camera."""
        offered = self._offered()
        encoded = "H264" in offered and not (for_pictures and "MJPG" in offered)
        options = self._copied() if encoded or for_pictures else self._encoded()
        stream = ffmpeg.output(self._input(offered, encoded), "pipe:1", format="nut", **options)
        arguments: list[str] = ffmpeg.compile(stream, cmd=self._program)
        return arguments

    def _offered(self) -> frozenset[str]:
        if self._source:
            return frozenset({"H264"} if self._source.encoded else ())
        try:
            offered = self._formats(self._device)
        except OSError as error:
            fault = CameraError(f"{self.where}: {_explain(error)}")
            raise fault from error
        if not offered:
            raise CameraError(
                f"{self.where}: 这个设备不拍摄画面，请换另一个 / this device captures no pictures; "
                f"name another of: {', '.join(video_devices()) or '-'}"
            )
        return offered

    def _input(self, offered: frozenset[str], encoded: bool) -> ffmpeg.nodes.FilterableStream:
        quiet = {"hide_banner": None, "loglevel": "warning"}
        if self._source:
            return ffmpeg.input(self._source.name, f=self._source.format, **quiet)
        wanted = "h264" if encoded else "mjpeg" if "MJPG" in offered else None
        chosen = {"input_format": wanted} if wanted else {}
        return ffmpeg.input(
            self._device, f="v4l2", video_size=self._size, framerate=self._rate, **chosen, **quiet
        )

    def _copied(self) -> dict[str, str | int]:
        return {"map": "0:v:0", "c:v": "copy", "flush_packets": 1}

    def _encoded(self) -> dict[str, str | int]:
        """No picture is dropped or doubled (passthrough) and each keeps the device's own time."""
        options: dict[str, str | int] = {
            "map": "0:v:0",
            "c:v": self._encoder,
            "b:v": f"{self._bitrate_kbit}k",
            "pix_fmt": "yuv420p",
            "g": self._rate * KEY_FRAME_SECONDS,
            "bf": 0,
            "fps_mode": "passthrough",
            "enc_time_base": _MICROSECONDS,
            "flush_packets": 1,
        }
        if self._encoder == "libx264":
            options |= {
                "preset": "veryfast",
                "tune": "zerolatency",
                "sc_threshold": 0,
                "maxrate": f"{self._bitrate_kbit * 3 // 2}k",
                "bufsize": f"{self._bitrate_kbit * 2}k",
            }
        return options


def video_devices() -> list[str]:
    """Device files of the video devices that the kernel shows."""
    return sorted(str(path) for path in Path("/dev").glob("video*"))


def _nut(process: FfmpegProcess) -> InputContainer:
    try:
        return av.open(process.output, "r", format="nut", options={"fpsprobesize": "0"}, buffer_size=8192)
    except av.FFmpegError:
        pass  # what happened is in ffmpeg's own words
    raise process.fault()


def _explain(error: OSError) -> str:
    if error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return (
            f"没有这个摄像头，请插好 USB 线（现有：{', '.join(video_devices()) or '无'}） / no such camera; "
            f"plug it in, or name one of: {', '.join(video_devices()) or 'none there'}"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return (
            "没有权限，请把用户加入 video 组：usermod -aG video 用户名 / permission denied; add the user "
            "to the group `video`: usermod -aG video USER, then log in again"
        )
    if error.errno == errno.EBUSY:
        return "摄像头被其他程序占用 / another program uses the camera; stop it"
    if error.errno == errno.ENOTTY:
        return "这不是摄像头 / this is not a camera"
    return f"打不开 / cannot be opened: {error.strerror}"

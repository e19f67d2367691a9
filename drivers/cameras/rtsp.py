"""An IP camera by RTSP (RFC 2326) with its media interleaved in the same TCP connection.

The packets are the camera's own, H.264 or H.265, with the presentation times of its RTP clock. Only the
video stream is asked for: with several streams libav would switch to the times of the camera's RTCP
reports, and stamps could jump. Sound, where HR wants it, comes by a second connection that asks for nothing
else.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from urllib.parse import unquote, urlsplit

import av
from av.audio.stream import AudioStream
from av.container import InputContainer

from drivers.cameras.base import CameraError
from drivers.cameras.guard import StreamGuard
from drivers.cameras.libav import demux, describe, pump, reason, video_stream
from drivers.cameras.receive_buffer import ReceiveBuffer, in_bursts, tcp_sockets
from drivers.cameras.sound import LARGEST_FRAME, NoSoundError, SoundFormat, SoundFrame, read_configuration
from drivers.cameras.streaming import PacketSink, StreamingCamera
from drivers.cameras.timestamps import ReorderedStreamError, from_rtp

_OPTIONS = {
    "rtsp_transport": "tcp",
    "protocol_whitelist": "rtsp,rtsps,rtp,tcp,tls",
    # Parameters are in the session description or in the first key frame: do not wait to guess a frame rate.
    "fpsprobesize": "0",
    "analyzeduration": "3000000",
}


class RtspCamera(StreamingCamera):
    """One connection per iterator; a broken one is a CameraError, reconnecting is the caller's."""

    driver = "rtsp"

    def __init__(
        self, name: str, *, url: str, open_timeout: float = 8.0, key_frame_timeout: float = 15.0
    ) -> None:
        """`url` may hold `user:password@`, percent-encoded; they appear in no message. Times in seconds."""
        super().__init__(name)
        self._url = url
        self._open_timeout = open_timeout
        self._reorders = False
        self._key_frame_timeout = key_frame_timeout
        # A little more than what the reading thread allows itself: it knows the better message.
        self.opening_seconds = open_timeout + key_frame_timeout + 1.0

    @property
    def where(self) -> str:
        return f"{self.name} ({without_credentials(self._url)})"

    def __repr__(self) -> str:
        return f"RtspCamera({self.where})"

    def _read(self, sink: PacketSink, silence_timeout: float) -> None:
        before = tcp_sockets()
        with self._opened(silence_timeout) as container, ExitStack() as closing:
            stream = video_stream(container, self.where)
            guard = StreamGuard(self.where, describe(stream, self.where), self._key_frame_timeout)
            encoded = demux(container, stream, self.where)
            reordered = self._reorders or bool(stream.codec_context.has_b_frames)
            try:
                packets = from_rtp(encoded, self.where, reordered=reordered)
                if buffer := ReceiveBuffer.of_new_connection(before):
                    closing.callback(buffer.close)
                    tick = guard.stream.time_base
                    packets = in_bursts(packets, tick, lambda: sink.burst_seconds, buffer)
                pump(packets, guard, sink)
            except ReorderedStreamError:
                self._reorders = True
                raise

    def sound(self, silence_timeout: float = 5.0) -> Iterator[tuple[SoundFormat, SoundFrame]]:
        """See `drivers.cameras.sound.SoundSource`; a connection of its own."""
        with self._opened(silence_timeout, "audio") as container:
            stream, sound_format = self._sound_stream(container)
            frame = Fraction(sound_format.frame_samples, sound_format.samples_per_second)
            following = Fraction(0)
            packets = container.demux(stream)
            while True:
                try:
                    packet = next(packets, None)
                except av.FFmpegError as error:
                    fault = CameraError(f"{self.where}: 声音中断 / the sound broke off: {reason(error)}")
                    break
                if packet is None or self._is_closed:
                    return
                if not 0 < packet.size <= LARGEST_FRAME:
                    continue
                # Several frames come in one RTP packet, and only the first has a stamp.
                at = following if packet.pts is None else packet.pts * (stream.time_base or Fraction(1))
                following = at + frame
                yield sound_format, SoundFrame(bytes(packet), int(at * 10**9), time.monotonic_ns())
        raise fault  # outside `except`: libav's error names the address with its password

    def _sound_stream(self, container: InputContainer) -> tuple[AudioStream, SoundFormat]:
        if not container.streams.audio:
            raise NoSoundError(f"{self.where}: 摄像头没有声音 / the camera has no sound")
        stream = container.streams.audio[0]
        codec = stream.codec_context.name
        if codec != "aac":
            raise NoSoundError(
                f"{self.where}: 声音编码是 {codec}，请在摄像头中改为 AAC / "
                f"the sound's codec is {codec}; set it to AAC in the camera"
            )
        try:
            return stream, read_configuration(bytes(stream.codec_context.extradata or b""))
        except ValueError as error:
            raise NoSoundError(
                f"{self.where}: 声音的 AAC 参数不能用（{error}），请改为 AAC-LC / "
                f"the sound's AAC parameters are of no use ({error}); set it to AAC-LC"
            ) from error

    def _opened(self, silence_timeout: float, media: str = "video") -> InputContainer:
        deadline = time.monotonic() + 0.95 * self._open_timeout
        timeouts = (self._open_timeout, silence_timeout)
        options = {**_OPTIONS, "allowed_media_types": media}
        try:
            return av.open(self._url, "r", format="rtsp", options=options, timeout=timeouts)
        except av.FFmpegError as error:
            fault = CameraError(f"{self.where}: {_explain(error, time.monotonic() >= deadline)}")
        raise fault  # outside `except`: libav's error names the address with its password

    def _without_secrets(self, text: str) -> str:
        parts = urlsplit(self._url)
        text = text.replace(self._url, without_credentials(self._url))
        for secret in {parts.password, unquote(parts.password or "")} - {None, ""}:
            text = text.replace(str(secret), "***")
        return text


def without_credentials(url: str) -> str:
    """`url` without `user:password@` and without its query, where some cameras expect the password."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{host}{port}{parts.path}"


def _explain(error: av.FFmpegError, overdue: bool) -> str:
    if overdue:  # libav reports its own interruption as one of several errors, so the clock decides
        return "连接超时，请检查电源、网线和地址 / no answer in time; check power, network cable and address"
    if isinstance(error, av.HTTPUnauthorizedError | av.HTTPForbiddenError):
        return (
            "摄像头拒绝了用户名或密码，请检查 url / "
            "the camera refused user name or password; correct them in the url"
        )
    if isinstance(error, av.HTTPNotFoundError):
        return (
            "摄像头没有这个路径，请查看摄像头说明书 / the camera has no such path; look it up in its manual"
        )
    if isinstance(error, av.HTTPOtherClientError):  # asked to play a session of no stream
        return "摄像头没有所要的声音或画面 / the camera has no such stream (sound or pictures)"
    if isinstance(error, av.ConnectionRefusedError):
        return (
            "端口没有 RTSP 服务，请检查端口和摄像头设置 / "
            "nothing serves RTSP there; check port and camera settings"
        )
    return f"连不上摄像头 / cannot be opened: {reason(error)}; 请检查地址和网络 / check address and network"

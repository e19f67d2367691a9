"""Reading encoded video with libav (PyAV): what the `file`, `rtsp` and `v4l2` drivers have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import cast

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from drivers.cameras.base import CameraError, Codec, Packet, StreamInfo
from drivers.cameras.guard import StreamGuard
from drivers.cameras.streaming import PacketSink


def reason(error: av.FFmpegError) -> str:
    """What libav says, WITHOUT the address it says it about: that may carry a password."""
    return error.strerror or type(error).__name__


def video_stream(container: InputContainer, where: str) -> VideoStream:
    """The only video stream, of a codec that is recorded as it is; CameraError otherwise."""
    if not container.streams.video:
        raise CameraError(f"{where}: 没有视频流 / has no video stream")
    stream = container.streams.video[0]
    codec = stream.codec_context.name
    if codec not in ("h264", "hevc"):
        raise CameraError(
            f"{where}: 视频编码是 {codec}，请改为 H.264 / the video codec is {codec}; "
            "set or convert it to H.264, for a file: ffmpeg -i IN -an -c:v libx264 -bf 0 OUT.mp4"
        )
    return stream


def describe(stream: VideoStream, where: str) -> StreamInfo:
    """Parameters of an opened stream; `extradata` may be empty until the first key frame."""
    context = stream.codec_context
    if not (context.width and context.height and stream.time_base):
        raise CameraError(
            f"{where}: 读不出画面尺寸 / the picture size cannot be read from the stream; "
            "check that the camera sends H.264 or H.265"
        )
    return StreamInfo(
        cast(Codec, context.name),
        context.width,
        context.height,
        stream.time_base,
        bytes(context.extradata or b""),
    )


def demux(container: InputContainer, stream: VideoStream, where: str) -> Iterator[av.Packet[VideoStream]]:
    """Packets with data of `stream`; CameraError when libav gives up."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError as error:
            fault = CameraError(f"{where}: 数据流中断 / the stream broke off: {reason(error)}")
        else:
            if packet is None:
                return
            if packet.size:
                yield packet
            continue
        raise fault  # outside `except`: libav's error, which names the address, must not travel along


def pump(packets: Iterable[Packet], guard: StreamGuard, sink: PacketSink) -> None:
    """Hand a live stream to `sink` from its first key frame until it ends or the sink is closed."""
    announced: StreamInfo | None = None
    for packet in packets:
        if sink.closed:
            return
        if not guard.admit(packet):
            continue
        if guard.stream is not announced:
            announced = guard.stream
            sink.begin(announced)
        if not sink.put(packet):
            return


def ticks(seconds: Fraction, time_base: Fraction) -> int:
    """`seconds` in whole ticks of `time_base`, rounded to nearest."""
    return round(seconds / time_base)

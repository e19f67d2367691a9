"""Completing the time stamps that libav leaves out at the beginning of a live stream.

libav's parser loses the presentation time of the first access unit of an RTP stream (its fetch of a
stamp by file position meets position -1), and gives no decoding times until it has seen as many pictures
as the stream reorders. Leaving those packets out would cost the first group of pictures, two seconds of
evidence, at every reconnection. So the first packets are held until one is fully stamped, and the
missing stamps follow from it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import av
from av.video.stream import VideoStream

from drivers.cameras.base import CameraError, Packet

_LONGEST_HEAD = 40
"""Packets that may lack stamps: twice the deepest reordering of H.264 and H.265 (16)."""


@dataclass(slots=True)
class _Unstamped:
    data: bytes
    pts: int | None
    dts: int | None
    duration: int
    is_key_frame: bool
    arrived_ns: int


def stamped(packets: Iterable[av.Packet[VideoStream]], where: str) -> Iterator[Packet]:
    """The packets with every stamp present, in the order given and each with its own arrival time.

    Stamps that libav gives are passed on unaltered. CameraError when stamps stay missing.
    """
    head: list[_Unstamped] | None = []
    for encoded in packets:
        packet = _take_over(encoded)
        if head is None:
            yield _finished(packet, where)
            continue
        head.append(packet)
        if packet.pts is not None and packet.dts is not None:
            _fill_backwards(head)
            yield from (_finished(waiting, where) for waiting in head)
            head = None
        elif len(head) > _LONGEST_HEAD:
            raise _without_stamps(where)
    if head:
        raise _without_stamps(where)


def _take_over(packet: av.Packet[VideoStream]) -> _Unstamped:
    return _Unstamped(
        bytes(packet), packet.pts, packet.dts, packet.duration or 0, packet.is_keyframe, time.monotonic_ns()
    )


def _fill_backwards(head: list[_Unstamped]) -> None:
    """Give stamps to the packets before the last, which has both."""
    first, complete = head[0], head[-1]
    if first.pts is None:
        first.pts = _first_presentation(head)
    reordered = complete.dts != complete.pts
    for earlier, later in zip(reversed(head[:-1]), reversed(head), strict=False):
        if earlier.dts is None and later.dts is not None:
            earlier.dts = later.dts - (earlier.duration or later.duration) if reordered else earlier.pts


def _first_presentation(head: list[_Unstamped]) -> int | None:
    """libav counts RTP time from the stream's first stamp, so the first picture stands at 0. Only where
    the next picture is not about one duration after 0 (a camera that announced another start) is it
    reckoned back from that."""
    known = [packet.pts for packet in head if packet.pts is not None]
    step = head[0].duration
    if not known or step <= 0:
        return 0 if known and min(known) > 0 else None
    following = min(known)
    return 0 if 0 < following < 2 * step else following - step


def _finished(packet: _Unstamped, where: str) -> Packet:
    # Without reordering, as cameras encode, the decoding time is the presentation time.
    dts = packet.dts if packet.dts is not None else packet.pts
    if packet.pts is None or dts is None:
        raise _without_stamps(where)
    return Packet(packet.data, packet.pts, dts, packet.duration, packet.is_key_frame, packet.arrived_ns)


def _without_stamps(where: str) -> CameraError:
    return CameraError(
        f"{where}: 视频数据没有时间戳 / the packets carry no time stamps; update the camera's firmware, "
        "or remux a raw file: ffmpeg -i IN -c copy OUT.mp4"
    )

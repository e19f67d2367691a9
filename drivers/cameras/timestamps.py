"""The time stamps of a stream: as its container says, or, for RTP, completed from what RTP tells.

RTP carries presentation times only. libav guesses the decoding times while it is still learning how the
stream reorders, and its parser loses the presentation time of the very first access unit (its fetch of a
stamp by file position meets position -1). Leaving such packets out would cost the first group of
pictures, two seconds of evidence, at every reconnection. So both are reckoned here.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterable, Iterator
from typing import TypeAlias

import av
from av.video.stream import VideoStream

from drivers.cameras.base import CameraError, Packet

_DEPTH = 4
"""Pictures by which decoding runs ahead of presentation in a stream that reorders. More than encoders in
cameras use (1 or 2); a greater value than needed costs nothing but an earlier decoding time."""

Encoded: TypeAlias = "av.Packet[VideoStream]"
_Timed: TypeAlias = "tuple[Encoded, int, int]"
"""Packet, presentation time, arrival."""


class ReorderedStreamError(CameraError):
    """The stream reorders its pictures although its parameters did not say so: it must be opened as such."""


def as_stated(packets: Iterable[Encoded], where: str) -> Iterator[Packet]:
    """Packets with the container's own stamps. CameraError where it has none (a raw stream)."""
    for encoded in packets:
        if encoded.pts is None or encoded.dts is None:
            raise _without_stamps(where)
        yield _packet(encoded, encoded.pts, encoded.dts, time.monotonic_ns())


def from_rtp(packets: Iterable[Encoded], where: str, *, reordered: bool) -> Iterator[Packet]:
    """Packets with RTP's presentation times unaltered and decoding times that fit them.

    Without reordering (as nearly all cameras encode) the decoding time is the presentation time. With it,
    see `_DecodingTimes`.
    """
    timed = _with_first_presentation(packets, where)
    yield from _in_reordered_stream(timed) if reordered else _in_plain_stream(timed, where)


def _in_plain_stream(packets: Iterable[_Timed], where: str) -> Iterator[Packet]:
    last_pts: int | None = None
    for encoded, pts, arrived_ns in packets:
        if last_pts is not None and pts < last_pts <= pts + _span(encoded):
            raise ReorderedStreamError(
                f"{where}: 摄像头使用 B 帧，将按此重新打开 / "
                "the camera uses B-frames without announcing them; "
                "the stream is opened anew for that (switch B-frames off in the camera to avoid it)"
            )
        last_pts = pts
        yield _packet(encoded, pts, pts, arrived_ns)


def _in_reordered_stream(packets: Iterable[_Timed]) -> Iterator[Packet]:
    order: _DecodingTimes | None = None
    for encoded, pts, arrived_ns in packets:
        if order is None and not encoded.is_keyframe:
            yield _packet(
                encoded, pts, pts, arrived_ns
            )  # not decodable yet: whoever waits for a key frame drops it
            continue
        if order is None:
            order = _DecodingTimes(pts, encoded.duration or 1)
        if pts >= order.begin:  # sent after the first key frame but shown before it: needs what came earlier
            yield _packet(encoded, pts, order.following(pts), arrived_ns)


def _span(encoded: Encoded) -> int:
    """Ticks by which reordering may set a presentation time back; more is a clock that was set."""
    return 16 * (encoded.duration or 0)


def _with_first_presentation(packets: Iterable[Encoded], where: str) -> Iterator[_Timed]:
    """Each packet with its presentation time and its arrival; the first is held until the second is there."""
    held: tuple[Encoded, int] | None = None
    begun = False
    for encoded in packets:
        arrived_ns = time.monotonic_ns()
        if encoded.pts is None:
            if begun or held:
                raise _without_stamps(where)
            held = (encoded, arrived_ns)
            continue
        if held:
            yield held[0], _first_presentation(held[0], encoded.pts), held[1]
            held = None
        begun = True
        yield encoded, encoded.pts, arrived_ns
    if held:
        raise _without_stamps(where)


def _first_presentation(first: Encoded, following: int) -> int:
    """libav counts RTP time from the stream's first stamp, so the first picture stands at 0. Only where the
    next picture is not soon after 0 (a camera that announced another start) is it reckoned back from that."""
    if 0 < following <= _span(first):
        return 0
    return following - (first.duration or 1)


class _DecodingTimes:
    """Decoding times for a stream that reorders, from its presentation times alone.

    The n-th packet in decoding order gets the (n - 4)-th presentation time in rising order: known by then,
    rising, and never later than the packet's own while pictures come at most four places early.
    """

    def __init__(self, begin: int, duration: int) -> None:
        """`begin`: presentation time of the first packet, a key frame; `duration` of a picture; in ticks."""
        self.begin = begin
        # The first four lie before the beginning, one picture apart.
        self._waiting = [begin - places * duration for places in range(_DEPTH, 0, -1)]

    def following(self, pts: int) -> int:
        """Decoding time of the next packet, which is shown at `pts`."""
        return heapq.heappushpop(self._waiting, pts)


def _packet(encoded: Encoded, pts: int, dts: int, arrived_ns: int) -> Packet:
    return Packet(bytes(encoded), pts, dts, encoded.duration or 0, encoded.is_keyframe, arrived_ns)


def _without_stamps(where: str) -> CameraError:
    return CameraError(
        f"{where}: 视频数据没有时间戳 / the packets carry no time stamps; update the camera's firmware, "
        "or remux a raw file: ffmpeg -i IN -c copy OUT.mp4"
    )

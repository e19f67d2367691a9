"""From packets to the newest picture: which are wanted, and what they turn into when somebody asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import av
import numpy as np

from drivers.cameras.base import BGRImage, GreyImage, Packet, StreamInfo, ToBGR
from drivers.cameras.decoder import Decoder
from drivers.cameras.feed import Feed


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture that is converted only when somebody wants it so."""

    number: int
    arrived_ns: int
    to_bgr: ToBGR
    to_grey: Callable[[], GreyImage]


class Pace:
    """Which of a camera's pictures are wanted: at most one in `interval` seconds, by their arrival."""

    def __init__(self, interval: float) -> None:
        # A camera's own pictures jitter; one that comes a little early is the wanted one.
        self._interval_ns = int(interval * 0.9e9)
        self._taken_ns: int | None = None

    def wants(self, arrived_ns: int) -> bool:
        """Whether the picture that arrived then is wanted; the next is so an interval later."""
        if self._taken_ns is not None and arrived_ns - self._taken_ns < self._interval_ns:
            return False
        self._taken_ns = arrived_ns
        return True


class DecodingSink:
    """A `PacketSink` that decodes in the reading thread and keeps the newest picture only.

    Between two pictures that are wanted, those to which no other refers are not decoded: in a stream with
    B-frames or temporal layers that is half of them or more. The others must be, whatever they cost.
    """

    burst_seconds = 0.0

    def __init__(
        self, slot: Feed[Picture], interval: float = 0.0, is_at_rest: Callable[[], bool | None] = lambda: None
    ) -> None:
        """`is_at_rest`: whether nothing happens in the pictures, as `Camera.is_at_rest` says."""
        self._slot = slot
        self._pace = Pace(interval)
        self._is_at_rest = is_at_rest
        self._decoder: Decoder | None = None
        self._taken = 0
        self.fail = slot.fail
        self.wait_closed = slot.wait_closed
        self.on_close = slot.on_close

    @property
    def closed(self) -> bool:
        return self._slot.closed

    @property
    def handed_over(self) -> int:
        """Pictures so far."""
        return self._taken

    def begin(self, stream: StreamInfo) -> None:
        self._decoder = Decoder(stream)

    def offer(self, packet: Packet) -> bool:
        return self.put(packet)

    def put(self, packet: Packet) -> bool:
        if self._decoder is None:
            raise RuntimeError("the decoder was not begun")
        is_wanted = self._pace.wants(packet.arrived_ns)
        try:
            pictures = self._decoder.decode(packet, is_wanted=is_wanted, is_at_rest=self._is_at_rest())
        except av.InvalidDataError:
            return not self.closed  # one damaged picture; the next key frame repairs it, silence is noticed
        for picture in pictures:
            self._taken += 1
            self._slot.replace(
                Picture(self._taken, packet.arrived_ns, bgr_of(picture), brightness_of(picture))
            )
        return not self.closed


def bgr_of(picture: av.VideoFrame) -> ToBGR:
    """Conversion of a decoded picture, put off until it is wanted."""

    def convert(width: int | None = None) -> BGRImage:
        if width is None or width >= picture.width:
            return cast(BGRImage, picture.to_ndarray(format="bgr24"))
        height = max(1, round(picture.height * width / picture.width))
        return cast(BGRImage, picture.reformat(width, height, "bgr24", interpolation="BILINEAR").to_ndarray())

    return convert


_BRIGHTNESS_FIRST = frozenset(
    f"{family}{sampling}p" for family in ("yuv", "yuvj") for sampling in (420, 422, 440, 444)
) | {"nv12", "nv21", "nv16", "gray"}
"""Pixel formats whose first plane is the brightness, a byte a pixel."""


def brightness_of(picture: av.VideoFrame) -> Callable[[], GreyImage]:
    """The brightness of a decoded picture: nearly always what it holds already, without a copy."""

    def convert() -> GreyImage:
        if picture.format.name not in _BRIGHTNESS_FIRST:
            return cast(GreyImage, picture.to_ndarray(format="gray"))
        plane: Any = picture.planes[0]
        rows = np.frombuffer(plane, np.uint8)[: plane.line_size * picture.height]
        return rows.reshape(picture.height, plane.line_size)[:, : picture.width]

    return convert

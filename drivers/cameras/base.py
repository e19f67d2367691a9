"""What a camera gives: encoded packets for the recorder, pictures for the check-in.

A driver talks to one kind of camera and knows nothing of the agent. It hands on what the camera
encoded (no re-encoding where the camera encodes already) with the camera's own time stamps; what to
do when it stops is decided by the recorder's state machine, so a driver reports a fault by raising
`CameraError` and never retries on its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

Codec = Literal["h264", "hevc"]
BGRImage = npt.NDArray[np.uint8]
"""Picture of shape (height, width, 3), dtype uint8, channels blue, green, red."""
GreyImage = npt.NDArray[np.uint8]
"""Brightness of shape (height, width), dtype uint8."""


class CameraError(Exception):
    """The camera cannot be opened, went away, or stayed silent; the message says which and what to do."""


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What the muxer must know of an encoded video stream before its first packet.

    `extradata` is the decoder configuration: avcC / hvcC, or Annex B parameter sets. Equality decides
    whether a reconnected camera may continue the run or must open a new one.
    """

    codec: Codec
    width: int
    height: int
    time_base: Fraction
    """Seconds per tick of every `pts`, `dts` and `duration` of this stream."""
    extradata: bytes


@dataclass(frozen=True, slots=True)
class Packet:
    """One encoded access unit.

    `pts`, `dts` and `duration` count ticks of `StreamInfo.time_base`; `pts` never repeats within one
    open stream and follows the camera's clock, not ours. `duration` is the camera's statement and may
    be 0 when it makes none: the writer takes the distance to the next packet instead.
    """

    data: bytes
    pts: int
    dts: int
    duration: int
    is_key_frame: bool
    arrived_ns: int
    """CLOCK_MONOTONIC nanoseconds at which the packet reached this process."""


class ToBGR(Protocol):
    """Makes a decoded picture's colours."""

    def __call__(self, width: int | None = None, /) -> BGRImage:
        """The whole picture; at most `width` pixels wide where one is given."""


class Frame:
    """One decoded picture for inference. Its colours are computed when they are first asked for: a doorway in
    which nothing moves is judged by brightness alone, which cameras send as it is."""

    __slots__ = ("_image", "_to_bgr", "_to_grey", "arrived_ns", "number")

    def __init__(self, number: int, arrived_ns: int, to_bgr: ToBGR, to_grey: Callable[[], GreyImage]) -> None:
        self.number = number
        """Counts up by one per picture taken from the camera; a jump shows pictures left out."""
        self.arrived_ns = arrived_ns
        """CLOCK_MONOTONIC nanoseconds at which the picture was taken over."""
        self._to_bgr, self._to_grey = to_bgr, to_grey
        self._image: BGRImage | None = None

    @property
    def image(self) -> BGRImage:
        """The whole picture in colour."""
        if self._image is None:
            self._image = self._to_bgr()
        return self._image

    def small(self, width: int) -> BGRImage:
        """The whole picture in colour, at most `width` pixels wide: made in one go with its colours, in half
        the time that shrinking `image` takes."""
        return self._to_bgr(width)

    @property
    def grey(self) -> GreyImage:
        """The whole picture's brightness; not to be written into."""
        return self._to_grey()


@runtime_checkable
class Camera(Protocol):
    """A camera of either role. One thread uses one opened camera; `close` may come from another."""

    name: str
    """The name in the technician's file, e.g. "rear"; appears in every segment header."""
    driver: str
    """`file`, `rtsp`, `v4l2` or `picamera2`."""
    simulated: bool
    """True when the pictures do not come from a live camera; carried into every record (I9)."""
    is_at_rest: bool | None
    """Set by whoever takes `frames`, for the next ones: nothing happens in them, so the edges of blocks may
    show where that is cheaper, and key frames alone be decoded, one a second at least, as long as the encoded
    stream says that nothing has changed. From the picture after the next on that follows setting it
    to False they are exact and new again. None: as False, and no sign that anything happened; nobody watches,
    or not for long enough to tell."""

    def packets(self, silence_timeout: float = 5.0) -> Iterator[Packet]:
        """Open the encoded stream and yield its packets until closed.

        `stream` is valid from the first packet on. The first packet is a key frame. Raises
        `CameraError` when the stream cannot be opened, ends, or yields nothing for `silence_timeout`
        seconds. May be called again after it ended: that is a reconnect.
        """
        ...

    def batches(
        self, silence_timeout: float = 5.0, together_seconds: float = 0.0
    ) -> Iterator[Sequence[Packet]]:
        """The packets of `packets`, up to `together_seconds` of decoding time at once, so that a consumer
        which needs them no sooner is not woken for each: a batch ends with the packet after a key frame, or
        after the first one that far from where the last fragment began (`drivers.cameras.packet_feed` says
        why). All packets of a batch are of `stream` at that moment; a camera that changes its picture size or
        profile in mid-stream ends a batch before its key frame."""
        ...

    @property
    def stream(self) -> StreamInfo:
        """Parameters of the packets that were yielded last. `CameraError` before the first packet."""
        ...

    def frames(self, per_second: float, silence_timeout: float = 5.0) -> Iterator[Frame]:
        """Yield pictures at up to `per_second` (0.1..30), newest first to go: a slow consumer loses
        pictures in between and is never served old ones. Raises `CameraError` as `packets` does."""
        ...

    def close(self) -> None:
        """End both iterators promptly, from any thread; idempotent."""
        ...

"""What the tests of all drivers do with a camera."""

from __future__ import annotations

import itertools
import traceback

import av
import numpy as np

from drivers.cameras.base import Camera, CameraError, Packet, StreamInfo
from tests.synthetic import number_in


def first(camera: Camera, count: int, silence_timeout: float = 5.0) -> list[Packet]:
    """The first `count` packets of a new connection."""
    return list(itertools.islice(camera.packets(silence_timeout), count))


def collect(camera: Camera, seen: list[Packet], silence_timeout: float = 5.0) -> None:
    """Read into `seen` until the camera is closed: what a reading thread does."""
    for packet in camera.packets(silence_timeout):
        seen.append(packet)


def numbers(stream: StreamInfo, packets: list[Packet]) -> list[int]:
    """Numbers of the synthetic pictures in `packets`, in presentation order, by an independent decoder."""
    decoder = av.CodecContext.create(stream.codec, "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.extradata = stream.extradata
    found = []
    for data in [*(packet.data for packet in packets), None]:
        for picture in decoder.decode(av.Packet(data) if data is not None else None):
            found.append(number_in(np.asarray(picture.to_ndarray(format="bgr24"), dtype=np.uint8)))
    return found


def failure(camera: Camera, silence_timeout: float = 5.0) -> CameraError:
    """The CameraError that ends `packets`."""
    try:
        for _ in camera.packets(silence_timeout):
            pass
    except CameraError as error:
        return error
    raise AssertionError("the camera ended without an error")


def everything_said_by(error: BaseException) -> str:
    """All that a log could show of an error: message, traceback, notes, causes and contexts."""
    told = []
    pending: list[BaseException | None] = [error]
    while pending:
        one = pending.pop()
        if one is not None:
            told += [repr(one), *traceback.format_exception(one)]
            pending += [one.__cause__, one.__context__]
    return "\n".join(told)

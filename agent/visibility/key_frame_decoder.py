"""One key frame to one picture, in memory: the decoder's configuration from `moov`, the frame from `mdat`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import av
import av.error
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from agent.bmff import Track
from models.images import BGRImage, GreyImage

MOST_PIXELS: Final = 40_000_000
"""What a stream may claim for its picture: more than 8K, less than a memory bomb."""

_DECODERS: Final = {b"avc1": "h264", b"avc3": "h264", b"hvc1": "hevc", b"hev1": "hevc"}


class PictureError(Exception):
    """The key frame cannot be decoded; the message says why."""


def decode(track: Track, data: bytes) -> BGRImage:
    """The picture of key frame `data`. PictureError for an unknown codec or damaged bytes."""
    return decode_access_unit(_codec(track), track.decoder_configuration, data)


def decode_brightness(track: Track, data: bytes) -> GreyImage:
    """Only the brightness of key frame `data`, 0..255: no colours are computed. PictureError."""
    frame = _frame(_codec(track), track.decoder_configuration, data)
    return np.asarray(frame.to_ndarray(format="gray"), dtype=np.uint8)


def decode_last_brightness(track: Track, units: Sequence[bytes], most_pixels: int) -> GreyImage:
    """Brightness of the last picture of a whole group, its access units in the order of decoding.
    PictureError, too for larger pictures, whatever the file's header says of them."""
    frames = _frames(_codec(track), track.decoder_configuration, units, most_pixels)
    return np.asarray(frames[-1].to_ndarray(format="gray"), dtype=np.uint8)


def decode_access_unit(codec: str, extradata: bytes, data: bytes) -> BGRImage:
    """The picture of one key frame of `codec` ("h264", "hevc"); `extradata` as the stream has it, may be
    empty. PictureError for damaged bytes."""
    return np.asarray(_frame(codec, extradata, data).to_ndarray(format="bgr24"), dtype=np.uint8)


def _codec(track: Track) -> str:
    name = _DECODERS.get(track.sample_entry)
    if name is None:
        raise PictureError(f"codec {track.sample_entry!r}: expected H.264 or H.265")
    return name


def _frame(codec: str, extradata: bytes, data: bytes) -> VideoFrame:
    return _frames(codec, extradata, [data])[0]


def _frames(
    codec: str, extradata: bytes, units: Sequence[bytes], most_pixels: int = MOST_PIXELS
) -> list[VideoFrame]:
    """First and last picture of `units`, one of them where there is one: those between are not kept."""
    found: list[VideoFrame] = []
    try:
        context = av.CodecContext.create(codec, "r")
        if not isinstance(context, VideoCodecContext):
            raise TypeError("the decoder of a video codec decodes no video")
        context.extradata = extradata or None
        context.thread_count = 1  # one picture: more threads only wait for one another
        context.options = {"max_pixels": str(most_pixels)}
        for packet in (*map(av.Packet, units), None):
            found += context.decode(packet)
            del found[1:-1]
    except (av.error.FFmpegError, ValueError) as error:
        raise PictureError(f"the key frame does not decode: {error}") from error
    if not found or not isinstance(found[0], VideoFrame):
        raise PictureError("the key frame holds no picture")
    return [found[0], found[-1]]

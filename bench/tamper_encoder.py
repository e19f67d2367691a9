"""The pictures of bench/tamper_scenes.py through a real H.264 encoder, and back as the watcher gets them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np

from agent.visibility.picture_watch import Sight, sight
from bench.tamper_scenes import FPS, HEIGHT, WIDTH, Grey

GOP_S = 2.0


@dataclass(frozen=True)
class KeyPicture:
    """A decoded key frame with the sizes of the frames between it and the one before."""

    seconds: float
    luma: Grey
    data: bytes
    between: tuple[int, ...]
    group_before: tuple[bytes, ...]
    """The key frame before and what lies between, encoded."""

    def end(self) -> Grey | None:
        """The picture just before."""
        pictures = list(decoded(self.group_before))
        return pictures[-1] if pictures else None

    def middle(self) -> Grey | None:
        """The one in the middle of the group before."""
        pictures = list(decoded(self.group_before[: len(self.group_before) // 2 + 1]))
        return pictures[-1] if pictures else None


COUNTED_EVERY_S = 5.0


def is_counted(key: KeyPicture) -> bool:
    """Whether a look each five seconds meets it (agent.visibility.look_plan)."""
    return -(-key.seconds // COUNTED_EVERY_S) * COUNTED_EVERY_S < key.seconds + GOP_S


def seen_at(key: KeyPicture, *, afterwards: bool) -> Sight:
    """The look at it; `afterwards` nobody asks what lies between two of them."""
    if afterwards:
        return sight(key.luma, round(key.seconds * 1e6), key.seconds, None)
    return sight(key.luma, round(key.seconds * 1e6), key.seconds, key.between, key.end, key.middle)


def decoded(units: Iterable[bytes]) -> Iterator[Grey]:
    """Every picture of a stream that begins with a key frame."""
    decoder = av.CodecContext.create("h264", "r")
    decoder.thread_count = 1
    for packet in (*(av.Packet(unit) for unit in units), None):
        for picture in decoder.decode(packet):
            yield np.asarray(picture.to_ndarray(format="gray"), np.uint8)


def packets(
    pictures: Iterator[Grey], *, fps: int = FPS, gop_s: float = GOP_S, crf: int = 27, bitrate: int = 0
) -> Iterator[tuple[bool, bytes]]:
    """Encode for real, as a camera would, at a constant bit rate if one is given: (is a key frame, bytes) of
    each picture."""
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)  # noqa: S101 (libx264 is a video encoder)
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.framerate, encoder.time_base = Fraction(fps), Fraction(1, fps)
    encoder.gop_size = max(1, round(gop_s * fps))
    encoder.thread_count = 1
    encoder.options = {"preset": "veryfast", "tune": "zerolatency", "sc_threshold": "0", "bf": "0"}
    if bitrate:
        encoder.bit_rate = bitrate
        encoder.options |= {"maxrate": str(bitrate), "bufsize": str(bitrate)}
    else:
        encoder.options |= {"crf": str(crf)}
    chroma = np.full((HEIGHT // 2, WIDTH), 128, np.uint8)
    for number, grey in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(np.vstack([grey, chroma]), format="yuv420p")
        frame.pts = number
        for packet in encoder.encode(frame):
            yield packet.is_keyframe, bytes(packet)


def encoded(
    pictures: Iterator[Grey], *, fps: int = FPS, gop_s: float = GOP_S, crf: int = 27, bitrate: int = 0
) -> Iterator[KeyPicture]:
    """Encode, and decode key frames as the watcher would."""
    group: list[bytes] = []
    stream = packets(pictures, fps=fps, gop_s=gop_s, crf=crf, bitrate=bitrate)
    for number, (is_key_frame, data) in enumerate(stream):
        if is_key_frame:
            sizes = tuple(len(unit) for unit in group[1:])
            for luma in decoded([data]):
                yield KeyPicture(number / fps, luma, data, sizes, tuple(group))
            group = []
        group.append(data)


def recorded(pictures: Iterator[Grey], *, fps: int = FPS, crf: int = 27) -> list[Grey]:
    """Every picture of an encoded stream, decoded: what somebody has who taps it."""
    return list(decoded(data for _, data in packets(pictures, fps=fps, crf=crf)))

"""Video made for a test: a moving pattern with every picture's number readable from its pixels."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

BITS = 16
"""The number is drawn as this many black or white squares across the top, most significant bit first."""


def picture(number: int, width: int, height: int) -> npt.NDArray[np.uint8]:
    """BGR picture of shape (height, width, 3), uint8, that carries `number` (0..65535)."""
    ramp = np.arange(width, dtype=np.uint32)[None, :] + np.arange(height, dtype=np.uint32)[:, None]
    image = np.stack([(ramp + number * step) & 0x7F for step in (3, 5, 7)], axis=2).astype(np.uint8)
    square = width // BITS
    for place in range(BITS):
        value = 235 if number >> (BITS - 1 - place) & 1 else 16
        image[:square, place * square : (place + 1) * square] = value
    return image


def number_in(image: npt.NDArray[np.uint8]) -> int:
    """The number that `picture` drew, after any amount of encoding."""
    square = image.shape[1] // BITS
    middle = image[square // 4 : 3 * square // 4]
    return sum(
        (1 << (BITS - 1 - place))
        for place in range(BITS)
        if middle[:, place * square + square // 4 : (place + 1) * square - square // 4].mean() > 127
    )


def clip(
    out: Path,
    *,
    seconds: float = 2.0,
    fps: int = 10,
    size: tuple[int, int] = (320, 240),
    gop: int = 10,
    b_frames: int = 0,
    codec: str = "libx264",
) -> Path:
    """Encode `seconds` of numbered pictures to `out` (its suffix names the container); returns `out`.

    `gop` in pictures, fixed; `size` is (width, height), both even.
    """
    width, height = size
    with av.open(str(out), "w") as container:
        stream = container.add_stream(codec, rate=fps)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, fps)
        stream.gop_size = gop
        stream.max_b_frames = b_frames
        if codec == "libx264":
            stream.options = {"preset": "ultrafast", "sc_threshold": "0", "bf": str(b_frames), "threads": "1"}
        for number in range(round(seconds * fps)):
            frame = av.VideoFrame.from_ndarray(picture(number, width, height), format="bgr24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out

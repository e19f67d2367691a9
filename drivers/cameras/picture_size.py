"""The picture size that a key frame's own parameter sets state, read by libav (ITU-T H.264 7.3.2.1, H.265
7.3.2.2: cropping, chroma format and scaling lists make it more than a table look-up)."""

from __future__ import annotations

import io

import av

from drivers.cameras.base import Codec


def picture_size(key_frame: bytes, codec: Codec) -> tuple[int, int] | None:
    """(width, height) in pixels of an Annex B access unit that begins with its parameter sets; None when it
    cannot be read. Decodes that one picture: for the rare moment at which a camera changes its stream."""
    try:
        with av.open(io.BytesIO(key_frame), "r", format=codec) as container:
            context = container.streams.video[0].codec_context
            return (context.width, context.height) if context.width and context.height else None
    except av.FFmpegError:
        return None  # the answer to the question asked: these bytes tell no size

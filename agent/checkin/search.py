"""Where to look for faces in a picture.

Detection costs by the pixel. While faces are followed, most pictures are searched around them only; the
whole picture is searched often enough that the next person at the door is not kept waiting.
"""

from __future__ import annotations

from collections.abc import Sequence

from models.faces import DetectedFace, FaceEngine
from models.images import BGRImage, Box

WHOLE_INTERVAL_NS = 400_000_000
"""The whole picture is searched at least this often; less than a track's memory (tracker.FORGET_NS)."""
MARGIN = 0.6
"""Box widths around a followed face: it may move by so much from one picture to the next."""
WORTHWHILE = 0.6
"""A part larger than this share of the picture saves too little to miss the rest for."""


class Search:
    """Finds faces in one camera's pictures. Not thread-safe."""

    def __init__(self, engine: FaceEngine) -> None:
        self._engine = engine
        self._whole_ns: int | None = None

    def faces(self, image: BGRImage, followed: Sequence[Box], now_ns: int) -> list[DetectedFace]:
        """Faces in `image`, positions in its pixels; when it was searched around `followed` only, those."""
        part = self._part(image, followed, now_ns)
        if part is None:
            self._whole_ns = now_ns
            return self._engine.detect(image)
        found = self._engine.detect(image[part.top : part.bottom, part.left : part.right])
        return [face.moved(part.left, part.top) for face in found]

    def _part(self, image: BGRImage, followed: Sequence[Box], now_ns: int) -> Box | None:
        """The part to search, inside the picture; None for all of it."""
        if not followed or self._whole_ns is None or now_ns - self._whole_ns >= WHOLE_INTERVAL_NS:
            return None
        height, width = image.shape[:2]
        left = max(0, min(round(box.left - MARGIN * box.width) for box in followed))
        top = max(0, min(round(box.top - MARGIN * box.height) for box in followed))
        right = min(width, max(round(box.right + MARGIN * box.width) for box in followed))
        bottom = min(height, max(round(box.bottom + MARGIN * box.height) for box in followed))
        if right <= left or bottom <= top or (right - left) * (bottom - top) > WORTHWHILE * width * height:
            return None
        return Box(left, top, right - left, bottom - top)

"""The pictures that a verdict rests on: key frames of the recording, the boxes drawn on a copy.

The recording itself is never touched; the verdict's record names the key frame and its hash beside the hash
of the sealed copy, so that whoever has the footage can hold one against the other.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agent.archive.visibility_material import Counted
from agent.bmff import BoxError
from agent.log import get_logger
from agent.recording.gops import unpack_gops

if TYPE_CHECKING:
    from models.images import BGRImage

# OpenCV and PyAV are imported where a picture is made: the archive runs for weeks between two.

SURE: Final = 0.5
JPEG_QUALITY: Final = 88
_COLOURS: Final = {"": (0, 200, 0), "teacher": (255, 160, 0), "masked": (140, 140, 140)}
_UNSURE: Final = (0, 200, 255)

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Picture:
    """A copy with boxes, and what it is a copy of."""

    counted: Counted
    key_frame_sha256: str
    jpeg: bytes


def picture_of(video: Path, counted: Counted, *, boxes: bool = True) -> Picture | None:
    """The copy of a counted picture; None (logged) when its file is gone or holds
    other bytes there than were recorded: the verdict stands on what was counted then. Without `boxes` for a
    person to count: only the teacher's zone is drawn."""
    import cv2

    from agent.visibility.key_frame_at import key_frame_at
    from agent.visibility.key_frame_decoder import PictureError, decode

    row, count = counted.row, counted.count
    ticks = count.pts_ticks - int(row["start_ticks"])
    try:
        gops = sorted(unpack_gops(row["gops"]), key=lambda gop: abs(gop.ticks - ticks))
        offsets = [gop.offset for gop in gops[:3]]
        found = key_frame_at(video / row["path"], bytes(row["fragments"]), offsets, count.pts_ticks)
        mark = drawn if boxes else outlined
        jpeg = _encoded(mark(decode(found.track, found.data), counted))
    except (OSError, BoxError, PictureError, ValueError, cv2.error) as error:
        log.warning("verdict.no-picture", run=count.run_id, sequence=count.sequence, error=str(error))
        return None
    digest = hashlib.sha256(found.data).hexdigest()
    return Picture(counted, digest, jpeg)


def drawn(image: BGRImage, counted: Counted) -> BGRImage:
    """`image` with a frame around each head: green for sure ones, yellow for doubtful ones, blue in the
    teacher's zone, grey where the empty room shows the same."""
    import cv2

    height, width = image.shape[:2]
    for left, top, right, bottom, score in counted.count.boxes:
        zone = counted.zones.of_point((left + right) / 2 / width, (top + bottom) / 2 / height)
        colour = _COLOURS[zone] if score >= SURE or zone else _UNSURE
        cv2.rectangle(image, (left, top), (right, bottom), colour, 2 if score >= SURE else 1)
    return image


def outlined(image: BGRImage, counted: Counted) -> BGRImage:
    """`image` with the border of the teacher's zone alone: who stands in it is not counted."""
    import cv2
    import numpy as np

    height, width = image.shape[:2]
    if counted.zones.teacher:
        corners = np.array([(x * width, y * height) for x, y in counted.zones.teacher], np.int32)
        cv2.polylines(image, [corners], isClosed=True, color=_COLOURS["teacher"], thickness=2)
    return image


def _encoded(image: BGRImage) -> bytes:
    import cv2

    done, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise ValueError(f"a picture of shape {image.shape} cannot be encoded as JPEG")
    return jpeg.tobytes()

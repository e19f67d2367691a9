"""What is kept of an enrolment photo: the face with some surroundings, to be sealed under the template key.

Another engine's templates are made from it (agent/checkin/rederive.py), so that nobody is asked to come
again when the engine changes. It ends with the templates and under the same key (I7).
"""

from __future__ import annotations

import cv2
import numpy as np

from models.faces import DetectedFace, FaceEngine
from models.images import BGRImage

MAX_SIDE_PX = 720
"""A face in it is at least 240 px wide: twice what any template network looks at."""
JPEG_QUALITY = 95
"""Templates made from it differ from the photo's own by 0.01 to 0.05."""
_LARGER = 1.6
"""Tried when no face is found: another detector's smallest face may be larger."""


def keepsake(image: BGRImage, face: DetectedFace) -> bytes:
    """JPEG of `face` with a face's width around it, at most MAX_SIDE_PX long."""
    height, width = image.shape[:2]
    box = face.box
    left, top = max(0, box.left - box.width), max(0, box.top - box.width)
    right, bottom = min(width, box.right + box.width), min(height, box.bottom + box.width)
    crop = np.ascontiguousarray(image[top:bottom, left:right])
    scale = MAX_SIDE_PX / max(crop.shape[:2])
    if scale < 1:
        crop = np.asarray(cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    encoded, jpeg = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not encoded:
        raise ValueError(f"a picture of shape {crop.shape} cannot be encoded as JPEG")
    return jpeg.tobytes()


def face_in(engine: FaceEngine, content: bytes) -> tuple[BGRImage, DetectedFace] | None:
    """The picture in a keepsake and the face it was kept for: the one nearest to its middle. None without."""
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if decoded is None:
        return None
    for factor in (1.0, _LARGER):
        large = cv2.resize(decoded, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
        image = np.asarray(large, np.uint8)
        faces = engine.detect(image)
        if faces:
            middle = np.array(image.shape[1::-1]) / 2
            nearest = min(faces, key=lambda face: float(np.linalg.norm(np.array(face.box.centre) - middle)))
            return image, nearest
    return None

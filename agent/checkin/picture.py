"""The door's live picture on the frame board: boxes, what each person is told, never a name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from agent import board
from agent.checkin.answers import TEXT, AnswerKind
from agent.checkin.door import View
from agent.checkin.gate import REMEDY
from agent.checkin.photos import encode_jpeg
from agent.clock import Stamp
from models.images import BGRImage, Picture, at_least_grey

WIDTH_PX = 960
INTERVAL_NS = 250_000_000
"""Four pictures a second: enough to see oneself, cheap enough for a Pi."""
REST_INTERVAL_NS = 1_000_000_000
"""And one a second of an empty doorway: encoding it would else cost more than watching it."""


class LivePicture:
    """Publishes `door.jpg` and `door.json` (agent/board.py)."""

    def __init__(self, frames: Path, name: str, *, simulated: bool) -> None:
        self._frames = frames
        self._name = name
        self._simulated = simulated
        self._published_ns: int | None = None

    def show(
        self,
        picture: Picture | BGRImage,
        view: View,
        session_id: str | None,
        stamp: Stamp,
        colours: Mapping[int, int] | None = None,
    ) -> None:
        """Publish unless the last picture is younger than `INTERVAL_NS`, or `REST_INTERVAL_NS` where there is
        nothing to see; `colours` are those of the tracks' frames. OSError when the board is full."""
        interval_ns = REST_INTERVAL_NS if view.is_at_rest else INTERVAL_NS
        if self._published_ns is not None and stamp.monotonic_ns - self._published_ns < interval_ns:
            return
        self._published_ns = stamp.monotonic_ns
        shown, scale = _shrunk(picture)
        about = {
            "at_us": stamp.wall_us,
            "width": shown.shape[1],
            "height": shown.shape[0],
            "simulated": self._simulated,
            "session_id": session_id,
            **describe(view, session_id, scale, colours or {}),
        }
        board.publish_frame(self._frames, self._name, encode_jpeg(shown), about)

    def unavailable(self, stamp: Stamp) -> None:
        """Say that nobody can check in by face; the last picture stays and its description says so."""
        about = {
            "at_us": stamp.wall_us,
            "simulated": self._simulated,
            **describe(View(fault="camera"), None, 1.0, {}),
        }
        board.write_json(self._frames / f"{self._name}.json", about)


def _shrunk(picture: Picture | BGRImage) -> tuple[BGRImage, float]:
    """The picture as it is published, and its width over the camera's."""
    scale = min(1.0, WIDTH_PX / at_least_grey(picture).shape[1])
    if not isinstance(picture, np.ndarray):
        return picture.small(WIDTH_PX), scale
    if scale == 1:
        return picture, scale
    # From half the size on nothing is skipped, and averaging areas costs several times as much.
    method = cv2.INTER_LINEAR if scale >= 0.5 else cv2.INTER_AREA
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=method)
    return np.asarray(small, dtype=np.uint8), scale


def describe(view: View, session_id: str | None, scale: float, colours: Mapping[int, int]) -> dict[str, Any]:
    """What is told: a state, a message for whoever stands nearest, and each face with its own.

    `state`: "no_session", "unavailable" or "open". Boxes are [left, top, width, height] in pixels of the
    published picture. `person_id` is a random id; the page joins names for those who may see them.
    """
    faces = []
    for face in view.faces:
        reply = view.answers.get(face.track_id)
        zh, en = TEXT[reply.answer] if reply else REMEDY[face.reason]
        faces.append(
            {
                "box": [round(side * scale) for side in face.box],
                "track": face.track_id,
                "colour": colours.get(face.track_id),
                "reason": face.reason,
                "answer": reply.answer if reply else None,
                "person_id": reply.person_id if reply else None,
                "message": {"zh": zh, "en": en},
            }
        )
    if view.fault:
        zh, en = TEXT[AnswerKind.OTHER_WAY]
    elif session_id is None:
        zh, en = TEXT[AnswerKind.NO_SESSION]
    else:
        return {"state": "open", "message": faces[0]["message"] if faces else None, "faces": faces}
    state = "unavailable" if view.fault else "no_session"
    return {"state": state, "message": {"zh": zh, "en": en}, "faces": faces}

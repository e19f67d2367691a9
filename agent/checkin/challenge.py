"""The active challenge: "turn your head to the left". A state machine of one track.

    ASKED ── turned the asked way, as a head turns ──► TURNED ── looks ahead again ──► BACK
      │                                                  │
      ├── turned the other way ──────────────────────────┤
      ├── tilted like a flat picture ────────────────────┼──► FLAT (an attack)
      └── time is up, or the face was lost meanwhile ────┴──► FAILED

The side is drawn by chance, so that a recording does not know it. A turn counts only when the nose moves as
one that stands before the face (models/head_turn.py), and only when the frames between show it on its way:
another photograph of the same head, turned, would come all at once. Who it is, is asked again by template
while the head is turned and once more at the end (agent/checkin/pipeline.py): nobody holds up a picture for
the match and turns his own head for the challenge.
"""

from __future__ import annotations

import secrets
from enum import StrEnum
from typing import Final, Literal

from models.head_turn import Contour, HeadTurn, apparent_yaw, head_turn

Side = Literal["left", "right"]
"""As the person sees it. The camera's picture is not mirrored: a head that turns to its left turns to the
picture's right."""

SECONDS: Final = 6.0
"""From the question to the look ahead again."""
TURNED_DEGREES: Final = 15.0
"""Change of the apparent yaw: a clear turn, at which a template still knows the face."""
TURNED_DEPTH: Final = 0.04
"""Eye distances. Of heads that turned so far 98 in 100 pass in one frame; of photographs tilted up to 35
degrees none of 460, by 45 degrees 1 in 34."""
ON_THE_WAY: Final = (4.0, 13.0)
"""A frame with this change must have been seen, on the way there or back."""
TURNED_FRAMES: Final = 3
FLAT_TILT_DEGREES: Final = 25.0
FLAT_MISFIT: Final = 0.025
FLAT_FRAMES: Final = 4
"""So many frames that look tilted and fit a flat picture: of 1000 pairs of views of heads two do."""
AHEAD_DEGREES: Final = 10.0
LONGEST_BLINK_NS: Final = 700_000_000
"""A face that is not found for longer may have been changed for another."""


class Progress(StrEnum):
    """Where a challenge stands."""

    ASKED = "asked"
    TURNED = "turned"
    BACK = "back"
    FAILED = "failed"
    FLAT = "flat"


def random_side() -> Side:
    """Drawn so that nobody can foresee it."""
    return secrets.choice(("left", "right"))


class Challenge:
    """One question to one track."""

    def __init__(self, side: Side, now_ns: int) -> None:
        self.side: Side = side
        self.progress = Progress.ASKED
        self._deadline_ns = now_ns + round(SECONDS * 1e9)
        self._seen_ns = now_ns
        self._reference: Contour | None = None
        self._turned = self._wrong = self._flat = 0
        self._on_the_way = False
        self.turn: HeadTurn | None = None
        """Of the last frame; None before there is a frame to compare."""

    @property
    def is_over(self) -> bool:
        """Whether nothing changes `progress` any more."""
        return self.progress in (Progress.BACK, Progress.FAILED, Progress.FLAT)

    @property
    def is_turned_now(self) -> bool:
        """Whether the last frame shows the head turned as asked."""
        return self.turn is not None and self._is_turn(self.turn) and self._towards(self.turn) > 0

    def look(self, points: Contour, now_ns: int) -> Progress:
        """Take the points of one frame. The first that looks ahead is what the others are compared with."""
        if self.is_over or self.passes(now_ns):
            return self.progress
        self._seen_ns = now_ns
        if self._reference is None:
            if abs(apparent_yaw(points)) <= AHEAD_DEGREES:
                self._reference = points
            return self.progress
        self.turn = head_turn(self._reference, points)
        self._judge(self.turn)
        return self.progress

    def passes(self, now_ns: int) -> bool:
        """Let time pass without a frame of this face; whether it has failed by it."""
        if not self.is_over and (now_ns > self._deadline_ns or now_ns - self._seen_ns > LONGEST_BLINK_NS):
            self.progress = Progress.FAILED
        return self.progress is Progress.FAILED

    def _judge(self, turn: HeadTurn) -> None:
        towards = self._towards(turn)
        if ON_THE_WAY[0] <= towards <= ON_THE_WAY[1]:
            self._on_the_way = True
        if turn.tilt_degrees >= FLAT_TILT_DEGREES and turn.misfit <= FLAT_MISFIT:
            self._flat += 1
        elif self._is_turn(turn):
            if towards > 0:
                self._turned += 1
            else:
                self._wrong += 1
        if self._flat >= FLAT_FRAMES:
            self.progress = Progress.FLAT
        elif self.progress is Progress.ASKED:
            if self._wrong >= TURNED_FRAMES:
                self.progress = Progress.FAILED
            elif self._turned >= TURNED_FRAMES:
                self.progress = Progress.TURNED
        elif abs(turn.yaw_degrees) <= AHEAD_DEGREES:
            self.progress = Progress.BACK if self._on_the_way else Progress.FAILED

    def _towards(self, turn: HeadTurn) -> float:
        """Degrees towards the asked side."""
        return turn.yaw_degrees if self.side == "left" else -turn.yaw_degrees

    def _is_turn(self, turn: HeadTurn) -> bool:
        return abs(turn.yaw_degrees) >= TURNED_DEGREES and turn.depth >= TURNED_DEPTH

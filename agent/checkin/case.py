"""What the pipeline tells of one picture: its faces, and conclusions with what they rest on."""

from __future__ import annotations

from dataclasses import dataclass

from agent.checkin.deliberation import Conclusion
from agent.checkin.gate import Check, GateReason
from agent.checkin.liveness import Liveness
from models import face_quality
from models.faces import DetectedFace, Template
from models.images import BGRImage, Box


@dataclass(frozen=True, slots=True)
class FaceReport:
    """One face in one frame, and why it was taken or not."""

    track_id: int
    box: Box
    reason: GateReason
    quality: face_quality.FaceQuality
    checks: tuple[Check, ...] = ()
    """Each measure with its limit."""


@dataclass(frozen=True, slots=True)
class Case:
    """A conclusion with what it rests on."""

    track_id: int
    conclusion: Conclusion
    frames: tuple[tuple[BGRImage, DetectedFace], ...]
    """The frames that were matched, oldest first."""
    best: tuple[BGRImage, DetectedFace]
    """The one of them most fit to be looked at, of those that gave the name: the evidence photo's."""
    template: Template
    """Of that frame."""
    liveness: Liveness


@dataclass(frozen=True, slots=True)
class FrameReport:
    """What one picture led to."""

    searched: bool
    """False when the motion gate spared the detection."""
    faces: tuple[FaceReport, ...] = ()
    cases: tuple[Case, ...] = ()
    templates_made: int = 0
    is_at_rest: bool | None = None
    """Nothing moves in front of the door and nobody is followed; None while it is not watched for long enough
    to tell."""
    reopened: frozenset[int] = frozenset()
    """Tracks whose last answer holds no more: somebody else may stand there."""

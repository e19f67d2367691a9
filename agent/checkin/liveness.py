"""The place where it is judged whether a face is live or a picture of one.

No judge exists yet: every check-in says `not_judged`, in its row and its record, so that nobody can read
a liveness check into it. A judge that says `attack` vetoes whatever the match says (I9).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from models.faces import DetectedFace
from models.images import BGRImage

LivenessOutcome = Literal["live", "not_judged", "attack"]


@dataclass(frozen=True, slots=True)
class Liveness:
    """What a judge says of one face over several frames."""

    outcome: LivenessOutcome
    judge: str | None = None
    """Name of the judge; None when there was none."""
    score: float | None = None
    """0 (attack) .. 1 (live), by that judge's measure."""


NOT_JUDGED = Liveness("not_judged")


class LivenessJudge(Protocol):
    """Decides over several frames of one face, never on one."""

    def judge(self, frames: Sequence[tuple[BGRImage, DetectedFace]]) -> Liveness:
        """Verdict on the frames that were used for the match, oldest first."""
        ...


class NoLivenessJudge:
    """Says that it did not judge."""

    def judge(self, frames: Sequence[tuple[BGRImage, DetectedFace]]) -> Liveness:
        return NOT_JUDGED

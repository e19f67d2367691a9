"""Who is it? The state machine of one track, from single matches to one conclusion.

    GATHERING ── enough frames name one person, none another ──► CONCLUDED: named
        │ ────── enough frames, nobody even near ──────────────► CONCLUDED: unknown
        │ ────── frames contradict one another, or too close ──► CONCLUDED: ambiguous
        ▲                                                              │
        └────── a later frame names somebody else ─────────────────────┘

One frame never names anybody. Between two people nothing is guessed: ambiguous sends to the other way in.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from agent.checkin.gallery import Match
from agent.checkin.thresholds import CheckinThresholds


class Finding(StrEnum):
    """What the frames of one face say together."""

    NAMED = "named"
    UNKNOWN = "unknown"
    AMBIGUOUS = "ambiguous"


@dataclass(frozen=True, slots=True)
class Conclusion:
    """Result over several frames of one face."""

    finding: Finding
    person_id: str | None
    """Only when named."""
    distance: float | None
    """Smallest distance to that person; when not named, to whoever was nearest."""
    margin: float | None
    """Smallest margin among the frames that agreed."""
    frames: int
    """Frames that agreed on the name; when not named, frames looked at."""


class Deliberation:
    """Gathers the matches of one track."""

    def __init__(self, thresholds: CheckinThresholds) -> None:
        self._thresholds = thresholds
        self._matches: list[Match] = []
        self.conclusion: Conclusion | None = None

    def add(self, match: Match) -> Conclusion | None:
        """Take one frame's match; the conclusion when this frame brought it about, else None."""
        if self.conclusion is not None:
            if not match.is_named or match.person_id == self.conclusion.person_id:
                return None
            self._matches, self.conclusion = [], None
        self._matches.append(match)
        self.conclusion = self._conclude()
        return self.conclusion

    @property
    def gathered(self) -> int:
        """Frames since the last beginning."""
        return len(self._matches)

    def _conclude(self) -> Conclusion | None:
        named = [match for match in self._matches if match.is_named]
        names = {match.person_id for match in named}
        if len(names) > 1:
            return self._without_name(Finding.AMBIGUOUS)
        if len(named) >= self._thresholds.frames_that_agree:
            margins = [match.margin for match in named if match.margin is not None]
            nearest = min(match.distance for match in named if match.distance is not None)
            return Conclusion(
                Finding.NAMED, named[0].person_id, nearest, min(margins, default=None), len(named)
            )
        if len(self._matches) >= self._thresholds.frames_for_unknown and not named:
            near = any(match.is_near for match in self._matches)
            return self._without_name(Finding.AMBIGUOUS if near else Finding.UNKNOWN)
        if len(self._matches) >= self._patience:
            return self._without_name(Finding.AMBIGUOUS)
        return None

    @property
    def _patience(self) -> int:
        # HR may ask for more agreeing frames than the usual limit leaves room for.
        return max(self._thresholds.frames_at_most, 2 * self._thresholds.frames_that_agree)

    def _without_name(self, finding: Finding) -> Conclusion:
        nearest = min((match.distance for match in self._matches if match.distance is not None), default=None)
        return Conclusion(finding, None, nearest, None, len(self._matches))

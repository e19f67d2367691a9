"""Who is it? The state machine of one track, from single matches to one conclusion.

    GATHERING ── enough frames, and most of all, name one person ──► CONCLUDED: named
      ▲   │ ──── enough frames, nobody even near ──────────────────► CONCLUDED: unknown ───┐
      │   │ ──── frames contradict one another, or too close ──────► CONCLUDED: ambiguous ─┤
      │   │                                                                                │
      ├───│── named: a frame names somebody else, or several in a row not this person      │
      └───│── without a name, first time: a later frame names somebody ◄───────────────────┤
          └── ambiguous for as long as the track lasts ◄── without a name, second time ────┘

One frame never names anybody, nor do several among as many that do not. Between two people nothing is
guessed: ambiguous sends to the other way in. A track has two tries at a name and no more: whoever resembles
somebody a little would otherwise only have to stand there until chance names them.
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


TRIES = 2
"""Deliberations of one track that may end without a name; the last one's end stands."""


class Deliberation:
    """Gathers the matches of one track."""

    def __init__(self, thresholds: CheckinThresholds) -> None:
        self._thresholds = thresholds
        self._matches: list[Match] = []
        self._ended_without_name = 0
        self._differing = 0
        self.conclusion: Conclusion | None = None

    def add(self, match: Match) -> Conclusion | None:
        """Take one frame's match; the conclusion when this frame brought it about, else None.

        After it `conclusion` is None where the deliberation began anew, with or without this frame.
        """
        if self.is_final:
            return None
        if self.conclusion is not None:
            if match.is_named and match.person_id != self.conclusion.person_id:
                self._begin_anew()
            else:
                self._check_it_is_still(match, self.conclusion)
                return None
        self._matches.append(match)
        self.conclusion = self._conclude()
        if self.conclusion is not None and self.conclusion.finding is not Finding.NAMED:
            self._ended_without_name += 1
        return self.conclusion

    @property
    def gathered(self) -> int:
        """Frames since the last beginning."""
        return len(self._matches)

    @property
    def is_final(self) -> bool:
        """No frame changes the conclusion any more."""
        return self.conclusion is not None and self._ended_without_name >= TRIES

    @property
    def is_in_doubt(self) -> bool:
        """Somebody was named, and the last frame was not them."""
        return self._differing > 0

    def _begin_anew(self) -> None:
        self._matches, self._differing, self.conclusion = [], 0, None

    def _check_it_is_still(self, match: Match, conclusion: Conclusion) -> None:
        """As many frames in a row as make a stranger: somebody stepped into the named person's place."""
        if conclusion.finding is not Finding.NAMED:
            return
        is_still = match.is_near and match.person_id == conclusion.person_id
        self._differing = 0 if is_still else self._differing + 1
        if self._differing >= self._thresholds.frames_for_unknown:
            self._begin_anew()

    def _conclude(self) -> Conclusion | None:
        named = [match for match in self._matches if match.is_named]
        names = {match.person_id for match in named}
        if len(names) > 1:
            return self._without_name(Finding.AMBIGUOUS)
        is_majority = 2 * len(named) > len(self._matches)
        if is_majority and len(named) >= self._thresholds.frames_that_agree:
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
        # HR may ask for more agreeing frames than the usual limit leaves room for as a majority.
        return max(self._thresholds.frames_at_most, 2 * self._thresholds.frames_that_agree)

    def _without_name(self, finding: Finding) -> Conclusion:
        nearest = min((match.distance for match in self._matches if match.distance is not None), default=None)
        return Conclusion(finding, None, nearest, None, len(self._matches))

"""Who is it? The state machine of one track, from single matches to one conclusion.

    GATHERING ── enough frames, and most of all, are one person's ──► CONCLUDED: named
      ▲   │ ──── enough frames, nobody even near ──────────────────► CONCLUDED: unknown ───┐
      │   │ ──── frames contradict one another, or too close ──────► CONCLUDED: ambiguous ─┤
      │   │                                                                                │
      ├───│── named: a frame names somebody else, or several in a row not this person      │
      └───│── without a name, first time: a later frame names somebody ◄───────────────────┤
          └── ambiguous for as long as the track lasts ◄── without a name, second time ────┘

One frame never names anybody. Several do in one of two ways: most of them name the person, each by itself; or
their mean does (agent/checkin/fusion.py), and most of them have that person nearest, however far. Most is by
number and by quality: neither many blurred frames nor one sharp one decide alone. Frames that name two people
name nobody, whatever their mean says. Whoever has a look-alike in the class needs one frame more. Between two
people nothing is guessed: ambiguous sends to the other way in. A track has two tries at a name and no more:
whoever resembles somebody a little would otherwise only have to stand there until chance names them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from agent.checkin.fusion import LEAST_WEIGHT
from agent.checkin.gallery import NOBODY, Match
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
    """Of the frames' mean to that person, or the smallest of the frames that named them; when not named, the
    smallest to whoever was nearest."""
    margin: float | None
    """Of the mean, or the smallest of those frames."""
    frames: int
    """Frames that named the person, or had them nearest; when not named, frames looked at."""
    cut: float | None = None
    """The limit that `distance` was held to."""
    margin_needed: float | None = None
    """Of the mean, or the largest that any of these frames was held to."""

    def numbers(self) -> dict[str, Any]:
        """What was found and what it was held to, without saying who: why somebody was not taken."""
        numbers = {
            "distance": self.distance,
            "cut": self.cut,
            "margin": self.margin,
            "margin_needed": self.margin_needed,
        }
        rounded = {name: None if value is None else round(value, 3) for name, value in numbers.items()}
        return {"finding": self.finding.value, "frames": self.frames, **rounded}


TRIES = 2
"""Deliberations of one track that may end without a name; the last one's end stands."""


class Deliberation:
    """Gathers the matches of one track."""

    def __init__(self, thresholds: CheckinThresholds) -> None:
        self._thresholds = thresholds
        self._matches: list[Match] = []
        self._weights: list[float] = []
        self._together = NOBODY
        self._ended_without_name = 0
        self._differing = 0
        self.conclusion: Conclusion | None = None

    def add(self, match: Match, quality: float = 1.0, together: Match = NOBODY) -> Conclusion | None:
        """Take one frame's match; the conclusion when this frame brought it about, else None.

        `quality` (0..1): how fit the frame was for a template. `together`: the match of the mean of the
        frames gathered and this one, NOBODY for a first one and while a conclusion stands. After it
        `conclusion` is None where the deliberation began anew, with or without this frame.
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
        self._weights.append(max(quality, LEAST_WEIGHT))
        self._together = together if len(self._matches) > 1 else NOBODY
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
    def is_one_short(self) -> bool:
        """Every frame so far named the same person, and one more that does gives the name."""
        names = {match.person_id for match in self._matches if match.is_named}
        is_clear = len(names) == 1 and all(match.is_named for match in self._matches)
        return self.conclusion is None and is_clear and self.gathered + 1 >= self._needed(self._matches)

    @property
    def is_in_doubt(self) -> bool:
        """Somebody was named, and the last frame was not them."""
        return self._differing > 0

    def _begin_anew(self) -> None:
        self._matches, self._weights, self._differing, self.conclusion = [], [], 0, None
        self._together = NOBODY

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
        if named and len(named) >= self._needed(named) and self._is_majority(named):
            return self._conclusion(Finding.NAMED, named[0].person_id, named)
        theirs = self._nearest_to_the_mean(names)
        if theirs and len(theirs) >= self._needed(theirs) and self._is_majority(theirs):
            return self._by_the_mean(theirs)
        if len(self._matches) >= self._thresholds.frames_for_unknown and not named:
            near = any(match.is_near for match in (*self._matches, self._together))
            return self._without_name(Finding.AMBIGUOUS if near else Finding.UNKNOWN)
        if len(self._matches) >= self._patience:
            return self._without_name(Finding.AMBIGUOUS)
        return None

    def _needed(self, named: list[Match]) -> int:
        return self._thresholds.frames_that_agree + any(match.is_look_alike for match in named)

    def _is_majority(self, some: list[Match]) -> bool:
        """By number and by quality: neither many blurred frames nor one sharp one name somebody alone."""
        weight = sum(w for match, w in zip(self._matches, self._weights, strict=True) if match in some)
        return 2 * len(some) > len(self._matches) and 2 * weight > sum(self._weights)

    @property
    def _patience(self) -> int:
        # HR may ask for more agreeing frames than the usual limit leaves room for as a majority.
        return max(self._thresholds.frames_at_most, 2 * self._thresholds.frames_that_agree)

    def _nearest_to_the_mean(self, names: set[str | None]) -> list[Match]:
        """Frames that have the person whom the mean names nearest, the last one among them; none when
        there is none, or when one of `names` is another."""
        person_id = self._together.person_id
        is_theirs = self._matches[-1].person_id == person_id and names <= {person_id}
        if not (self._together.is_named and is_theirs):
            return []
        return [match for match in self._matches if match.person_id == person_id]

    def _by_the_mean(self, theirs: list[Match]) -> Conclusion:
        mean = self._together
        return Conclusion(
            finding=Finding.NAMED,
            person_id=mean.person_id,
            distance=mean.distance,
            margin=mean.margin,
            frames=len(theirs),
            cut=mean.cut,
            margin_needed=mean.margin_needed,
        )

    def _without_name(self, finding: Finding) -> Conclusion:
        return self._conclusion(finding, None, self._matches)

    def _conclusion(self, finding: Finding, person_id: str | None, matches: list[Match]) -> Conclusion:
        held = [match for match in matches if match.distance is not None]
        nearest = min(held, key=lambda match: match.distance or 0.0, default=None)
        margins = [match.margin for match in matches if match.margin is not None]
        return Conclusion(
            finding=finding,
            person_id=person_id,
            distance=nearest.distance if nearest else None,
            margin=min(margins, default=None) if person_id is not None else None,
            frames=len(matches),
            cut=nearest.cut if nearest else None,
            margin_needed=max((match.margin_needed or 0.0 for match in held), default=None),
        )

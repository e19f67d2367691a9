"""Asking one track to turn its head, at most twice, and asking meanwhile whether it is still the same person.

try ── the head turned as asked, its template is the person's ── ahead again, the person is named ──► passed
 │ └── tilted like a flat picture ─────────────────────────────────────────────────────────────────► flat
 └──── anything else ──► second try, another side by chance ──► failed
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from agent.checkin.challenge import Challenge, Progress, random_side
from agent.checkin.gallery import Match
from agent.checkin.liveness import LIVE_FROM, Liveness
from models.faces import DetectedFace
from models.head_turn import Contour
from models.images import BGRImage

TRIES: Final = 2
LOOK_AHEAD_NS: Final = 2_500_000_000
"""After the turn, a good picture from the front must come within this time."""
Direction = Literal["left", "right", "middle"]
Ending = Literal["passed", "failed", "flat"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A picture whose template is wanted."""

    image: BGRImage
    face: DetectedFace
    is_last: bool
    """Whether it is the one from the front at the end."""


class Questioning:
    """One track's. Call `look` for every frame in which the track's face was found, `passes` for the
    others."""

    def __init__(self, person_id: str, liveness: Liveness, now_ns: int) -> None:
        self.person_id = person_id
        self._liveness = liveness
        self._tries = 1
        self._challenge = Challenge(random_side(), now_ns)
        self._wanted: Wanted | None = None
        self._back_ns: int | None = None
        self._turned_is_known = False
        self.ending: Ending | None = None

    @property
    def direction(self) -> Direction:
        """Where the person should look now, as they see it."""
        return self._challenge.side if self._challenge.progress is Progress.ASKED else "middle"

    @property
    def wanted(self) -> Wanted | None:
        """The picture of the last frame, when its template must be matched: call `matched` with the
        result."""
        return self._wanted

    def look(
        self, image: BGRImage, face: DetectedFace, points: Contour | None, now_ns: int, *, is_taken: bool
    ) -> None:
        """Take one frame; `is_taken`: the gate found it good enough to recognise somebody by."""
        self._wanted = None
        if self.ending is not None:
            return
        if self._back_ns is None and points is not None:
            progress = self._challenge.look(points, now_ns)
            if self._challenge.is_turned_now and not self._turned_is_known:
                self._wanted = Wanted(image, face, is_last=False)
            if progress is Progress.BACK:
                self._back_ns = now_ns
        if self._back_ns is not None and is_taken:
            self._wanted = Wanted(image, face, is_last=True)
        self.passes(now_ns)

    def passes(self, now_ns: int) -> None:
        """Let time pass; ends a try that took too long."""
        if self.ending is not None:
            return
        if self._challenge.progress is Progress.FLAT:
            self.ending = "flat"
        elif self._back_ns is None:
            if self._challenge.passes(now_ns):
                self._fail(now_ns)
        elif not self._turned_is_known or now_ns - self._back_ns > LOOK_AHEAD_NS:
            self._fail(now_ns)

    def matched(self, match: Match, now_ns: int) -> None:
        """Take the match of the wanted picture's template."""
        wanted, self._wanted = self._wanted, None
        if wanted is None or self.ending is not None:
            return
        if wanted.is_last:
            if match.is_named and match.person_id == self.person_id:
                self.ending = "passed"
            else:
                self._fail(now_ns)  # somebody else, or a bad picture: either way nothing is proven
        elif match.is_near and match.person_id == self.person_id:
            # Nobody need be nearest by the margin here: before the turn and after it they must.
            self._turned_is_known = True

    @property
    def verdict(self) -> Liveness:
        """What is known when it has ended."""
        if self.ending == "passed":
            return replace(self._liveness, outcome="live", challenge="passed")
        if self.ending == "flat":
            # The pair hardly ever takes a screen for a face, and a paper print nearly always.
            is_paper = (self._liveness.score or 0.0) >= LIVE_FROM
            species: Literal["print", "screen_still"] = "print" if is_paper else "screen_still"
            return replace(self._liveness, outcome="attack", challenge="failed", species=species)
        return replace(self._liveness, outcome="unsure", challenge="failed")

    def _fail(self, now_ns: int) -> None:
        """This try is over; the next begins, if there is one left."""
        self._wanted, self._back_ns, self._turned_is_known = None, None, False
        if self._tries >= TRIES:
            self.ending = "failed"
            return
        self._tries += 1
        self._challenge = Challenge(random_side(), now_ns)

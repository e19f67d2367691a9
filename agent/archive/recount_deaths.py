"""Whose fault it is that the counting process ended, and when it is tried again.

A damaged picture ends it, and so do a machine without memory and one without time. Only of a process that
had just counted another picture can it be said that this one ended it: the suspect is tried again by itself,
behind a picture that is under no suspicion, and so is all else of its file, which may be deadly whole. One on
which it hangs is blamed, too, where the same process had counted that other picture at once: a machine
without time is slow with both. Everything else is waited out, longer each time. What is known of a suspect is
kept in the database: the archive's process may begin anew at any time.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from agent.clock import Stamp
from agent.store import catch_up
from agent.store.catch_up import DeathRow
from agent.store.database import Store

DEATHS: Final = 3
"""So often the process may die on a picture, each time right after it counted another, before that picture is
refused."""
DEATHS_ALONE: Final = 8
"""So often where the recording has no other picture that could be counted before it: a day of trials."""
QUICK_NS: Final = 30_000_000_000
"""A process that counted the picture beside in this time had time enough for the one that it hung on: a
twentieth of what that was given."""
PAUSE_NS: Final = 30_000_000_000
"""After one death; twice as long after each further one that nothing was counted before."""
LONGEST_PAUSE_NS: Final = 3_600_000_000_000
ASIDE_NS: Final = 600_000_000_000
"""So long the picture on which it died is left aside, twice as long after each further time."""
LONGEST_ASIDE_NS: Final = 86_400_000_000_000

PictureKey = tuple[str, int, int]
"""Run, sequence and ticks, as in `PlannedFrame`."""


class Deaths:
    """Of one counting process and those that take its place."""

    def __init__(self) -> None:
        self._in_a_row = 0
        self._tries: Counter[PictureKey] = Counter()
        self._blamed: Counter[PictureKey] = Counter()
        self._not_before_ns: dict[PictureKey, int] = {}
        self._is_recalled = False

    def recall(self, store: Store, stamp: Stamp) -> None:
        """Take over what the processes before this one learned; once. A suspect is left aside for what is
        left of its time, by clocks that may be wrong never longer than that."""
        if self._is_recalled:
            return
        for row in catch_up.deaths(store):
            picture = row.run_id, row.sequence, row.ticks
            self._tries[picture], self._blamed[picture] = row.deaths, row.blamed
            aside_ns = _aside_ns(row.deaths)
            left_ns = min(max(0, aside_ns - (stamp.wall_us - row.last_us) * 1000), aside_ns)
            self._not_before_ns[picture] = stamp.monotonic_ns + left_ns
        self._is_recalled = True

    @property
    def in_a_row(self) -> int:
        """How many there were since a picture was counted."""
        return self._in_a_row

    def tries(self, picture: PictureKey) -> int:
        """How often the process ended on it; 0 of a picture that is under no suspicion."""
        return self._tries[picture]

    def segments(self) -> frozenset[tuple[str, int]]:
        """Run and sequence of the files that hold such a picture: the others in them are under suspicion,
        too."""
        return frozenset(picture[:2] for picture, tries in self._tries.items() if tries)

    def is_aside(self, picture: PictureKey, stamp: Stamp) -> bool:
        """Whether it is not to be tried by now."""
        return self._not_before_ns.get(picture, 0) > stamp.monotonic_ns

    def died(
        self,
        store: Store,
        stamp: Stamp,
        picture: PictureKey | None,
        *,
        has_counted: bool,
        was_killed: bool,
        beside_ns: int | None = None,
        is_alone: bool = False,
    ) -> bool:
        """The process ended on `picture` (None: on none), after it had counted another just before or not,
        by itself or by our hand because it took too long; `beside_ns`: how long the other took, where it was
        tried behind one. True when that proves, once more and often enough, that the picture ends it; of one
        that `is_alone`, without another to be counted before it, when it did still more often."""
        self._in_a_row = 1 if has_counted else self._in_a_row + 1
        if picture is None:
            return False
        self._tries[picture] += 1
        self._not_before_ns[picture] = stamp.monotonic_ns + _aside_ns(self._tries[picture])
        is_quick = beside_ns is not None and beside_ns <= QUICK_NS
        if has_counted and (is_quick or not was_killed):
            self._blamed[picture] += 1
        tries, blamed = self._tries[picture], self._blamed[picture]
        catch_up.keep_death(store, DeathRow(*picture, tries, blamed, stamp.wall_us))
        return blamed >= DEATHS or (is_alone and not was_killed and tries >= DEATHS_ALONE)

    def pause_ns(self) -> int:
        """After the newest death, until anything is tried."""
        return min(PAUSE_NS << min(max(self._in_a_row - 1, 0), 16), LONGEST_PAUSE_NS)

    def survived(self) -> None:
        """A batch was gone through to its end."""
        self._in_a_row = 0

    def cleared(self, store: Store, picture: PictureKey) -> None:
        """It was answered."""
        if picture not in self._tries:
            return
        catch_up.forget_death(store, *picture)
        for kept in (self._tries, self._blamed, self._not_before_ns):
            kept.pop(picture, None)


def _aside_ns(tries: int) -> int:
    return min(ASIDE_NS << min(tries - 1, 16), LONGEST_ASIDE_NS)

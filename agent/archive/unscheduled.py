"""Footage of no lesson is announced before it goes, to HR on the page and to the province by a record.

A wrong clock that calls itself right, or a slip in the timetable, makes a lesson nobody's, and what is
nobody's goes after 30 days. So it is announced two weeks before, and goes a week after its announcement at
the earliest, however late that was: meanwhile `class bind`, or the page, gives it to its class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from agent.archive.entitlement import Due, Judgement
from agent.archive.footage_time import lies_at
from agent.clock import Stamp
from agent.store import unscheduled as table
from agent.store.clock import Corrections
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.store.retention import Held

DAY_US: Final = 86_400_000_000
ANNOUNCED_US: Final = 14 * DAY_US
"""So long before it goes it is announced."""
SHORTEST_US: Final = 7 * DAY_US
"""Between the announcement and the deletion: a device that was off meanwhile announces late."""
BREAK_US: Final = 10 * 60_000_000
"""Footage further apart than this is another stretch."""


@dataclass
class Stretch:
    """Footage of no lesson without a long break. Times in UTC microseconds, corrected where the clock was: by
    these somebody enters the lesson."""

    start_us: int
    end_us: int
    due_us: int
    """When the first of it may go."""
    size: int = 0
    simulated: bool = False
    keys: list[tuple[str, int]] = field(default_factory=list)
    """Its segments."""

    def takes(self, start_us: int) -> bool:
        """Whether footage that begins then goes on with it."""
        return self.start_us <= start_us <= self.end_us + BREAK_US

    def add(self, held: Held, end_us: int, due_us: int) -> None:
        self.end_us, self.due_us = max(self.end_us, end_us), min(self.due_us, due_us)
        self.size, self.simulated = self.size + held.size, self.simulated or held.simulated
        self.keys.append(held.key)


def stretches(store: Store, found: Sequence[tuple[Held, int]]) -> list[Stretch]:
    """`found`: segments and when each may go."""
    corrections = Corrections.of(store, {held.boot_id for held, _ in found})
    placed = [(*lies_at(held, corrections), held, due_us) for held, due_us in found]
    made: list[Stretch] = []
    for start_us, end_us, held, due_us in sorted(placed, key=lambda each: each[:2]):
        if not made or not made[-1].takes(start_us):
            made.append(Stretch(start_us, end_us, due_us))
        made[-1].add(held, end_us, due_us)
    return made


def as_json(store: Store, stretch: Stretch) -> dict[str, Any]:
    """For page and record; impersonal."""
    return {
        "start_us": stretch.start_us,
        "end_us": stretch.end_us,
        "due_us": stretch.due_us,
        "segments": len(stretch.keys),
        "bytes": stretch.size,
        "people": any(table.somebody_was_seen(store, key) for key in stretch.keys),
    }


def announce(store: Store, stamp: Stamp, judged: Sequence[tuple[Held, Judgement]]) -> int:
    """Announce what of `judged` goes soon and is not announced yet; returns how many segments."""
    soon = [
        (held, judgement.due_us)
        for held, judgement in judged
        if isinstance(judgement, Due)
        and judgement.basis == "no_session"
        and judgement.due_us - stamp.wall_us <= ANNOUNCED_US
        and held.expired_us is None
        and table.announced_us(store, held.key) is None
    ]
    if not soon:
        return 0
    with store.transaction():
        table.note_announced(store, [held.key for held, _ in soon], stamp.wall_us)
        for stretch in stretches(store, soon):
            data = as_json(store, stretch)
            data["due_us"] = max(stretch.due_us, stamp.wall_us + SHORTEST_US)
            fact = Fact(FactType.UNSCHEDULED_DUE, "node", stretch.simulated, data)
            state_fact(store, stamp, fact)
    return len(soon)


def may_go(store: Store, stamp: Stamp, held: Held, due: Due) -> bool:
    """Whether nothing of what stands above keeps it."""
    if due.basis != "no_session":
        return True
    announced_us = table.announced_us(store, held.key)
    return announced_us is not None and announced_us + SHORTEST_US <= stamp.wall_us

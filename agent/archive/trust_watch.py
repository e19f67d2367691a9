"""HR's trust in a room's counts ends by itself when what it rests on is no more (R6)."""

from __future__ import annotations

from typing import Final

from agent.archive.part import Word
from agent.clock import Stamp
from agent.role import RoleContext
from agent.store.database import Store
from agent.visibility.trust import end_if_over

EACH_NS: Final = 60_000_000_000


class TrustWatch:
    """Part of the archive."""

    name = "trust"

    def __init__(self, context: RoleContext) -> None:
        self._room = context.settings.node.room
        self._next_ns = 0

    def step(self, store: Store, stamp: Stamp) -> Word:
        if stamp.monotonic_ns >= self._next_ns:
            end_if_over(store, stamp, self._room)
            self._next_ns = stamp.monotonic_ns + EACH_NS
        return Word()

    def close(self) -> None:
        """Nothing runs."""

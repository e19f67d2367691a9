"""Calling whoever was drawn for a spot check to the door camera: on the screen, by lamp and voice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from agent.classes import spot_check
from agent.clock import Stamp
from agent.store.database import Store

AGAIN_NS: Final = 60_000_000_000
"""A call is repeated each minute: it is said at the door, and the person sits in the room."""


@dataclass(frozen=True, slots=True)
class Call:
    """Whom to call, and how much time is left."""

    person_id: str
    minutes: int

    @property
    def text(self) -> tuple[str, str]:
        """Chinese, English."""
        return (
            f"请在 {self.minutes} 分钟内看摄像头",
            f"Please look into the camera within {self.minutes} min",
        )


class Caller:
    """One door's. Asks the database only where it is told that something may have changed."""

    def __init__(self) -> None:
        self._last: tuple[str, int] | None = None

    def due(self, store: Store, session_id: str | None, stamp: Stamp) -> Call | None:
        """The call to make now; None when nobody is to be called, or was called within the minute.
        sqlite3.Error is the caller's to survive."""
        check = None if session_id is None else spot_check.running(store, session_id)
        if check is None:
            self._last = None
            return None
        called_ns = self._last[1] if self._last is not None and self._last[0] == check.id else None
        if called_ns is not None and stamp.monotonic_ns - called_ns < AGAIN_NS:
            return None
        left_s = spot_check.seconds_left(store, check.id, stamp)
        if left_s <= 0:
            return None
        self._last = (check.id, stamp.monotonic_ns)
        return Call(check.person_id, -(-left_s // 60))

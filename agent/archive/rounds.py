"""When lessons are judged, and looked at again: what a judgement rests on moves for days, seldom later."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from agent.clock import Stamp
from agent.recording.session_report import CAMERA
from agent.store import continuity
from agent.store.classes import Session
from agent.store.clock import vouch
from agent.store.database import Store

ROUND_NS: Final = 20_000_000_000
LATEST_US: Final = 30 * 60 * 1_000_000
"""So long after its end what is not in the index is not waited for: a recorder that is gone for good must not
keep the others' lessons from being judged."""
RECENT_US: Final = 14 * 86_400_000_000
"""Check-ins are confirmed, clocks corrected, disks put back, lessons moved within days: those are looked at
each `RECENT_NS`, all of them at the start and each `ALL_NS`."""
RECENT_NS: Final = 600_000_000_000
ALL_NS: Final = 86_400_000_000_000


def is_settled(store: Store, stamp: Stamp, ended_us: int) -> bool:
    """Whether the index has reached `ended_us`, where a lesson or class hour ended, or will not any more."""
    if stamp.wall_us < ended_us:
        return False
    return stamp.wall_us >= ended_us + LATEST_US or continuity.is_accounted_for(store, CAMERA, ended_us)


def is_past(store: Store, stamp: Stamp, at_us: int) -> bool:
    """Whether that moment has come: by a clock that somebody answers for, or because the index has reached
    it. A clock that ran ahead for a moment says so of class hours that have hardly begun (I8)."""
    word = vouch(store, stamp)
    is_vouched = word is not None and stamp.wall_us - word.uncertainty_us >= at_us
    return is_vouched or continuity.is_accounted_for(store, CAMERA, at_us)


def is_given_up(store: Store, stamp: Stamp, session: Session) -> bool:
    """Whether what is not counted of this lesson never will be: it is too long ago, by a clock that somebody
    answers for, less what it may be wrong by (I8)."""
    word = vouch(store, stamp)
    return word is not None and stamp.wall_us - word.uncertainty_us - session.planned_end_us > RECENT_US


class Rounds:
    """One lesson at a time, so that nothing waits for a round."""

    def __init__(self, judged_sessions: Callable[[Store, str, int], list[str]], room: str) -> None:
        """`judged_sessions`: store, room, ended after (UTC microseconds) → ids of judged lessons."""
        self._judged_sessions, self._room = judged_sessions, room
        self._waiting: deque[str] = deque()
        self._recent_ns: int | None = None
        self._all_ns: int | None = None

    def next(self, store: Store, stamp: Stamp) -> str | None:
        """The lesson whose turn it is; None when this round is over and the next has not begun."""
        now_ns = stamp.monotonic_ns
        if self._all_ns is None or now_ns - self._all_ns >= ALL_NS:
            self._all_ns = self._recent_ns = now_ns
            self._waiting = deque(self._judged_sessions(store, self._room, 0))
        elif self._recent_ns is None or now_ns - self._recent_ns >= RECENT_NS:
            self._recent_ns = now_ns
            recent = self._judged_sessions(store, self._room, stamp.wall_us - RECENT_US)
            self._waiting = deque(dict.fromkeys([*recent, *self._waiting]))
        return self._waiting.popleft() if self._waiting else None

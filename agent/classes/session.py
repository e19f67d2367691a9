"""When a lesson opens and closes: a pure function of plan, clock and people. One room at a time.

    planned ──► open ──► closed
       └──────► cancelled                     (both ends are final)

Check-ins belong to the open session, footage does not wait for it: the recorder follows its own plan, so a
wrong decision here never costs a picture (I11). At most one session of a room is open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from agent.store.classes import Session

MINUTE_US = 60_000_000

OpenReason = Literal["timetable", "people"]
CloseReason = Literal["planned_end", "next_session", "time_limit", "clock_was_wrong"]
CancelReason = Literal["not_held"]


@dataclass(frozen=True, slots=True)
class Pace:
    """Waiting times around the plan, in microseconds."""

    lead_us: int = 15 * MINUTE_US
    """So long before its start a lesson opens by itself: trainees who come early can check in."""
    early_us: int = 40 * MINUTE_US
    """So long before its start it opens when people are seen; longer would take the people of the lesson
    before for those of this one."""
    tail_us: int = 5 * MINUTE_US
    """It stays open so long after its planned end even when nobody is seen."""
    quiet_us: int = 10 * MINUTE_US
    """Nobody seen for so long means that the people have left; shorter would close on a missed count."""
    limit_us: int = 120 * MINUTE_US
    """However many people are seen, it closes so long after its planned end: cleaners are no lesson."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What is known now."""

    now_us: int
    clock: Literal["synchronised", "unsynchronised", "settling"]
    """`settling`: just booted and not synchronised yet; the wall clock may be days behind and is about to be
    put right, so nothing is decided by it."""
    people_ago_us: int | None
    """Since when nobody was seen (by the head count or at the door); None: nobody was seen for an hour."""


@dataclass(frozen=True, slots=True)
class Transition:
    """What shall happen to a session now."""

    session: Session
    to: Literal["open", "closed", "cancelled"]
    reason: OpenReason | CloseReason | CancelReason
    at_us: int


def decide(sessions: Sequence[Session], moment: Moment, pace: Pace = Pace()) -> list[Transition]:
    """Transitions due at `moment` among the undecided `sessions` of one room, in the order to apply them.

    `sessions` holds the open one and the planned ones that start within `pace.early_us` or did already.
    """
    if moment.clock == "settling":
        return []
    transitions: list[Transition] = []
    planned = sorted(
        (session for session in sessions if session.state == "planned"),
        key=lambda session: (session.planned_start_us, session.id),
    )
    running = next((session for session in sessions if session.state == "open"), None)
    if running is not None:
        transitions += _closing(running, planned, moment, pace)
    room_is_free = running is None or bool(transitions)
    for session in planned:
        if moment.now_us >= session.planned_end_us:
            # Never concluded from a doubtful clock: a wrong year would call off the whole term.
            if moment.clock == "synchronised":
                transitions.append(Transition(session, "cancelled", "not_held", moment.now_us))
        elif room_is_free and (reason := _opening(session, moment, pace)):
            transitions.append(Transition(session, "open", reason, moment.now_us))
            room_is_free = False
    return transitions


def _opening(session: Session, moment: Moment, pace: Pace) -> OpenReason | None:
    if moment.now_us >= session.planned_start_us - pace.lead_us:
        return "timetable"
    seen_now = moment.people_ago_us is not None and moment.people_ago_us < 2 * MINUTE_US
    if seen_now and moment.now_us >= session.planned_start_us - pace.early_us:
        return "people"
    return None


def _closing(running: Session, planned: Sequence[Session], moment: Moment, pace: Pace) -> list[Transition]:
    reason = _close_reason(running, planned, moment, pace)
    if reason is None:
        return []
    # After an outage the decision comes late; the lesson did not last until then.
    at_us = min(moment.now_us, running.planned_end_us + pace.limit_us)
    return [Transition(running, "closed", reason, at_us)]


def _close_reason(
    running: Session, planned: Sequence[Session], moment: Moment, pace: Pace
) -> CloseReason | None:
    now, end = moment.now_us, running.planned_end_us
    if now < end:
        # Opened under a clock that ran ahead; the right one must not keep the room blocked until then.
        was_wrong = moment.clock == "synchronised" and now < running.planned_start_us - pace.early_us
        return "clock_was_wrong" if was_wrong else None
    quiet = moment.people_ago_us is None or moment.people_ago_us >= pace.quiet_us
    if moment.clock != "synchronised" and not quiet:
        return None  # people in the room are better evidence of a lesson than a doubtful clock against it
    if any(now >= s.planned_start_us - pace.lead_us and now < s.planned_end_us for s in planned):
        return "next_session"
    if now >= end + pace.limit_us:
        return "time_limit"
    return "planned_end" if quiet and now >= end + pace.tail_us else None

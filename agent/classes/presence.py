"""What is known of one trainee's presence in one lesson: when surely, when perhaps, and why.

Whatever waits for people's word is held as two sets of time: the least and the most that it can come to. A
class hour is judged by both, and where they disagree it is undecided: never more certainty than there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from agent.classes.attendance_rules import AttendanceRules
from agent.classes.class_hours import MINUTE_US, ClassHour
from agent.store.attendance import NO_END, Looks, Stay
from agent.store.classes import Session

Reason = Literal[
    "pending", "pending_leaving", "suspicion", "impostor", "missed_spot_check", "void", "left_class",
    "correction", "video_not_judged", "video_not_whole", "after_examination", "made_up_here", "room_empty",
    "joined_later", "came_back",
]  # fmt: skip
"""Why a class hour counts as it does, where the check-in alone does not say it."""
Kept = Literal["attended", "late", "left_early", "absent"]
Spans = tuple[tuple[int, int], ...]
"""[from_us, until_us) each, apart, in order."""

NO_LOOKS: Final = Looks(None, None, ())


@dataclass(frozen=True, slots=True)
class Presence:
    """Of one trainee in one session. `sure` lies within `possible`."""

    sure: Spans = ()
    possible: Spans = ()
    void: bool = False
    reasons: tuple[Reason, ...] = ()
    simulated: bool = False


ABSENT: Final = Presence()


def presence(session: Session, stay: Stay | None, seen: Looks, rules: AttendanceRules) -> Presence:
    """By the rule that holds always: a check-in covers the session from that moment until the last check-out
    or the session's end, whatever the plan said."""
    if stay is None or session.opened_us is None:
        return ABSENT
    if stay.void:
        return Presence(void=True, reasons=("void",), simulated=stay.simulated)
    end_us = NO_END if session.closed_us is None else session.closed_us
    left_us = end_us if stay.left_us is None else min(stay.left_us, end_us)
    possible: Spans = ((stay.at_us, left_us),) if left_us > stay.at_us else ()
    sure, reasons = possible, list[Reason]()
    if stay.waiting_us is not None:
        possible = ((stay.waiting_us, left_us),) if left_us > stay.waiting_us else ()
        reasons.append("pending")
    if stay.is_pending or seen.doubt is not None:
        sure = ()
        reasons.append("pending" if stay.is_pending else seen.doubt or "suspicion")
    if seen.leaving_us is not None and seen.leaving_us < left_us:
        sure = without(sure, seen.leaving_us, NO_END)
        reasons.append("pending_leaving")
    for drawn_us, seen_us in seen.missed:
        reasons.append("missed_spot_check")
        if rules.missed_spot_check != "noted":
            sure = without(sure, drawn_us, seen_us or NO_END)
        if rules.missed_spot_check == "absent":
            possible = without(possible, drawn_us, seen_us or NO_END)
    return Presence(sure, possible, reasons=tuple(dict.fromkeys(reasons)), simulated=stay.simulated)


def in_a_room_with_people(there: Presence, empty: Sequence[tuple[int, int]]) -> Presence:
    """`there` less the stretches in which every picture showed an empty room: a check-in says who came, not
    who stayed. Perhaps they were where the camera does not see; people can tell by the recording."""
    sure = there.sure
    for from_us, until_us in empty:
        sure = without(sure, from_us, until_us)
    if sure == there.sure:
        return there
    return replace(there, sure=sure, reasons=(*there.reasons, "room_empty"))


def without(spans: Spans, from_us: int, until_us: int) -> Spans:
    """`spans` less [from_us, until_us)."""
    rest = []
    for start_us, end_us in spans:
        if start_us < min(end_us, from_us):
            rest.append((start_us, min(end_us, from_us)))
        if end_us > max(start_us, until_us):
            rest.append((max(start_us, until_us), end_us))
    return tuple(rest)


def within(spans: Spans, hour: ClassHour) -> Spans:
    """What of `spans` lies in a class hour."""
    clipped = ((max(start, hour.start_us), min(end, hour.end_us)) for start, end in spans)
    return tuple((start, end) for start, end in clipped if end > start)


def kept(spans: Sequence[tuple[int, int]], hour: ClassHour, rules: AttendanceRules) -> Kept:
    """What a class hour counts as for somebody who was there during `spans`, clipped to the hour.

    Too small a share is absent, however it came about; else who came late is `late` even if they left early,
    because one word must do.
    """
    present_us = sum(end - start for start, end in spans)
    if not spans or present_us * 100 < rules.attended_percent * (hour.end_us - hour.start_us):
        return "absent"
    if spans[0][0] - hour.start_us > rules.late_after_minutes * MINUTE_US:
        return "late"
    if hour.end_us - spans[-1][1] > rules.left_early_minutes * MINUTE_US:
        return "left_early"
    return "attended"

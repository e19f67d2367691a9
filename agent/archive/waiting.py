"""What a class hour waits for: its verdict for the rest of its pictures for a while, its lot for all of them.

Pictures that nobody counted at once are counted from the recording, or given up (agent.archive.catch_up).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from agent.archive.rounds import LATEST_US, is_given_up
from agent.archive.visibility_material import Material
from agent.classes.class_hours import ClassHour
from agent.clock import Stamp
from agent.recording.session_report import CAMERA
from agent.store import continuity, visibility
from agent.store.classes import Session
from agent.store.database import Store

ANEW_US: Final = 86_400_000_000
"""How long what was judged waits for pictures that are still to be counted, since it was stated last."""


class Counting(Protocol):
    """Who counts pictures afterwards, and of which class hours of a lesson, by number."""

    def awaited_hours(self, store: Store, session: Session) -> frozenset[int]:
        """Pictures are about to be counted."""
        ...

    def uncounted_hours(self, store: Store, session: Session) -> frozenset[int]:
        """Pictures are to be counted, whenever somebody can."""
        ...


class CountsNothing:
    """Nobody."""

    def awaited_hours(self, store: Store, session: Session) -> frozenset[int]:
        return frozenset()

    def uncounted_hours(self, store: Store, session: Session) -> frozenset[int]:
        return frozenset()


def awaited(
    counting: Counting, store: Store, stamp: Stamp, session: Session, hours: Sequence[ClassHour]
) -> frozenset[int]:
    """Of `hours`, the numbers of those that are not judged before the rest of their pictures is counted, as
    long as it may be: half an hour at the longest of what was never judged, a day of what was."""
    if not hours:
        return frozenset()
    stated_us = {each.hour: each.device.stated_us for each in visibility.verdicts_of(store, session.id)}

    def is_late(hour: ClassHour) -> bool:
        if hour.number not in stated_us:
            return stamp.wall_us >= hour.end_us + LATEST_US
        return not 0 <= stamp.wall_us - stated_us[hour.number] < ANEW_US

    in_time = {hour.number for hour in hours if not is_late(hour)}
    return counting.awaited_hours(store, session) & in_time if in_time else frozenset()


def undrawn(
    counting: Counting, store: Store, stamp: Stamp, material: Material, hours: Sequence[ClassHour]
) -> frozenset[int]:
    """Of `hours`, the numbers of those of which pictures are still to be counted, or to come, before any is
    drawn by lot."""
    asked = [hour for hour in hours if hour.number not in material.judged_before]
    if not asked or is_given_up(store, stamp, material.session):
        return frozenset()
    uncounted = counting.uncounted_hours(store, material.session)
    return frozenset(
        hour.number
        for hour in asked
        if hour.number in uncounted or not continuity.is_accounted_for(store, CAMERA, hour.end_us)
    )

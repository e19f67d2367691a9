"""What people's counts say of the device's bounds in one room, under one calibration (R6).

One unit is a class hour: errors last, so two pictures of one are not two pieces of evidence, and an hour is
violated when either is. Units are independent as far as nothing here can tell: other people, other clothes,
other light, on several days.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from agent.classes.class_hours import ClassHour
from agent.evidence.stated import Stated
from agent.store import trust, visibility
from agent.store.calibration import RoomCalibration, calibration_of
from agent.store.classes import Session
from agent.store.database import Store
from agent.store.trust import CountCheck
from agent.store.undrawn import undrawn_sessions
from agent.visibility.asked_hours import CountedHour, asked_and_spoilt, edited
from agent.visibility.blindness import unjudged_hours
from agent.visibility.orders import EndReason, spoilt_orders, trusts
from agent.visibility.trust_bound import CONFIDENCE, upper_bound

ANSWERED: Final = 0.9
"""Share of the class hours asked for that must have been counted, up to the last one counted: whoever could
leave out the full ones would choose the evidence."""
ANEW_AFTER: Final[tuple[EndReason, ...]] = ("camera_moved", "camera_changed")
"""Ends of an order after which old counts earn no other, though the same calibration is in force again."""

EVER_US: Final = 2**62
"""No lesson begins later."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Of one room under the calibration in force."""

    calibration: RoomCalibration | None
    """None: never calibrated, or the camera was moved since; then there is no evidence either."""
    camera: str | None
    hours: tuple[CountedHour, ...] = ()
    """All that were asked for, in the order of time."""
    before: tuple[CountedHour, ...] = ()
    """Those under the same calibration, detector and camera that prove nothing, but may disprove."""
    owed: tuple[CountedHour, ...] = ()
    """Those that an order bore on other ground, still to be counted: it may yet prove wrong."""
    partial: tuple[CountedHour, ...] = ()
    """Those of lessons of which some class hours are handed in and others wait, to be counted or judged: what
    the device found in them is told to nobody, in no number either, and no order is given before they are
    whole."""
    unjudged: tuple[ClassHour, ...] = ()
    """Those of which nothing was stated yet, their drawn footage is away perhaps: asked for and unanswered as
    long as that lasts. Else whoever hid the files of some for a fortnight chose the evidence."""
    edited: tuple[str, ...] = ()
    """Photos of which count, picture or verdict is not in the database as it was stated, and what was stated
    since the calibration and lacks something: its kind."""

    @property
    def counted(self) -> list[CountedHour]:
        """Hours that people counted."""
        return [each for each in self.hours if each.is_counted]

    @property
    def claimed(self) -> list[CountedHour]:
        """Of those the ones that the device would call shown: an empty room, or a bound that says nothing, is
        never wrong."""
        return [each for each in self.counted if each.proposed == "shown"]

    @property
    def days(self) -> int:
        return len({each.day for each in self.claimed})

    @property
    def lower_violated(self) -> list[CountedHour]:
        """Any single count says so, whatever else of its hour was counted."""
        return [each for each in (*self.before, *self.hours) if any(look.is_low for look in each.looks)]

    @property
    def disputed(self) -> list[CountedHour]:
        """Of those the ones that HR state to be mistyped."""
        return [each for each in self.lower_violated if each.is_disputed]

    @property
    def upper_violated(self) -> list[CountedHour]:
        return [each for each in (*self.before, *self.hours) if any(look.is_high for look in each.looks)]

    @property
    def would_be_shown(self) -> int:
        return len(self.claimed)

    def people(self, hours: int) -> int:
        """So many people, or more, were expected in `hours` of `claimed`; 0 with fewer."""
        expected = sorted((each.expected for each in self.claimed), reverse=True)
        return expected[hours - 1] if 0 < hours <= len(expected) else 0

    @property
    def asked(self) -> int:
        """Class hours asked for up to the last one that was counted, and those before it not judged."""
        last = max((n for n, each in enumerate(self.hours) if each.is_counted), default=-1)
        return last + 1 + len(self.away)

    @property
    def away(self) -> list[ClassHour]:
        """Those that are not judged, though later ones were counted."""
        last_us = max((int(each.asked.data["start_us"]) for each in self.counted), default=0)
        return [each for each in self.unjudged if each.start_us < last_us]

    @property
    def answered(self) -> float:
        """Share of `asked` that was counted; 1 when nothing was asked."""
        return len(self.counted) / self.asked if self.asked else 1.0

    @property
    def waiting(self) -> list[CountedHour]:
        """Class hours to be counted, the room's present ground first."""
        return [each for each in (*self.listed, *self.before, *self.owed) if each.waits]

    @property
    def listed(self) -> list[CountedHour]:
        """All that are or will be evidence, in the order of time."""
        return sorted((*self.hours, *self.partial), key=lambda each: int(each.asked.data["start_us"]))

    @property
    def bound(self) -> float:
        """Upper bound of the rate of class hours whose lower bound is too high, 0..1."""
        violated = len(self.lower_violated)
        return upper_bound(violated, max(violated, len(self.claimed)))

    @property
    def simulated(self) -> bool:
        return any(each.asked.simulated for each in self.claimed)

    def ends(self) -> list[int]:
        """When its class hours ended, UTC microseconds."""
        return [int(each.asked.data["end_us"]) for each in (*self.before, *self.listed)]

    def checks(self) -> list[CountCheck]:
        """The counts that it rests on."""
        return [look.check for each in self.claimed for look in each.looks if look.check is not None]

    def as_data(self) -> dict[str, Any]:
        """For the record `room.trusted`."""
        return {
            "hours": len(self.counted),
            "days": self.days,
            "asked": self.asked,
            "lower_violated": len(self.lower_violated),
            "lower_disputed": len(self.disputed),
            "upper_violated": len(self.upper_violated),
            "would_be_shown": self.would_be_shown,
            "bound": round(self.bound, 6),
            "confidence": CONFIDENCE,
        }


def evidence_of(store: Store, room: str) -> Evidence:
    """What stands now. Class hours of lessons that began before the calibration say nothing: the same people
    sat there when it was fitted. Nor do those from before an order ended because the camera was moved or
    another, though that was undone since."""
    made, camera = calibration_of(store, room), trust.newest_camera(store, room)
    ground = None if made is None or camera is None else (made.id, made.detector, camera)
    every, spoilt = asked_and_spoilt(store)
    asked = [each for each in every if each.ground == ground]
    ends = [each.ended_us or 0 for each in trusts(store, room) if each.end_reason in ANEW_AFTER]
    unjudged = {
        session: hours for session in _unfinished(store, room) if (hours := unjudged_hours(store, session))
    }
    waiting = {each.asked.session_id for each in asked if each.waits} | {each.id for each in unjudged}
    partly = waiting & {each.asked.session_id for each in asked if each.is_handed_in}
    whole = [each for each in asked if each.asked.session_id not in partly]
    since_us = max((0 if made is None else made.at_us), *ends, 0)
    return Evidence(
        made,
        camera,
        tuple(each for each in whole if each.lesson_us >= since_us),
        tuple(each for each in whole if each.lesson_us < since_us),
        tuple(each for each in every if each.ground != ground and each.borne_by),
        tuple(each for each in asked if each.asked.session_id in partly),
        tuple(
            hour
            for session, hours in unjudged.items()
            if session.planned_start_us >= since_us
            for hour in hours
        ),
        edited(store, asked) + spoilt_since(store, made, spoilt),
    )


def _unfinished(store: Store, room: str) -> list[Session]:
    """Lessons of which a class hour may be unjudged, in the order of time."""
    found = visibility.sessions_to_judge(store, room, EVER_US, -1) + undrawn_sessions(store, room)
    return sorted({each.id: each for each in found}.values(), key=lambda each: each.planned_start_us)


def spoilt_since(store: Store, made: RoomCalibration | None, spoilt: Sequence[Stated]) -> tuple[str, ...]:
    """Of `spoilt` statements and orders the kinds of those since the calibration: a new one begins anew."""
    since_us = 0 if made is None else made.at_us
    every = [*spoilt, *spoilt_orders(store)]
    return tuple(each.kind.value for each in every if each.at_us >= since_us)

"""What people's counts say of the device's bounds in one room, under one calibration (R6).

One unit is a class hour: errors last, so two pictures of one are not two pieces of evidence, and an hour is
violated when either is. Units are independent as far as nothing here can tell: other people, other clothes,
other light, on several days.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from agent.store import trust
from agent.store.calibration import RoomCalibration, calibration_of
from agent.store.database import Store
from agent.store.trust import AskedHour, CountCheck, DrawnPicture
from agent.visibility.trust_bound import CONFIDENCE, upper_bound

ANSWERED: Final = 0.9
"""Share of the class hours asked for that must have been counted, up to the last one counted: whoever could
leave out the full ones would choose the evidence."""
AS_MANY: Final = 10
"""An order holds for classes as large as so many of its class hours had, and no larger."""
ZONE: Final = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True, slots=True)
class Look:
    """A drawn picture and its count."""

    picture: DrawnPicture
    check: CountCheck | None
    is_kept: bool

    @property
    def people(self) -> int | None:
        return None if self.check is None else self.check.people

    @property
    def is_low(self) -> bool:
        """Whether the device's lower bound lies above what was counted."""
        return self.people is not None and self.picture.lower > self.people

    @property
    def is_high(self) -> bool:
        """Whether its upper bound lies below."""
        return self.people is not None and self.picture.upper < self.people


@dataclass(frozen=True, slots=True)
class CountedHour:
    """A class hour that was asked for."""

    asked: AskedHour
    looks: tuple[Look, ...]

    @property
    def is_handed_in(self) -> bool:
        """Whether what was counted was stated: final, and open to everybody."""
        return any(look.check is not None for look in self.looks)

    @property
    def waits(self) -> bool:
        """Whether its pictures wait to be counted."""
        return not self.is_handed_in and any(look.is_kept for look in self.looks)

    @property
    def is_counted(self) -> bool:
        """Whether it is evidence: each picture was looked at, and one was counted."""
        return all(look.check is not None for look in self.looks) and any(
            look.people is not None for look in self.looks
        )

    @property
    def day(self) -> date:
        return datetime.fromtimestamp(self.asked.data["start_us"] / 1e6, UTC).astimezone(ZONE).date()

    @property
    def proposed(self) -> str:
        """What the device says, or would say."""
        return str((self.asked.data["proposal"] or self.asked.data)["verdict"])


@dataclass(frozen=True, slots=True)
class Evidence:
    """Of one room under the calibration in force."""

    calibration: RoomCalibration | None
    """None: never calibrated, or the camera was moved since; then there is no evidence either."""
    camera: str | None
    hours: tuple[CountedHour, ...] = ()
    """All that were asked for, in the order of time."""
    edited: tuple[str, ...] = ()
    """Counts and drawn pictures whose rows are not what was stated of them, or are gone."""
    owed: tuple[CountedHour, ...] = ()
    """Class hours that an order bore under an earlier calibration, still to be counted: it may yet prove
    wrong."""

    @property
    def counted(self) -> list[CountedHour]:
        return [each for each in self.hours if each.is_counted]

    @property
    def claimed(self) -> list[CountedHour]:
        """Those counted in which the device makes the claim that counts: an empty room, or a bound that says
        nothing, proves nothing of it."""
        return [each for each in self.counted if each.proposed == "shown"]

    @property
    def people(self) -> int:
        """So many trainees were expected in at least `AS_MANY` of `claimed`; 0 with fewer."""
        expected = sorted((int(each.asked.data["expected"] or 0) for each in self.claimed), reverse=True)
        return expected[AS_MANY - 1] if len(expected) >= AS_MANY else 0

    @property
    def days(self) -> int:
        return len({each.day for each in self.claimed})

    @property
    def lower_violated(self) -> list[CountedHour]:
        return [each for each in self.hours if any(look.is_low for look in each.looks)]

    @property
    def upper_violated(self) -> list[CountedHour]:
        return [each for each in self.hours if any(look.is_high for look in each.looks)]

    @property
    def would_be_shown(self) -> int:
        return len(self.claimed)

    @property
    def asked(self) -> int:
        """Class hours asked for up to the last one that was counted."""
        last = max((n for n, each in enumerate(self.hours) if each.is_counted), default=-1)
        return last + 1

    @property
    def answered(self) -> float:
        """Share of `asked` that was counted; 1 when nothing was asked."""
        return len(self.counted) / self.asked if self.asked else 1.0

    @property
    def waiting(self) -> list[CountedHour]:
        return [each for each in (*self.hours, *self.owed) if each.waits]

    @property
    def bound(self) -> float:
        """Upper bound of the share of class hours called shown whose lower bound is too high, 0..1."""
        wrong = {id(each) for each in self.lower_violated}
        return upper_bound(len(wrong), len(wrong | {id(each) for each in self.claimed}))

    @property
    def simulated(self) -> bool:
        return any(each.asked.simulated for each in self.counted)

    def checks(self) -> list[CountCheck]:
        """The counts that it rests on."""
        return [look.check for each in self.counted for look in each.looks if look.check is not None]

    def as_data(self) -> dict[str, Any]:
        """For the record `room.trusted`."""
        return {
            "hours": len(self.counted),
            "days": self.days,
            "asked": self.asked,
            "lower_violated": len(self.lower_violated),
            "upper_violated": len(self.upper_violated),
            "would_be_shown": self.would_be_shown,
            "bound": round(self.bound, 6),
            "confidence": CONFIDENCE,
        }


def evidence_of(store: Store, room: str) -> Evidence:
    """What stands now. Class hours of lessons that began before the calibration say nothing: the same people
    sat there when it was fitted."""
    made, camera = calibration_of(store, room), trust.newest_camera(store, room)
    if made is None:
        return Evidence(None, camera, owed=_owed(store, room, None))
    asked = [
        each
        for each in trust.asked_hours(store, room, made.at_us)
        if (each.data["calibration"], each.data["detector"], each.data["camera"])
        == (made.id, made.detector, camera)
    ]
    hours = tuple(_hour(store, group) for group in _by_hour(asked))
    facts = trust.count_facts(store, trust.judged_lessons(store, room, made.at_us))
    edited = (*(check.id for hour in hours for check in _edited(hour.looks, facts)), *_gone(store, facts))
    return Evidence(made, camera, hours, edited, _owed(store, room, made.id))


def _owed(store: Store, room: str, calibration: int | None) -> tuple[CountedHour, ...]:
    borne = [
        each
        for each in trust.asked_hours(store, room, 0)
        if each.data["trust"] is not None and each.data["calibration"] != calibration
    ]
    return tuple(_hour(store, group) for group in _by_hour(borne))


def _gone(store: Store, facts: Mapping[str, Mapping[str, Any]]) -> Iterable[str]:
    """Counts and drawn pictures that were stated and have no row."""
    for identifier, fact in facts.items():
        photo = fact["photo"]
        check = trust.check_of(store, photo) if "check_id" in fact else None
        is_count_gone = "check_id" in fact and (check is None or check.id != identifier)
        if is_count_gone or trust.drawn(store, photo) is None:
            yield identifier


def _by_hour(asked: Sequence[AskedHour]) -> Iterable[list[AskedHour]]:
    """Several verdicts of one class hour are one."""
    found: dict[tuple[str, int], list[AskedHour]] = {}
    for each in asked:
        found.setdefault((each.session_id, each.hour), []).append(each)
    return found.values()


def _hour(store: Store, group: Sequence[AskedHour]) -> CountedHour:
    looks = tuple(
        Look(picture, trust.check_of(store, picture.photo_id), trust.is_kept(store, picture.photo_id))
        for asked in group
        for picture in trust.drawn_of(store, asked.verdict_id)
    )
    return CountedHour(group[-1], looks)


def _edited(looks: Iterable[Look], facts: Mapping[str, Mapping[str, Any]]) -> Iterable[CountCheck]:
    """Counts of which row, statement and the device's own statement of the picture do not agree."""
    for look in looks:
        picture = look.picture
        stated = facts.get(picture.photo_id, {})
        bounds = stated.get("lower"), stated.get("upper"), stated.get("at_us")
        check = look.check
        fact = None if check is None else facts.get(check.id)
        if check is not None and (
            fact is None
            or fact != check.data
            or (fact["people"], fact["photo"]) != (check.people, check.photo_id)
            or (fact["lower"], fact["upper"]) != (picture.lower, picture.upper)
            or bounds != (picture.lower, picture.upper, picture.at_us)
        ):
            yield check

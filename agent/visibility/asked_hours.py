"""The class hours of which pictures were drawn by lot, and what people counted in them, as stated (R6).

Everything is taken from the statements; rows are held against them only to say that somebody edited them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from agent.evidence.stated import Stated, stated
from agent.store import records, trust, visibility
from agent.store.database import Store
from agent.store.facts import FactType
from agent.store.trust import AskedHour, CountCheck, DrawnPicture
from agent.visibility.whole_statements import is_whole

ZONE: Final = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True, slots=True)
class Look:
    """A drawn picture and its count."""

    picture: DrawnPicture
    check: CountCheck | None
    is_kept: bool
    again: tuple[CountCheck, ...] = ()
    """Later counts of the same picture, which nobody can make without editing the database; each can only
    speak against the device."""
    second: CountCheck | None = None
    """What HR stated when the first was mistyped: it speaks against the device as any, for it never."""

    @property
    def people(self) -> int | None:
        return None if self.check is None else self.check.people

    @property
    def is_low(self) -> bool:
        """Whether the device's lower bound lies above what was counted."""
        return self.picture.lower > min(self._counted(), default=self.picture.lower)

    @property
    def is_high(self) -> bool:
        """Whether its upper bound lies below."""
        return self.picture.upper < max(self._counted(), default=self.picture.upper)

    def violating(self) -> str | None:
        """Id of the first count outside the device's bounds."""
        return next(iter(self.violations()), None)

    def violations(self) -> list[str]:
        """Ids of all of them."""
        return [
            each.id
            for each in self._checks()
            if each.people is not None and not self.picture.lower <= each.people <= self.picture.upper
        ]

    @property
    def is_disputed(self) -> bool:
        """Whether the lower bound lies above the first count, and HR state that it was mistyped."""
        second = None if self.second is None else self.second.people
        return self.is_low and not self.again and second is not None and second >= self.picture.lower

    def _counted(self) -> list[int]:
        return [each.people for each in self._checks() if each.people is not None]

    def _checks(self) -> list[CountCheck]:
        return [each for each in (self.check, *self.again, self.second) if each is not None]


@dataclass(frozen=True, slots=True)
class CountedHour:
    """A class hour that was asked for."""

    asked: AskedHour
    looks: tuple[Look, ...]
    lesson_us: int
    """When the first class hour of its lesson that was judged began."""
    borne_by: frozenset[str]
    """Orders on which a verdict of it rested, ever."""
    is_taken_back: bool
    """Its rows may be lost."""

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
        """Whether each picture was looked at, and one was counted."""
        return all(look.check is not None for look in self.looks) and any(
            look.people is not None for look in self.looks
        )

    @property
    def is_counted_again(self) -> bool:
        """Whether a second count was stated."""
        return any(look.second is not None for look in self.looks)

    @property
    def is_disputed(self) -> bool:
        """Whether its lower bounds are too high by counts alone that HR state to be mistyped."""
        low = [look for look in self.looks if look.is_low]
        return bool(low) and all(look.is_disputed for look in low)

    def violations(self) -> list[str]:
        """Ids of its counts outside the device's bounds."""
        return [each for look in self.looks for each in look.violations()]

    @property
    def day(self) -> date:
        return datetime.fromtimestamp(self.asked.data["start_us"] / 1e6, UTC).astimezone(ZONE).date()

    @property
    def proposed(self) -> str:
        """What the device says, or would say."""
        return str((self.asked.data["proposal"] or self.asked.data)["verdict"])

    @property
    def expected(self) -> int:
        """People expected; 0 where nobody knows."""
        return int(self.asked.data["expected"] or 0)

    @property
    def ground(self) -> tuple[int, str, str]:
        """Calibration, detector and camera under which it was seen."""
        data = self.asked.data
        return data["calibration"], data["detector"], data["camera"]


def asked_hours(store: Store) -> list[CountedHour]:
    """All of them, in the order of time. Several verdicts of one class hour are one."""
    return asked_and_spoilt(store)[0]


def asked_and_spoilt(store: Store) -> tuple[list[CountedHour], list[Stated]]:
    """The same, and the statements that lack something, so that they are in none."""
    judged: dict[tuple[str, int], list[Stated]] = {}
    counts: dict[str, dict[str, Stated]] = {}
    begins: dict[str, int] = {}
    spoilt: list[Stated] = []
    for each in stated(store, FactType.VISIBILITY_JUDGED, FactType.PEOPLE_COUNTED):
        if not is_whole(each):
            spoilt.append(each)
            continue
        if each.kind == FactType.PEOPLE_COUNTED:
            counts.setdefault(each.data["photo"], {}).setdefault(each.data["check_id"], each)
            continue
        judged.setdefault((each.subject, each.data["hour"]), []).append(each)
        start_us = each.data["start_us"]
        begins[each.subject] = min(start_us, begins.get(each.subject, start_us))
    found = [
        _hour(store, group, counts, begins[subject])
        for (subject, _), group in judged.items()
        if any(each.data["drawn"] for each in group)
    ]
    found.sort(key=lambda hour: (hour.asked.data["start_us"], hour.asked.verdict_id))
    return found, spoilt


def counted_hour(store: Store, session_id: str, hour: int) -> CountedHour | None:
    """One of them."""
    found = (each for each in asked_hours(store) if each.asked.session_id == session_id)
    return next((each for each in found if each.asked.hour == hour), None)


def _hour(
    store: Store, group: Sequence[Stated], counts: dict[str, dict[str, Stated]], lesson_us: int
) -> CountedHour:
    drawn = [each for each in group if each.data["drawn"]]
    looks: dict[str, Look] = {}
    for each in drawn:
        for entry in each.data["drawn"]:
            photo = entry["photo"]
            stated_of_it = list(counts.get(photo, {}).values())
            checks = [_check(each) for each in stated_of_it if not each.data.get("corrects")]
            seconds = [_check(each) for each in stated_of_it if each.data.get("corrects")]
            if not checks or (seconds and seconds[0].data["corrects"] != checks[0].id):
                checks, seconds = checks + seconds, []
            looks[photo] = Look(
                DrawnPicture(
                    each.data["verdict_id"],
                    entry["run"],
                    entry["sequence"],
                    entry["pts_ticks"],
                    photo,
                    entry["at_us"],
                    entry["lower"],
                    entry["upper"],
                ),
                checks[0] if checks else None,
                trust.is_kept(store, photo),
                tuple(checks[1:] + seconds[1:]),
                seconds[0] if seconds else None,
            )
    last = drawn[-1]
    asked = AskedHour(
        last.data["verdict_id"],
        last.session_id or "",
        last.class_id or "",
        last.data["hour"],
        last.simulated,
        last.data,
    )
    borne_by = frozenset(each.data["trust"] for each in group if each.data["trust"] is not None)
    return CountedHour(
        asked, tuple(looks.values()), lesson_us, borne_by, any(each.is_taken_back for each in drawn)
    )


def _check(count: Stated) -> CountCheck:
    data = count.data
    return CountCheck(data["check_id"], data["photo"], data["people"], count.at_us, data)


def edited(store: Store, hours: Sequence[CountedHour]) -> tuple[str, ...]:
    """Photos of which picture, verdict or count do not stand in the database as they were stated. What was
    taken back from the log may have no row any more; what is there must still be the same."""
    restored = records.last_of_type(store, FactType.DATABASE_RESTORED)
    restored_us = 0 if restored is None else restored.time_us
    return tuple(
        look.picture.photo_id
        for hour in hours
        for look in hour.looks
        if look.again or any(_differences(store, hour, look, restored_us))
    )


def _differences(store: Store, hour: CountedHour, look: Look, restored_us: int) -> Iterator[bool]:
    photo, may_miss = look.picture.photo_id, hour.is_taken_back
    drawn, check = trust.drawn(store, photo), trust.check_of(store, photo)
    yield drawn != look.picture and not (drawn is None and may_miss)
    verdict = visibility.verdict(store, look.picture.verdict_id)
    if verdict is None:
        yield not may_miss
    elif verdict.id == hour.asked.verdict_id:
        yield any(hour.asked.data.get(key) != value for key, value in verdict.data.items())
    if check is None:
        yield look.check is not None and not may_miss
    elif look.check is None:
        # A snapshot may hold a count of which the copies of the log had not heard when all else was lost.
        yield check.counted_us >= restored_us
    else:
        stated_of_it = (look.check.id, look.check.people, look.check.data)
        yield (check.id, check.people, check.data) != stated_of_it

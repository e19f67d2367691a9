"""What lies on the disk: counted segment by segment, a piece at a time, and left on the board for the page.

Counting three years of segments takes a Pi seconds, so it is done once an hour by the archive and not by
whoever opens the page.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from agent import board
from agent.archive import expiry, unscheduled
from agent.archive.entitlement import Due, Entitlement, Judgement, local_day, midnight_us
from agent.archive.forecast import Load, full_day, kbit_that_fits
from agent.clock import Stamp
from agent.settings import Settings
from agent.store import retention as table
from agent.store import storage_use
from agent.store.clock import Corrections
from agent.store.database import Store
from drivers.disk import DiskError, space

SHOWN_DAYS = 60
HISTORY_DAYS = 28
NEXT_SHOWN = 8
STRETCHES_SHOWN = 100
FILE = "storage.json"


@dataclass
class Amount:
    """Footage of a class, a day, or all."""

    segments: int = 0
    bytes: int = 0
    seconds: float = 0.0

    def add(self, held: table.Held) -> None:
        self.segments += 1
        self.bytes += held.size
        self.seconds += (held.end_us - held.start_us) / 1e6

    def as_json(self) -> dict[str, Any]:
        return {"segments": self.segments, "bytes": self.bytes, "hours": round(self.seconds / 3600, 3)}


@dataclass
class Count:
    """One pass over the index."""

    rules: Entitlement
    total: Amount = field(default_factory=Amount)
    classes: defaultdict[tuple[str, ...], Amount] = field(default_factory=lambda: defaultdict(Amount))
    judged: dict[tuple[str, ...], Judgement] = field(default_factory=dict)
    """The last judgement of each group of classes; those of no lesson differ and are in `dues` alone."""
    days: defaultdict[date, Amount] = field(default_factory=lambda: defaultdict(Amount))
    dues: defaultdict[tuple[date, str, tuple[str, ...]], Amount] = field(
        default_factory=lambda: defaultdict(Amount)
    )
    no_lesson: list[tuple[table.Held, int]] = field(default_factory=list)
    """Footage of no lesson and when it may go; a month's at most."""
    _after: tuple[str, int] = table.START
    is_over: bool = False

    def step(self, store: Store) -> None:
        """The next piece."""
        chunk = table.segments_after(store, self._after)
        if not chunk:
            self.is_over = True
            return
        self._after = chunk[-1].key
        corrections = Corrections.of(store, {held.boot_id for held in chunk})
        for held in chunk:
            if held.expired_us is not None:
                continue
            judged = expiry.judge(store, self.rules, held, corrections)
            self.total.add(held)
            self.days[local_day(held.start_us)].add(held)
            self.classes[judged.classes].add(held)
            self.judged[judged.classes] = judged
            if isinstance(judged, Due):
                self.dues[local_day(judged.due_us), judged.basis, judged.classes].add(held)
                if judged.basis == "no_session":
                    self.no_lesson.append((held, judged.due_us))

    def freed_by_day(self) -> dict[date, int]:
        """Bytes that retention frees, by day."""
        found: defaultdict[date, int] = defaultdict(int)
        for (day, _, _), amount in self.dues.items():
            found[day] += amount.bytes
        return found


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the count means. Bytes, UTC microseconds."""

    free_bytes: int | None
    """What the recorder may still write; None when the disk is away."""
    disk_bytes: int | None
    load: Load | None
    """None before anything was recorded."""
    full_us: int | None
    """None: not within ten years, or unknown."""
    kbit_now: float | None
    kbit_that_lasts: float | None
    """With which the footage of the timetable would fit until the day when space comes free; None unless it
    is short."""


def weekly_hours(count: Count, planned: dict[date, float], today: date) -> float:
    """Hours a week: of the last four weeks (fewer on a new device), or of the timetable if more."""
    since = today - timedelta(days=HISTORY_DAYS)
    recorded = sum(amount.seconds for day, amount in count.days.items() if day > since) / 3600
    ahead = sum(hours for day, hours in planned.items() if day < today + timedelta(days=HISTORY_DAYS))
    return max(recorded / days_observed(count, today), ahead / HISTORY_DAYS) * 7


def days_observed(count: Count, today: date) -> int:
    """Over how many days footage can be averaged, 1..HISTORY_DAYS."""
    first = min((day for day in count.days if day <= today), default=today)
    return min(HISTORY_DAYS, (today - first).days + 1)


def planned_hours(store: Store, settings: Settings, now_us: int) -> dict[date, float]:
    """Hours by day that the timetable asks for, pre-roll and post-roll included."""
    roll_h = (settings.recording.pre_roll_seconds + settings.recording.post_roll_seconds) / 3600
    found: defaultdict[date, float] = defaultdict(float)
    for start_us, end_us in storage_use.planned_sessions(store, settings.node.room, now_us):
        begin_us = max(start_us, now_us)
        found[local_day(start_us)] += (end_us - begin_us) / 3.6e9 + roll_h
    return dict(found)


def outlook(store: Store, settings: Settings, count: Count, stamp: Stamp) -> Outlook:
    """When the disk is full, from the timetable and the measured bytes an hour."""
    today = local_day(stamp.wall_us)
    try:
        disk = space(settings.storage.video)
    except DiskError:
        return Outlook(None, None, None, None, None, None)
    free = max(0, disk.free_bytes - (settings.storage.minimum_free_mib << 20))
    rate = storage_use.recent_rate(store)
    if rate is None:
        return Outlook(free, disk.total_bytes, None, None, None, None)
    planned = planned_hours(store, settings, stamp.wall_us)
    load = Load(rate.bytes_per_hour, weekly_hours(count, planned, today))
    freed = count.freed_by_day()
    full = full_day(free, load, today, planned_hours=planned, freed_bytes=freed)
    kbit = rate.bytes_per_hour * 8 / 3600 / 1000
    fits = None
    if full is not None:
        relief = next((day for day in sorted(freed) if day > full), full + timedelta(days=365))
        hours = (relief - today).days / 7 * load.hours_per_week
        fits = kbit_that_fits(free, hours)
    return Outlook(free, disk.total_bytes, load, midnight_us(full) if full else None, kbit, fits)


def summary(store: Store, settings: Settings, count: Count, stamp: Stamp) -> dict[str, Any]:
    """What page and console show, as JSON; ids only."""
    seen = outlook(store, settings, count, stamp)
    first = local_day(stamp.wall_us) - timedelta(days=SHOWN_DAYS - 1)
    days = [first + timedelta(days=number) for number in range(SHOWN_DAYS)]
    classes = sorted(count.classes.items(), key=lambda item: -item[1].bytes)
    copies = []
    for copy in settings.copies:
        held = store.row(
            "SELECT count(*) AS n, coalesce(max(verified_us), 0) AS last FROM segment_copy"
            " WHERE copy = ? AND expired_us IS NULL",
            (copy.name,),
        )
        copies.append(
            {
                "copy": copy.name,
                "custodian": copy.custodian,
                "segments": 0 if held is None else held["n"],
                "verified_us": (held["last"] or None) if held is not None else None,
            }
        )
    return {
        "at_us": stamp.wall_us,
        "free_bytes": seen.free_bytes,
        "disk_bytes": seen.disk_bytes,
        "bytes_per_hour": round(seen.load.bytes_per_hour) if seen.load else None,
        "kbit_per_second": round(seen.kbit_now) if seen.kbit_now else None,
        "kbit_that_lasts": round(seen.kbit_that_lasts) if seen.kbit_that_lasts else None,
        "hours_per_week": round(seen.load.hours_per_week, 2) if seen.load else None,
        "full_us": seen.full_us,
        "total": count.total.as_json(),
        "days": [{"day": day.isoformat(), **count.days[day].as_json()} for day in days],
        "classes": [
            {"classes": list(ids), **_until(count.judged[ids], ids), **amount.as_json()}
            for ids, amount in classes
        ],
        "next": [
            {"day": day.isoformat(), "basis": basis, "classes": list(ids), **amount.as_json()}
            for (day, basis, ids), amount in sorted(count.dues.items())[:NEXT_SHOWN]
        ],
        "no_lesson": [
            unscheduled.as_json(store, stretch)
            for stretch in _soonest(unscheduled.stretches(store, count.no_lesson))
        ],
        "copies": copies,
    }


def _soonest(stretches: list[unscheduled.Stretch]) -> list[unscheduled.Stretch]:
    return sorted(stretches, key=lambda each: each.due_us)[:STRETCHES_SHOWN]


def _until(judged: Judgement, classes: tuple[str, ...]) -> dict[str, Any]:
    if isinstance(judged, Due):
        return {"due_us": judged.due_us if classes else None, "why": judged.basis}
    return {"due_us": None, "why": judged.why}


def publish(runtime: Path, content: dict[str, Any]) -> None:
    """Leave the summary on the board. OSError."""
    board.write_json(runtime / FILE, content)


def read(runtime: Path) -> dict[str, Any] | None:
    """The summary on the board; None before the first count, or when it is unreadable."""
    try:
        return board.read_json(runtime / FILE)
    except (OSError, ValueError):
        return None

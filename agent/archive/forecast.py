"""Arithmetic of storage: what a timetable needs, and on which day a disk is full. Pure; bytes and days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

WEEKS_A_YEAR = 365.25 / 7
LOOK_AHEAD_DAYS = 3653
"""Ten years: a disk that lasts longer lasts longer than anything on it."""
DISK_SIZES_TB = (0.5, 1, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24)
"""What shops sell, in their terabytes of 10^12 bytes."""


@dataclass(frozen=True, slots=True)
class Load:
    """What is recorded."""

    bytes_per_hour: float
    """Of one camera."""
    hours_per_week: float
    cameras: int = 1

    @property
    def bytes_per_week(self) -> float:
        return self.bytes_per_hour * self.hours_per_week * self.cameras

    def bytes_in(self, years: float) -> float:
        """Footage of so many years."""
        return self.bytes_per_week * WEEKS_A_YEAR * years


def bytes_per_hour(kbit_per_second: float) -> float:
    """1000 bit a second and kilobit, as cameras state it."""
    return kbit_per_second * 1000 / 8 * 3600


def kbit_per_second(bytes_per_hour_: float) -> float:
    """The other way round."""
    return bytes_per_hour_ * 8 / 1000 / 3600


def full_day(
    free_bytes: float,
    load: Load,
    today: date,
    *,
    planned_hours: Mapping[date, float],
    freed_bytes: Mapping[date, int],
) -> date | None:
    """The first day on which the disk cannot hold what is recorded; None within ten years.

    Up to the timetable's last day its own hours count, afterwards the weekly average. `freed_bytes`: what
    retention deletes on a day, of what is held now. What is recorded from now on and is
    past its time by then is not counted as freed: the day is rather too early than too late.
    """
    last_planned = max(planned_hours, default=today)
    daily = load.bytes_per_week / 7
    for number in range(LOOK_AHEAD_DAYS):
        day = today + timedelta(days=number)
        if day <= last_planned:
            free_bytes -= planned_hours.get(day, 0.0) * load.bytes_per_hour * load.cameras
        else:
            free_bytes -= daily
        free_bytes += freed_bytes.get(day, 0)
        if free_bytes < 0:
            return day
    return None


def disk_to_buy(needed_bytes: float) -> float | None:
    """The smallest disk on sale, in TB, that holds `needed_bytes` with a tenth to spare; None: more than one
    disk, one after the other (`classroom-agent volumes`)."""
    return next((size for size in DISK_SIZES_TB if size * 1e12 >= needed_bytes * 1.1), None)


def kbit_that_fits(free_bytes: float, hours: float) -> float | None:
    """The bitrate with which `hours` of one camera fit into `free_bytes`; None without hours."""
    return kbit_per_second(free_bytes / hours) if hours > 0 else None

"""The storage planner: what the policy needs, whether the disk suffices, and what to buy. In plain words."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from agent.archive import forecast
from agent.archive.entitlement import local_day
from agent.archive.expiry import years_in_force
from agent.archive.forecast import Load
from agent.archive.usage import Count, days_observed, planned_hours, weekly_hours
from agent.classes.rules import rules_of
from agent.clock import Stamp
from agent.policy import Policies, PolicyError, load_policies
from agent.settings import Settings
from agent.store import storage_use
from agent.store.database import Store
from agent.store.trainings import Training, trainings
from drivers.disk import DiskError, space

GUESS_KBIT = 2000.0
"""720p25 of an IP camera, where nothing was recorded and nobody says otherwise."""
GUESS_HOURS = 40.0
"""A full working week, where there is no timetable."""
SYNC_BYTES = 28_000
"""What a synced write costs a card besides its footage: last block, inode, journal. Measured on ext4 by
`bench/fragments.py`: 193 MiB beside 1335 MiB of footage in the 7200 syncs of an hour."""


@dataclass(frozen=True, slots=True)
class Question:
    """What the user says; None: as measured, as planned, as the policy asks."""

    cameras: int | None = None
    kbit_per_second: float | None = None
    hours_per_week: float | None = None
    years: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Bytes; TB are 10^12 bytes, as disks are sold."""

    cameras: int
    kbit_per_second: float
    is_measured: bool
    hours_per_week: float
    hours_from: str
    """`said`, `timetable` or `guess`."""
    years: float
    needed_bytes: float
    free_bytes: float | None
    held_bytes: int
    suffices: bool | None
    """None when the disk is away."""
    full_day: str | None
    buy_tb: float | None
    bytes_per_hour: float
    written_per_hour: float
    syncs_per_hour: float

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self) -> list[str]:
        """For the console."""
        tb = self.needed_bytes / 1e12
        source = "实测 measured" if self.is_measured else "假定或给定 given or assumed"
        hours = {"said": "给定 given", "timetable": "课表和最近四周 timetable", "guess": "假定 assumed"}
        found = [
            f"摄像机 cameras: {self.cameras} · 码率 bitrate: {self.kbit_per_second:.0f} kbit/s（{source}） · "
            f"每周 a week: {self.hours_per_week:.1f} h（{hours[self.hours_from]}） · "
            f"保存 kept: {self.years:g} 年 years",
            f"每录一小时 / an hour of footage: {self.bytes_per_hour / 1e9:.2f} GB；写盘 written: "
            f"{self.written_per_hour / 1e9:.2f} GB，{self.syncs_per_hour:.0f} 次落盘 syncs"
            "（存储卡磨损按此计算 / wear of a card counts from this）",
            f"需要 / needed: {tb:.2f} TB（已录 held: {self.held_bytes / 1e12:.3f} TB）",
        ]
        if self.free_bytes is None:
            found.append("录像盘不在，无法判断 / the video disk is not there: nobody can say")
            return found
        found.append(f"可用 / free: {self.free_bytes / 1e12:.3f} TB")
        if self.suffices:
            found.append("现有磁盘够用 / the disk suffices")
        else:
            what = (
                f"请购买 {self.buy_tb:g} TB 的磁盘 / buy a disk of {self.buy_tb:g} TB"
                if self.buy_tb is not None
                else "一块磁盘不够，须分次归档（volumes）/ one disk is not enough: archive disks"
            )
            found.append(f"现有磁盘不够 / the disk does NOT suffice；{what}")
        if self.full_day is not None:
            found.append(f"按课表和实测，{self.full_day} 写满 / full on {self.full_day} at this pace")
        return found


def answer(store: Store, settings: Settings, count: Count, now: Stamp, asked: Question) -> Answer:
    """The plan for this node. ConfigurationError, PolicyError."""
    today = local_day(now.wall_us)
    rate = storage_use.recent_rate(store)
    measured = asked.kbit_per_second is None and rate is not None
    kbit = asked.kbit_per_second
    if kbit is None:
        kbit = forecast.kbit_per_second(rate.bytes_per_hour) if rate is not None else GUESS_KBIT
    planned = planned_hours(store, settings, now.wall_us)
    week, hours_from = asked.hours_per_week, "said"
    if week is None:
        week, hours_from = weekly_hours(count, planned, today), "timetable"
        # Half an hour of trial on a new device says nothing about its weeks.
        if not planned and (week <= 0 or days_observed(count, today) < 7):
            week, hours_from = GUESS_HOURS, "guess"
    cameras = asked.cameras or 1
    load = Load(forecast.bytes_per_hour(kbit), week, cameras)
    years = asked.years or years_needed(store, load_policies())
    needed = load.bytes_in(years)
    try:
        free: float | None = max(
            0, space(settings.storage.video).free_bytes - (settings.storage.minimum_free_mib << 20)
        )
    except DiskError:
        free = None
    held = count.total.bytes
    full = None
    if free is not None:
        full = forecast.full_day(
            free,
            load,
            today,
            planned_hours={} if asked.hours_per_week else planned,
            freed_bytes=count.freed_by_day(),
        )
    syncs = _syncs_per_hour(settings, rate) * cameras
    per_hour = load.bytes_per_hour * cameras
    return Answer(
        cameras=cameras,
        kbit_per_second=kbit,
        is_measured=measured,
        hours_per_week=week,
        hours_from=hours_from,
        years=years,
        needed_bytes=needed,
        free_bytes=free,
        held_bytes=held,
        suffices=None if free is None else free + held >= needed,
        full_day=full.isoformat() if full else None,
        buy_tb=forecast.disk_to_buy(needed),
        bytes_per_hour=per_hour,
        written_per_hour=per_hour + syncs * SYNC_BYTES,
        syncs_per_hour=syncs,
    )


def years_needed(store: Store, policies: Policies) -> float:
    """The longest that any class here asks for, HR's years included."""
    hr = float(years_in_force(store).video)
    found = [hr]
    for training in trainings(store):
        policy = _policy_years(training, policies)
        if policy is not None:
            found.append(policy)
    return max(found)


def _policy_years(training: Training, policies: Policies) -> float | None:
    try:
        return rules_of(training, policies).number("video_retention")
    except (PolicyError, ValueError):
        return None


def _syncs_per_hour(settings: Settings, rate: storage_use.Rate | None) -> float:
    if rate is not None and rate.seconds > 0:
        return rate.fragments / rate.seconds * 3600
    return 3600 / settings.recording.fragment_seconds

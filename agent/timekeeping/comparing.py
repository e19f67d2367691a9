"""HR staff compare the device's clock with their watch (annex 6, item 1): the handler of console and page.

A place without any network (R20) has no other word for its time. The watch's time becomes a signed record;
from it on `agent.store.clock.vouch` answers for the clock, with the uncertainty of a person's reading and of
the drift since.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from agent.clock import Stamp
from agent.errors import BilingualError
from agent.store import clock_log
from agent.store.clock_log import Comparison
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
READING_S = 60
"""How far off a person's reading of a watch, and the watch, may be unless they say otherwise."""
WORST_READING_S = 3600
NOTABLE_US = 300_000_000
"""A difference that is asked about again before it is recorded: mistyped, or a clock to be set."""

_WATCH = re.compile(
    r"^(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})[ T]"
    r"(?P<hour>\d{1,2})[:：](?P<minute>\d{2})(?:[:：](?P<second>\d{2}))?$"
)


class ComparisonError(BilingualError):
    """What was typed is no time, or no uncertainty that makes sense; nothing was recorded."""


@dataclass(frozen=True, slots=True)
class WatchTime:
    """A watch's time as it was read."""

    us: int
    """UTC microseconds; the middle of the minute where no seconds were given."""
    resolution_us: int


def read_watch(text: str) -> WatchTime:
    """`2026-11-22 9:05` or `2026-11-22 09:05:30`, time of Asia/Shanghai. ComparisonError.

    Never without the date: a clock that somebody set three years ahead shows the right minute, and HR's word
    for the minute alone would be the word for the year by which retention deletes (I8).
    """
    match = _WATCH.match(text.strip())
    if match is None:
        raise _unreadable(text)
    has_seconds = match["second"] is not None
    try:
        stated = datetime(
            int(match["year"]),
            int(match["month"]),
            int(match["day"]),
            int(match["hour"]),
            int(match["minute"]),
            int(match["second"]) if has_seconds else 30,
            tzinfo=SHANGHAI,
        )
    except ValueError as error:
        raise _unreadable(text) from error
    half_second_us = 500_000 if has_seconds else 0
    us = round(stated.timestamp()) * 1_000_000 + half_second_us
    return WatchTime(us, 500_000 if has_seconds else 30_000_000)


def _unreadable(text: str) -> ComparisonError:
    return ComparisonError(
        f"“{text[:40]}”不是日期和时间：应为 年-月-日 时:分:秒，例如 2026-11-22 09:05:30（秒可不写）",
        f"{text[:40]!r} is no date and time: expected YYYY-MM-DD HH:MM:SS, as 2026-11-22 09:05:30 (seconds "
        "may be left out)",
    )


def compare(
    store: Store,
    stamp: Stamp,
    watch: WatchTime,
    *,
    uncertainty_s: int,
    rtc_us: int | None,
    simulated: bool,
) -> Comparison:
    """Record that HR staff, whose password the caller has checked, read `watch` at `stamp`.

    `uncertainty_s` 1..3600: of the watch and its reader. `rtc_us`: the RTC's reading then, None without one.
    ComparisonError.
    """
    if not 1 <= uncertainty_s <= WORST_READING_S:
        raise ComparisonError(
            f"误差 {uncertainty_s} 秒：应在 1 到 {WORST_READING_S} 秒之间",
            f"uncertainty {uncertainty_s} s: expected 1..{WORST_READING_S} seconds",
        )
    comparison = Comparison(
        boot_id=stamp.boot_id,
        monotonic_ns=stamp.monotonic_ns,
        wall_us=stamp.wall_us,
        stated_us=watch.us,
        uncertainty_us=uncertainty_s * 1_000_000 + watch.resolution_us,
        rtc_ahead_us=None if rtc_us is None else rtc_us - stamp.wall_us,
    )
    data = {
        "boot_id": comparison.boot_id,
        "device_us": comparison.wall_us,
        "stated_us": comparison.stated_us,
        "difference_us": comparison.difference_us,
        "uncertainty_us": comparison.uncertainty_us,
        "rtc_ahead_us": comparison.rtc_ahead_us,
    }
    with store.transaction():
        clock_log.insert_comparison(store, comparison)
        state_fact(store, stamp, Fact(FactType.CLOCK_COMPARED, "node", simulated=simulated, data=data))
    return comparison

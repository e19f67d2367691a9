"""How the clock stands, in sentences of Chinese and English: for the console and the acceptance check."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from agent.clock import Stamp
from agent.store import clock_log
from agent.store.clock import Vouch, vouch
from agent.store.database import Store
from agent.timekeeping.comparing import SHANGHAI
from drivers import rtc, timekeeper, timesource
from drivers.timekeeper import Timekeeper

KEEPERS: dict[timekeeper.Name, str] = {
    "chrony": "chrony",
    "timesyncd": "systemd-timesyncd",
    "ntpd": "ntpd",
    "none": "",
}


def lines(
    store: Store, stamp: Stamp, *, keeper: Timekeeper | None = None, rtc_folder: Path = rtc.FOLDER
) -> Iterator[str]:
    """Kernel, time service, RTC, what was set in this boot, corrections, HR's comparison, who vouches."""
    yield f"设备时间 / device time: {face(stamp.wall_us)}"
    yield kernel_line()
    yield keeper_line(keeper or timekeeper.find(), stamp.wall_us)
    yield rtc_line(rtc.read_us(rtc_folder), stamp.wall_us)
    yield from _of_this_boot(store, stamp.boot_id)
    comparison = clock_log.newest_comparison(store)
    if comparison is not None:
        yield (
            f"人社部门核对 / HR's comparison: {face(comparison.wall_us)}, "
            f"{difference(comparison.difference_us)} (± {comparison.uncertainty_us / 1e6:.0f} s)"
        )
    yield vouch_line(vouch(store, stamp))


def kernel_line() -> str:
    """The kernel's word."""
    try:
        state = timesource.read()
    except timesource.TimeSourceError as error:
        return f"内核没有回答 / the kernel does not answer: {error}"
    if not state.synchronised:
        return "内核：时钟未同步 / kernel: the clock is not synchronised"
    worst_ms = state.maximum_error_us / 1000
    return f"内核：已同步，误差不超过 {worst_ms:.1f} 毫秒 / kernel: synchronised to within {worst_ms:.1f} ms"


def keeper_line(keeper: Timekeeper, now_us: int) -> str:
    """Who keeps the clock."""
    if keeper.name == "none":
        return (
            "没有校时服务在运行（chrony、systemd-timesyncd、ntpd）/ no time service runs "
            "(chrony, systemd-timesyncd, ntpd)"
        )
    name = KEEPERS[keeper.name]
    if not keeper.synchronised:
        return f"校时服务 {name}：还没有同步过 / time service {name}: has not synchronised yet"
    parts = [f"校时服务 / time service {name}"]
    if keeper.last_update_us is not None:
        ago_s = max(0, now_us - keeper.last_update_us) / 1e6
        parts.append(f"{ago_s:.0f} 秒前校准 / last update {ago_s:.0f} s ago")
    if keeper.estimated_error_us is not None:
        parts.append(f"估计误差 / estimated error {keeper.estimated_error_us / 1000:.1f} ms")
    return ", ".join(parts)


def rtc_line(rtc_us: int | None, now_us: int) -> str:
    """The hardware clock."""
    if rtc_us is None:
        return "没有硬件时钟 / no hardware clock"
    ahead_s = (rtc_us - now_us) / 1e6
    return f"硬件时钟 / hardware clock: {face(rtc_us)} ({ahead_s:+.0f} s)"


def _of_this_boot(store: Store, boot_id: str) -> Iterator[str]:
    seen = clock_log.stretches(store, boot_id)
    for before, after in pairwise(seen):
        set_s = (after.offset_us - before.offset_us) / 1e6
        yield f"时钟被调整 / clock set by {set_s:+.3f} s: {face(after.began_us)}"
    for row in clock_log.corrections(store, boot_id):
        added = "?" if row.add_us is None else f"{row.add_us / 1e6:+.3f}"
        yield (
            f"本次开机同步前的时间校正 / stamps before the synchronisation corrected by {added} s "
            f"(± {row.uncertainty_us / 1e6:.1f} s)"
        )


def difference(watch_minus_device_us: int) -> str:
    """Which of the two is ahead, and by how much."""
    seconds = abs(watch_minus_device_us) / 1e6
    if watch_minus_device_us >= 0:
        return f"设备比手表慢 {seconds:.0f} 秒 / the device is {seconds:.0f} s behind the watch"
    return f"设备比手表快 {seconds:.0f} 秒 / the device is {seconds:.0f} s ahead of the watch"


def vouch_line(found: Vouch | None) -> str:
    """Who answers for the clock (I8)."""
    if found is None:
        return (
            "没有人担保时间：到期录像不会删除；请接通校时，或由人社部门运行 classroom-agent clock check / "
            "nobody vouches for the clock: nothing expires; connect a time server, or HR runs clock check"
        )
    within_s = found.uncertainty_us / 1e6
    if found.by == "synchronised":
        return f"时间由校时服务担保 / vouched for by the time service (± {within_s:.0f} s)"
    since = face(found.since_us)
    return f"时间由人社部门核对担保 / vouched for by HR's comparison of {since} (± {within_s:.0f} s)"


def face(wall_us: int) -> str:
    """Time of Asia/Shanghai."""
    local = datetime.fromtimestamp(wall_us / 1_000_000, UTC).astimezone(SHANGHAI)
    return f"{local:%Y-%m-%d %H:%M:%S}"

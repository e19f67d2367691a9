"""The disk for footage: the right one, fast enough, and for how many days it lasts."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.acceptance.findings import Finding, Verdict
from agent.settings import Settings
from drivers.disk import DiskError, check_volume, is_read_only, space

WRITE_BYTES = 32 << 20
FRAGMENT_BYTES = 256 << 10
"""About half a second of 4 Mbit/s: what the recorder writes and syncs each time."""
SLOWEST_SYNC_S = 1.0
HOURS_A_DAY = 8
RETENTION_DAYS = 1096
"""Three years (R8)."""
FEWEST_DAYS = 30


@dataclass(frozen=True, slots=True)
class WriteSpeed:
    """Measured as the recorder writes: one fragment, one sync."""

    mebibytes_per_second: float
    median_sync_ms: float
    worst_sync_ms: float


def check_volume_marker(settings: Settings) -> Finding:
    """Is the disk for footage there, the right one and writable?"""
    video = settings.storage.video
    try:
        if settings.storage.require_volume_marker:
            check_volume(video)
        elif is_read_only(video):
            raise DiskError(f"{video}: 只读 / is read-only")
    except DiskError as error:
        return Finding(
            "storage.volume",
            "bad",
            "录像盘不可用",
            "the video disk is not usable",
            (str(error), f"scripts/install.sh --video-device /dev/… --video-folder {video}"),
        )
    return Finding("storage.volume", "good", f"录像盘 {video} 可用", f"the video disk {video} is usable")


def check_storage(settings: Settings, kbit_per_second: float | None) -> Iterator[Finding]:
    """Speed and room of the video folder. `kbit_per_second` as measured, None when it was not."""
    video = settings.storage.video
    try:
        yield _judge_speed(measure_writing(video))
    except OSError as error:
        yield Finding(
            "storage.speed",
            "bad",
            f"录像盘写不进去：{error.strerror}",
            f"the video disk cannot be written: {error.strerror}",
            (f"检查磁盘和权限：{video}", f"check the disk and the permissions of {video}"),
        )
    yield _judge_room(video, settings.storage.minimum_free_mib, kbit_per_second)


def measure_writing(folder: Path, size: int = WRITE_BYTES) -> WriteSpeed:
    """Write `size` bytes to a file in `folder`, synced fragment by fragment; it is removed. OSError."""
    path = folder / f".acceptance-{os.getpid()}"
    content = os.urandom(FRAGMENT_BYTES)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    syncs = []
    begun = time.monotonic()
    try:
        for _ in range(size // FRAGMENT_BYTES):
            os.write(descriptor, content)
            before = time.monotonic()
            os.fdatasync(descriptor)
            syncs.append((time.monotonic() - before) * 1000)
    finally:
        os.close(descriptor)
        path.unlink()
    seconds = time.monotonic() - begun
    syncs.sort()
    return WriteSpeed(size / seconds / (1 << 20), syncs[len(syncs) // 2], syncs[-1])


def _judge_speed(speed: WriteSpeed) -> Finding:
    verdict: Verdict = "good" if speed.worst_sync_ms < SLOWEST_SYNC_S * 1000 else "bad"
    syncs = f"{speed.median_sync_ms:.0f}/{speed.worst_sync_ms:.0f} ms"
    figures = f"{speed.mebibytes_per_second:.0f} MiB/s, {syncs}"
    return Finding(
        "storage.speed",
        verdict,
        f"写盘速度 {figures}（同步中位/最慢）",
        f"write speed {figures} (sync median/worst)",
        (
            "磁盘太慢，断电会多丢录像；换一块磁盘或存储卡",
            "too slow, a power cut would lose more; use another disk or card",
        ),
        {
            "mebibytes_per_second": round(speed.mebibytes_per_second, 1),
            "median_sync_ms": round(speed.median_sync_ms, 1),
            "worst_sync_ms": round(speed.worst_sync_ms, 1),
        },
    )


def _judge_room(video: Path, minimum_free_mib: int, kbit_per_second: float | None) -> Finding:
    free = space(video).free_bytes - (minimum_free_mib << 20)
    gib = free / (1 << 30)
    if kbit_per_second is None or kbit_per_second <= 0:
        return Finding(
            "storage.room",
            "warning",
            f"剩余 {gib:.0f} GiB，码率未知，算不出能存几天",
            f"{gib:.0f} GiB free; without a bitrate nobody knows for how many days",
        )
    days = free * 8 / (kbit_per_second * 1000) / (HOURS_A_DAY * 3600)
    verdict: Verdict = "good" if days >= RETENTION_DAYS else "warning" if days >= FEWEST_DAYS else "bad"
    return Finding(
        "storage.room",
        verdict,
        f"剩余 {gib:.0f} GiB，每天录 {HOURS_A_DAY} 小时可存 {days:.0f} 天",
        f"{gib:.0f} GiB free: {days:.0f} days of {HOURS_A_DAY} hours",
        (
            "录像须存三年（R8）：准备更大的磁盘或定期归档",
            "footage is kept three years (R8): plan a larger disk or archive disks",
        ),
        {"free_bytes": free, "days": round(days, 1), "hours_a_day": HOURS_A_DAY},
    )

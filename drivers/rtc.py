"""The battery-backed hardware clock (RTC) by Linux's sysfs: whether there is one, and what it reads.

`/sys/class/rtc/rtcN/since_epoch` needs no privilege, unlike /dev/rtcN. Its resolution is one second.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path("/sys/class/rtc")
_LATEST_S = 7_258_118_400
"""2200: a later reading is a chip that lost its memory."""


def present(folder: Path = FOLDER) -> list[str]:
    """Names of the hardware clocks, rtc0 first; empty on a Pi 4 without a module."""
    return sorted(entry.name for entry in folder.glob("rtc*"))


def read_us(folder: Path = FOLDER) -> int | None:
    """What the first hardware clock reads, UTC microseconds, the middle of its second; None without one, and
    for one that does not answer (battery empty, module loose)."""
    for name in present(folder):
        try:
            seconds = int((folder / name / "since_epoch").read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue
        if 0 <= seconds < _LATEST_S:
            return seconds * 1_000_000 + 500_000
    return None

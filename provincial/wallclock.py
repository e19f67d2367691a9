"""The receiver's wall clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now_us() -> int:
    """UTC microseconds since 1970."""
    return time.time_ns() // 1000


def rfc3339(wall_us: int) -> str:
    """`2026-11-21T13:04:05.678901Z`."""
    whole, fraction = divmod(wall_us, 1_000_000)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{fraction:06d}Z"

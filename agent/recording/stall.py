"""Saying that the disk does not answer, while the thread that waits for it cannot.

A write or sync may hang for minutes (a card that reorganises itself, a cable, a server that serves the disk).
The recorder's thread waits in it, its packets in memory; what is missing afterwards is explained as always,
by the next thing it does or by the next start. Only the board would show "recording" all the while.
"""

from __future__ import annotations

import threading
import time

from agent.log import get_logger
from agent.role import RoleContext

AFTER_S = 5.0
"""Without a report from the recorder's thread, which is due each second."""

_LOOK_S = 1.0

log = get_logger(__name__)


class StallWatch(threading.Thread):
    """Shows a fault while the recorder's thread hangs; its next report takes it back."""

    def __init__(self, context: RoleContext) -> None:
        super().__init__(name="stall-watch", daemon=True)
        self._context = context
        self._said_of: int | None = None
        """The report after which nothing came, when that was logged."""

    def run(self) -> None:
        while not self._context.stop.wait(_LOOK_S):
            self.look(time.monotonic_ns())

    def look(self, now_ns: int) -> None:
        """Say so when the last report is too old at `now_ns` (CLOCK_MONOTONIC)."""
        reported_ns = self._context.reported_ns
        if reported_ns is None or (silent_s := (now_ns - reported_ns) / 1e9) < AFTER_S:
            return
        if self._said_of != reported_ns:
            self._said_of = reported_ns
            log.error("disk.hangs", seconds=round(silent_s, 1))
        self._context.show_stalled(
            f"录像盘 {silent_s:.0f} 秒没有应答，画面暂存在内存中；请检查硬盘、供电和连线",
            f"the video disk has not answered for {silent_s:.0f} s, pictures wait in memory; check the disk, "
            "its power and its cable",
        )

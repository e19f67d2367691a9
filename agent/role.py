"""What every role's process gets, and how it says that it is alive.

A role is one function `run(context)` that returns when `context.stop` is set. It calls `report` from
its own state machine (not from a timer beside it): that one call feeds systemd's watchdog and the
status board, so a role that hangs is restarted and one that merely lacks its camera is not.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import sdnotify

from agent import board
from agent.clock import Clock, Stamp
from agent.log import get_logger
from agent.paths import Paths
from agent.settings import CameraRole, Settings

ROLES: tuple[RoleName, ...] = ("ledger", "keeper", "recorder", "watch", "checkin", "sync", "archive", "web")
"""In the order in which they are started."""

RoleName = Literal["ledger", "keeper", "recorder", "watch", "checkin", "sync", "archive", "web"]
NEEDS_CAMERA: dict[RoleName, CameraRole] = {"recorder": "rear", "watch": "rear", "checkin": "door"}
"""A node without that camera has not that role (a room may have two nodes)."""
State = Literal["starting", "running", "waiting", "fault"]
"""`waiting`: nothing to do or something outside missing, will go on by itself; `fault`: needs a person."""

REPORT_INTERVAL_S = 2.0
"""A role reports at least this often; the units' WatchdogSec is many times this."""

TRUSTED_NS: Final = 10_000_000_000
"""A role reports every few seconds; its word is believed for so long."""

log = get_logger(__name__)


def roles_of(settings: Settings) -> list[RoleName]:
    """The roles that this node has, in the order in which they are started."""
    return [role for role in ROLES if NEEDS_CAMERA.get(role) in (None, *settings.cameras)]


@dataclass
class RoleContext:
    """Everything a role's process is given."""

    role: RoleName
    settings: Settings
    paths: Paths
    clock: Clock
    stop: threading.Event = field(default_factory=threading.Event)
    _notifier: sdnotify.SystemdNotifier = field(default_factory=sdnotify.SystemdNotifier)
    _last_state: State | None = None
    _last_report: dict[str, Any] = field(default_factory=dict)

    def report(self, state: State, message_zh: str = "", message_en: str = "", **detail: Any) -> None:
        """Say how the role is, on the board and to systemd. `detail` must be JSON and impersonal."""
        stamp = self.clock.now()
        content = {
            "role": self.role,
            "state": state,
            "message": {"zh": message_zh, "en": message_en},
            "pid": os.getpid(),
            "at_us": stamp.wall_us,
            "monotonic_ns": stamp.monotonic_ns,
            "boot_id": stamp.boot_id,
            "detail": detail,
        }
        self._last_report = content
        self._show(content)
        if state != "starting" and self._last_state in (None, "starting"):
            self._notify("READY=1")
        self._notify(f"WATCHDOG=1\nSTATUS={state} {message_en}".rstrip())
        if state != self._last_state:
            log.info("role.state", state=state, message=message_en or None)
            self._last_state = state

    def _notify(self, text: str) -> None:
        """Send `text` in UTF-8. The library writes Latin-1 and keeps silent about what it cannot write: a
        role that waited with a driver's words in Chinese gave no sign of life, and was killed as hung."""
        self._notifier.notify(text.encode("utf-8", "replace").decode("latin-1"))

    @property
    def reported_ns(self) -> int | None:
        """CLOCK_MONOTONIC of the last `report`; None before the first."""
        return self._last_report.get("monotonic_ns")

    def show_stalled(self, message_zh: str, message_en: str) -> None:
        """Say on the board, from another thread, that the role hangs: its last report as a fault, under the
        old stamps, so that neither systemd's nor the supervisor's watchdog takes it for a sign of life."""
        message = {"zh": message_zh, "en": message_en}
        self._show(self._last_report | {"state": "fault", "message": message})

    def _show(self, content: dict[str, Any]) -> None:
        try:
            board.write_json(self.paths.status / f"{self.role}.json", content)
        except OSError as error:  # a full runtime folder must not stop a recorder
            log.warning("status.unwritable", error=str(error))


def fresh_word(path: Path, now: Stamp, trusted_ns: int = TRUSTED_NS) -> dict[str, Any] | None:
    """A role's report in `path`, said in this boot and no longer than `trusted_ns` ago; None without one, and
    where it cannot be read."""
    try:
        word = board.read_json(path)
    except (OSError, ValueError):
        return None
    if word is None or word.get("boot_id") != now.boot_id:
        return None
    said_ns = word.get("monotonic_ns")
    return word if isinstance(said_ns, int) and now.monotonic_ns - said_ns <= trusted_ns else None

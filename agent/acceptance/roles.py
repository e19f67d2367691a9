"""Do the roles run? Read from the board, as the page does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from agent import board
from agent.acceptance.findings import Finding
from agent.clock import Stamp
from agent.paths import Paths
from agent.role import roles_of
from agent.settings import Settings

FRESH_S = 15.0
"""Roles report every 2 s."""


@dataclass(frozen=True, slots=True)
class RoleStatus:
    """A role's newest word, not older than FRESH_S."""

    state: str
    zh: str
    en: str
    detail: dict[str, Any]


def role_status(paths: Paths, role: str, now: Stamp) -> RoleStatus | None:
    """What `role` last said; None when it does not run, or its file cannot be read."""
    try:
        content = board.read_json(paths.status / f"{role}.json")
    except (OSError, ValueError):
        return None
    if content is None or content.get("boot_id") != now.boot_id:
        return None
    if now.monotonic_ns - int(content.get("monotonic_ns", 0)) > FRESH_S * 1e9:
        return None
    message = content.get("message", {})
    return RoleStatus(
        str(content.get("state")), message.get("zh", ""), message.get("en", ""), content.get("detail", {})
    )


def check_roles(settings: Settings, now: Stamp) -> Iterator[Finding]:
    """One finding for all roles that run well, one for each that does not."""
    statuses = {role: role_status(settings.paths, role, now) for role in roles_of(settings)}
    if not any(statuses.values()):
        start = "systemctl start classroom-agent.target"
        remedy = (f"启动它再验收：{start}", f"start it and check again: {start}")
        yield Finding("roles", "bad", "守护程序没有运行", "the daemon does not run", remedy)
        return
    well = []
    for role, status in statuses.items():
        if status is None:
            yield Finding(
                f"role.{role}",
                "bad",
                f"{role} 没有运行",
                f"{role} does not run",
                (
                    f"systemctl start classroom-agent.target，再看 journalctl -u classroom-agent-{role}",
                    f"systemctl start classroom-agent.target, then see journalctl -u classroom-agent-{role}",
                ),
            )
        elif status.state == "fault":
            yield Finding(
                f"role.{role}",
                "bad",
                f"{role} 有故障：{status.zh}",
                f"{role} reports a fault: {status.en}",
                (
                    f"见 journalctl -u classroom-agent-{role}",
                    f"see journalctl -u classroom-agent-{role}",
                ),
            )
        else:
            well.append(role)
    if well:
        yield Finding("roles", "good", f"运行中：{'、'.join(well)}", f"running: {', '.join(well)}")

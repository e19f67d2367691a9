"""What a keeper writes: the recording plan and its word on the board."""

from __future__ import annotations

from typing import Any

from agent import board
from agent.role import RoleContext

MINUTE_US = 60_000_000


def plan(context: RoleContext) -> dict[str, Any]:
    content = board.read_json(context.paths.recording_plan)
    assert content is not None
    return content


def status(context: RoleContext) -> dict[str, Any]:
    content = board.read_json(context.paths.status / "keeper.json")
    assert content is not None
    return content

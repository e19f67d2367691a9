"""The technician's settings of a demonstration installation, as real processes and commands read them."""

from __future__ import annotations

from pathlib import Path

from agent.paths import Paths

SETTINGS = """
[node]
institution = "school"
room = "{room}"
node = "{node}"
environment = "demonstration"
[storage]
state = "{paths.state}"
video = "{paths.video}"
runtime = "{paths.runtime}"
require_volume_marker = {marker}
minimum_free_mib = 10
[cameras.rear]
{camera}
{more}
"""
NO_CAMERA = 'driver = "file"\npath = "/nowhere/rear.mp4"'


def write_settings(
    paths: Paths,
    camera: str = NO_CAMERA,
    more: str = "",
    *,
    room: str = "r101",
    node: str = "n1",
    require_marker: bool = False,
) -> Path:
    """Writes `agent.toml`. `camera`: the lines of `[cameras.rear]`; `more`: further tables."""
    path = paths.state / "agent.toml"
    marker = str(require_marker).lower()
    text = SETTINGS.format(paths=paths, camera=camera, more=more, room=room, node=node, marker=marker)
    path.write_text(text, encoding="utf-8")
    return path

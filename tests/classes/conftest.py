"""A keeper's surroundings: its settings, and a class with a timetable."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.paths import Paths
from agent.role import RoleContext
from agent.settings import Settings
from agent.store import classes as table
from agent.store.database import Store
from agent.store.vault import Vault
from tests.classes.documents import class_content, take_in
from tests.clocks import ManualClock


@pytest.fixture
def context(paths: Paths, clock: ManualClock, tmp_path: Path) -> RoleContext:
    settings = Settings.model_validate(
        {
            "node": {
                "institution": "school",
                "room": "room-101",
                "node": "node-1",
                "environment": "demonstration",
            },
            "storage": {"state": str(paths.state), "video": str(paths.video), "runtime": str(paths.runtime)},
            "cameras": {"rear": {"driver": "file", "path": str(tmp_path / "rear.mp4")}},
        }
    )
    return RoleContext("keeper", settings, paths, clock)


@pytest.fixture
def timetable(store: Store, paths: Paths, clock: ManualClock) -> list[table.Session]:
    """08:30-11:30 theory and 14:00-17:00 practical; the clock stands at 08:00."""
    take_in(store, Vault(paths.keys), clock, class_content())
    return table.sessions(store, class_id="dgjc-1")

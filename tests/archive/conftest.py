from __future__ import annotations

from pathlib import Path

import pytest

from agent.paths import Paths
from agent.store.database import Store
from tests.archive.place import Place, copy_settings
from tests.clocks import ManualClock


@pytest.fixture
def place(paths: Paths, store: Store, clock: ManualClock, tmp_path: Path) -> Place:
    return Place(paths, store, clock, copy_settings(tmp_path / "nas"))

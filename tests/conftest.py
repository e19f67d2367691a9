"""Fixtures shared by all tests. `shared_media` is the only one that may skip."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from agent.paths import Paths
from agent.store.database import Store
from tests.clocks import ManualClock
from tests.evidence.schemas import problems_of_facts
from tests.promise_guard import PromiseGuard

REPOSITORY = Path(__file__).resolve().parent.parent


def pytest_configure(config: pytest.Config) -> None:
    # No timed tests: Hypothesis would fail any example that takes longer than its own 200 ms, which says how
    # busy the machine is and nothing of the product. No property here states a time; where one is promised, a
    # test of its own or a bench measures it and says the bound.
    hypothesis.settings.register_profile("untimed", deadline=None)
    hypothesis.settings.load_profile("untimed")
    config.pluginmanager.register(PromiseGuard(config), "promise-guard")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """The folders of a fresh installation."""
    made = Paths(tmp_path / "state", tmp_path / "video", tmp_path / "runtime")
    for folder in (made.keys, made.ledger_keys, made.photos, made.segments, made.status, made.frames):
        folder.mkdir(parents=True, mode=0o700)
    return made


@pytest.fixture
def store(paths: Paths) -> Iterator[Store]:
    """The database of a fresh installation. Whatever a test states in it must follow protocol/schemas: that
    holds the schemas and those who state facts together."""
    with Store(paths.database) as opened:
        yield opened
        try:
            problems = problems_of_facts(opened)
        except sqlite3.Error:  # the test has closed or damaged it
            problems = []
    assert not problems, problems


@pytest.fixture(scope="session")
def shared_media() -> Path:
    """Sample media that is no part of the product (real people: measure with it, show nothing of it)."""
    folder = Path(os.environ.get("CLASSROOM_AGENT_SHARED", REPOSITORY.parent / "shared")) / "media"
    if not folder.is_dir():
        pytest.skip(f"SKIPPED LOUDLY: sample media not found at {folder}; set CLASSROOM_AGENT_SHARED")
    return folder

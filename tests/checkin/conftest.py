"""One engine for all tests of the check-in, and a classroom around it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from agent.log import configure_logging
from agent.paths import Paths
from agent.store.database import Store
from models.faces import FaceEngine, load_engine
from tests.checkin.classroom import Classroom
from tests.checkin.scene import scene as scene
from tests.clocks import ManualClock


@pytest.fixture(autouse=True)
def logs_as_in_the_product() -> Iterator[None]:
    """structlog's own defaults print every local variable of a trace, pictures included: minutes a test."""
    configure_logging("checkin")
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def engine() -> FaceEngine:
    return load_engine(min_face_px=96)


@pytest.fixture
def classroom(store: Store, paths: Paths, clock: ManualClock, engine: FaceEngine) -> Classroom:
    return Classroom(store, paths, clock, engine)

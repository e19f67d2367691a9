"""The default engine, loaded once."""

from __future__ import annotations

import pytest

from models.faces import FaceEngine, load_engine


@pytest.fixture(scope="session")
def engine() -> FaceEngine:
    return load_engine(min_face_px=96)

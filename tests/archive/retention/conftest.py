"""A rig for each test, as the recorder's own tests have, and a room around it."""

from __future__ import annotations

import pytest

from tests.archive.retention.room import Room, room_of
from tests.recording.conftest import clip, clip_path, rig
from tests.recording.rig import Rig

__all__ = ["clip", "clip_path", "rig"]


@pytest.fixture
def room(rig: Rig) -> Room:
    return room_of(rig)

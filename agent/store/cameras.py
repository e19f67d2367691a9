"""What is stated of a camera: its stream's health, what its picture shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from agent.clock import Stamp
from agent.store.classes import session_during
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact

CameraFact = Literal[FactType.CAMERA_HEALTH_CHANGED, FactType.CAMERA_TAMPERED]


def state_camera_fact(
    store: Store, stamp: Stamp, room: str, kind: CameraFact, data: Mapping[str, Any], *, simulated: bool
) -> None:
    """State `data` of the camera that it names, for the session that is held in `room` now."""
    session, class_id = session_during(store, room, stamp.wall_us, None) or (None, None)
    fact = Fact(kind, f"camera/{data['camera']}", simulated, data, class_id=class_id, session_id=session)
    state_fact(store, stamp, fact)

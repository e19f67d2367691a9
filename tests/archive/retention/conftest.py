"""A rig for each test, as the recorder's own tests have."""

from __future__ import annotations

from tests.recording.conftest import clip, clip_path, rig

__all__ = ["clip", "clip_path", "rig"]

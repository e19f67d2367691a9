"""Clips encoded once, and a rig for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.paths import Paths
from tests import synthetic
from tests.clocks import ManualClock
from tests.recording.rig import Clip, Rig, read_clip
from tests.recording.taken import Taken, take


@pytest.fixture(scope="session")
def clip_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthetic.clip(tmp_path_factory.mktemp("clips") / "plain.mp4", seconds=6, fps=10, gop=10)


@pytest.fixture(scope="session")
def clip(clip_path: Path) -> Clip:
    """Six seconds of H.264, ten pictures a second, a key frame each second."""
    return read_clip(clip_path)


@pytest.fixture
def rig(paths: Paths, clock: ManualClock, clip: Clip) -> Rig:
    """A recorder that has not started yet, on an empty volume."""
    return Rig(paths, clock, clip)


@pytest.fixture
def taken(rig: Rig, tmp_path: Path) -> Taken:
    return take(rig, tmp_path, 1.2, 4.4)

"""Clips that several tests of the drivers use, encoded once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.synthetic import clip


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """plain.mp4 and reordered.mp4 (with B-frames): 20 s, 15 pictures a second, key frame every second."""
    folder = tmp_path_factory.mktemp("clips")
    clip(folder / "plain.mp4", seconds=20, fps=15, gop=15)
    clip(folder / "reordered.mp4", seconds=20, fps=15, gop=15, b_frames=2)
    return folder

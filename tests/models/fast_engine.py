"""The fast engine's model files, where `classroom-agent models install` has put them on this machine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from agent.paths import MODELS_FOLDER

FOLDERS = (Path(sys.prefix) / "share/classroom-agent/models", MODELS_FOLDER)


def installed_models() -> Path:
    """The folder that has them; skips the test, loudly, where no folder does."""
    for folder in FOLDERS:
        if (folder / "fr_landmark.onnx").is_file():
            return folder
    pytest.skip(
        "SKIPPED LOUDLY: the fast engine's files are not installed; run `classroom-agent models install`"
    )

"""The installer and the units under a real systemd, in a container of its own (scripts/try_systemd.sh)."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts/try_systemd.sh"
TOOLS = ("debootstrap", "systemd-nspawn", "nsenter", "ffmpeg")


@pytest.mark.rule("R1")
@pytest.mark.promise("I4")
def test_installed_hardened_hung_killed_and_removed() -> None:
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"SKIPPED LOUDLY: needs root and {', '.join(missing) or 'nothing else'}")
    answer = subprocess.run(["bash", str(SCRIPT)], capture_output=True, text=True, timeout=1500, check=False)
    broken = [line for line in answer.stdout.splitlines() if line.startswith("✘ ")]
    assert answer.returncode == 0, "\n".join([*broken, answer.stderr[-2000:]])

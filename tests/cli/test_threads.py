"""Every role calculates in one thread, unless the technician's unit says otherwise."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_cli import write_config


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="with one core OpenBLAS has one thread in any case")
def test_a_role_calculates_in_one_thread_unless_told_otherwise(tmp_path: Path) -> None:
    """By the command's own way to a role: what imports numpy before the default is set takes all cores."""
    config = write_config(tmp_path)
    inherited = {key: value for key, value in os.environ.items() if "NUM_THREADS" not in key}

    def threads(**environment: str) -> int:
        done = subprocess.run(
            [sys.executable, "-m", "tests.cli.numpy_role", "--config", str(config), "run", "web"],
            env={**inherited, **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return int(done.stdout)

    assert threads(OPENBLAS_NUM_THREADS="2") == threads() + 1

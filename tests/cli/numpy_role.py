"""The command with a role that multiplies two matrices and says how many threads its process has then
(tests/cli/test_threads.py)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from agent.cli import run as command

if TYPE_CHECKING:
    from agent.role import RoleContext


def run(context: RoleContext) -> None:
    """The role."""
    import numpy as np

    side = np.ones((256, 256), np.float32)
    assert float((side @ side)[0, 0]) == 256.0
    sys.stdout.write(f"{len(list(Path('/proc/self/task').iterdir()))}\n")
    context.stop.set()


if __name__ == "__main__":
    from agent.cli.process import ROLE_MODULES

    ROLE_MODULES["web"] = "tests.cli.numpy_role"
    command()

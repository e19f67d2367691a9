"""Runs a real Supervisor over tiny roles: `desk.py FOLDER SPECIFICATION` (JSON: timing, programs)."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from agent.clock import SystemClock
from agent.locks import AlreadyRunningError
from agent.log import configure_logging
from agent.paths import Paths
from agent.supervisor import Supervisor, Timing


def main(folder: Path, specification: str) -> int:
    configure_logging("supervisor")
    asked = json.loads(specification)
    paths = Paths(folder / "state", folder / "video", folder / "runtime")
    supervisor = Supervisor(asked["programs"], paths, SystemClock(), timing=Timing(**asked["timing"]))
    try:
        supervisor.run()
    except AlreadyRunningError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))

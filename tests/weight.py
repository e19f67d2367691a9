"""A recorder's weight on the processor as its unit gives it: `CPUWeight=1000`, ten times the others'."""

from __future__ import annotations

import os
from pathlib import Path

NICE = -10
"""Nearly ten times the weight of nice 0."""


def weigh_as_its_unit(pid: int) -> None:
    """`pid` leads a session of its own. Only root may; anybody else's recorder keeps the others' weight.

    Where the kernel groups processes by session (`sched_autogroup_enabled`), nice counts inside a session
    alone, and between sessions the group's own does: both are set.
    """
    if os.geteuid() != 0:
        return
    os.setpriority(os.PRIO_PROCESS, pid, NICE)
    group = Path(f"/proc/{pid}/autogroup")
    if group.exists():
        group.write_text(str(NICE), encoding="ascii")

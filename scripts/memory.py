#!/usr/bin/env python3
"""Memory of every running role as JSON: PSS from /proc/PID/smaps_rollup, with what a role started itself.

    memory.py [CONFIG]     only roles that were started with --config CONFIG (several nodes on one machine)

PSS counts a page shared by n processes as 1/n, so the roles' figures add up to what the node really takes.
Run it as the roles' user or root, when every role has settled. Standard library only.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

PROC = Path("/proc")
_ROLE = re.compile(
    rb"(?:\0-m\0agent|/classroom-agent)\0(?:--config\0(?P<config>[^\0]+)\0)?run\0(?:(?P<role>[a-z]+)\0)?$"
)


def role_of(command: bytes, config: str | None = None) -> str | None:
    """`recorder` for `python -m agent run recorder`, `supervisor` for `… run`; None for another program, or
    for one that was not started with `config` where that is given."""
    match = _ROLE.search(command)
    if match is None or (config is not None and match["config"] != os.fsencode(config)):
        return None
    return (match["role"] or b"supervisor").decode("ascii")


def memory_kib(process: int) -> dict[str, int]:
    """PSS, RSS and what is its alone, KiB. OSError when it ended or belongs to somebody else."""
    wanted = {"Pss:": "pss", "Rss:": "rss", "Private_Dirty:": "private_dirty"}
    found = {}
    for line in (PROC / str(process) / "smaps_rollup").read_text(encoding="ascii").splitlines():
        words = line.split()
        if words[0] in wanted:
            found[wanted[words[0]]] = int(words[1])
    return found


def children(process: int) -> list[int]:
    """Direct children of all its threads."""
    found: list[int] = []
    for task in (PROC / str(process) / "task").iterdir():
        found += map(int, (task / "children").read_text(encoding="ascii").split())
    return found


def measure(config: str | None) -> dict[str, object]:
    """Every role's figures and their sum."""
    roles: dict[str, dict[str, int]] = {}
    for folder in PROC.iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            role = role_of((folder / "cmdline").read_bytes(), config)
            if role is None:
                continue
            process = int(folder.name)
            roles[role] = memory_kib(process) | {"pid": process}
            if role != "supervisor":
                roles[role]["children_pss"] = sum(memory_kib(child)["pss"] for child in children(process))
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
    return {
        "unit": "KiB",
        "roles": dict(sorted(roles.items())),
        "sum_pss": sum(figures["pss"] + figures.get("children_pss", 0) for figures in roles.values()),
    }


if __name__ == "__main__":
    try:
        # Whoever starts the roles gives an absolute path; whoever measures them types what is at hand.
        given = str(Path(sys.argv[1]).resolve()) if len(sys.argv) > 1 else None
        figures = measure(given)
    except PermissionError as error:
        sys.exit(f"以 root 或角色的用户运行 / run it as root or as the roles' user: {error}")
    if not figures["roles"]:
        sys.exit(f"没有在运行的角色 / no role is running{f' with {given}' if given else ''}")
    print(json.dumps(figures, indent=2))

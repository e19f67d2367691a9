"""Starts tests/checkin/fuzz.py in an empty folder and looks at what it left there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from agent.store.database import Store
from tests.classes.test_workbook import filled

LONGEST_S = 20.0
MOST_MIB = 900


def fuzz(folder: Path, first: int, count: int, timeout_s: float = 120) -> dict[str, Any]:
    """Seeds `first` to `first + count - 1`, a roster and a photo each; the child's report."""
    work, empty = folder / "work", folder / "empty"
    work.mkdir()
    empty.mkdir()
    (work / "good.xlsx").write_bytes(filled(folder))
    with Store(work / "agent.sqlite"):
        pass
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "tests.checkin.fuzz", str(work), str(first), str(count)],
        cwd=empty,
        env={**os.environ, "PYTHONPATH": str(root), "HOME": str(empty), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert list(empty.iterdir()) == [], "something was written where it ran"
    others = {path.name for path in work.iterdir()} - {"good.xlsx"}
    strange = {n for n in others if not n.startswith(("agent.sqlite", "wrapping-"))}
    assert not strange, strange
    with Store(work / "agent.sqlite") as store:
        assert store.one("PRAGMA integrity_check")[0] == "ok"
    assert report["longest_s"] < LONGEST_S, report
    assert max(report["rss_mib"]) < MOST_MIB, report
    return report

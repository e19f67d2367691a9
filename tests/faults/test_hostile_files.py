"""Ten thousand hostile rosters and photos (I12)."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import pytest

from tests.checkin.fuzzing import fuzz


@pytest.mark.promise("I12")
def test_ten_thousand_hostile_files_have_no_effect(tmp_path: Path) -> None:
    first = int(os.environ.get("CLASSROOM_AGENT_SEED", random.randrange(10**6)))
    sys.stderr.write(f"CLASSROOM_AGENT_SEED={first}\n")
    done = fuzz(tmp_path, first, 5000, timeout_s=1200)
    sys.stderr.write(f"{done}\n")
    assert done["inputs"] == 10_000

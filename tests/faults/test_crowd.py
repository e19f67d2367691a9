"""A crowd at the door, replayed on the clip's own time: nobody is taken for somebody else.

The whole one (80 people, ten minutes) is `python -m bench.crowd`; figures in bench/RESULTS.md.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.crowd import replay
from bench.door_node import MODELS
from models.faces import ENGINES, FALLBACK_ENGINE, load_engine
from models.weights import ModelError


def fast_engine() -> str:
    """The better engine; the test that needs it skips loudly where its files are not installed."""
    try:
        return load_engine(ENGINES[0], models_folder=MODELS).name
    except ModelError as error:
        pytest.skip(f"SKIPPED LOUDLY: {error}; run: classroom-agent models install")


def test_sixteen_people_and_two_strangers_in_two_minutes(shared_media: Path, tmp_path: Path) -> None:
    engine = fast_engine()
    assert engine != FALLBACK_ENGINE
    found = replay(
        tmp_path, shared_media, people=16, strangers=2, seconds=120.0, engine=engine, true_speed=False
    )
    assert found["wrong"] == 0
    assert found["accepted_at_first_try"] >= 14, found["not_accepted_at_first_try"]
    assert set(found["strangers"]) <= {"unknown", "failed", "no answer"}
    marked, records = found["records_marked_simulated"].split("/")
    assert marked == records != "0"
    assert found["seconds_to_answer"]["p95"] <= 1.5

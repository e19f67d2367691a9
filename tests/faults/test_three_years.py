"""Three years of footage in the index: the recorder starts at once, the page asks as on the first day."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import index


@pytest.mark.promise("I11")
def test_three_years_of_footage_delay_neither_the_recorder_nor_the_page(tmp_path: Path) -> None:
    found = index.measure(tmp_path, index.SEGMENTS, records=10_000)
    print(json.dumps(found))  # noqa: T201 (the figures are what the run is for)
    assert found["start"]["first_recorded_frame_s"] <= index.START_LIMIT_S
    # Without its journal it looks through the folders of all runs first, all touched within the hour.
    assert found["start_without_journal"]["first_recorded_frame_s"] <= index.START_LIMIT_S
    assert found["queries"]["timeline_of_a_day_ms"]["median"] <= index.TIMELINE_LIMIT_MS
    assert found["queries"]["coverage_of_a_day_ms"]["median"] <= index.TIMELINE_LIMIT_MS

"""Wall time beside the playlist's time: gaps take no time in one of them, ticks tile exactly."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.recording.pieces import Piece, Pieces, PlayableSegment, stretches
from agent.web.placement import Place, places

S = 1_000_000


def segment(run: str, sequence: int, start_s: float, first_tick: int, seconds: int) -> PlayableSegment:
    end = first_tick + seconds * 1000
    pieces = Pieces.of([Piece(first_tick, end, 100, 200)])
    return PlayableSegment(run, sequence, Path("x"), round(start_s * S), first_tick, end, 1000, pieces, 100)


def test_wall_jitter_inside_a_run_leaves_no_seam_in_the_playlist() -> None:
    run = stretches([segment("a", 3, 10.0, 5000, 10), segment("a", 4, 20.013, 15_000, 10)])
    assert places(run, 0) == [Place(10.0, 0.0, 10.0), Place(pytest.approx(20.013), 10.0, 10.0)]


def test_a_gap_takes_time_on_the_wall_and_none_in_the_playlist() -> None:
    runs = stretches(
        [segment("a", 0, 10.0, 0, 20), segment("b", 0, 95.0, 0, 10), segment("b", 2, 120.0, 10_000, 5)]
    )
    assert [(p.wall, p.media) for p in places(runs, 5 * S)] == [(5.0, 0.0), (90.0, 20.0), (115.0, 30.0)]

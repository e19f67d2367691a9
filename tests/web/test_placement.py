"""Segments on the player's time line: ticks tile exactly, and nothing covers what came before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.store.access import View
from agent.store.overview import Footage
from agent.web.media import Growing
from agent.web.placement import playable

S = 1_000_000
VIEW = View("view", None, 0, 100 * S, "on_site")


def footage(run: str, sequence: int, start_s: float, first_tick: int, seconds: int) -> Footage:
    start_us = round(start_s * S)
    end_tick = first_tick + seconds * 1000
    return Footage(
        run, sequence, "x", first_tick, end_tick, start_us, start_us + seconds * S, 1, None, 1000, False
    )


def places(segments: list[Footage], growing: Growing | None = None) -> list[tuple[float, float]]:
    return [(item["from"], item["to"]) for item in playable(segments, growing, VIEW)]


def test_wall_jitter_inside_a_run_leaves_no_seam() -> None:
    run = [footage("a", 3, 10.0, 5000, 10), footage("a", 4, 20.013, 15_000, 10)]
    assert places(run) == [(10.0, 20.0), (20.0, 30.0)]


def test_after_a_clock_that_was_set_back_footage_follows_footage() -> None:
    runs = [footage("a", 0, 10.0, 0, 20), footage("b", 0, 15.0, 0, 10), footage("b", 1, 25.0, 10_000, 10)]
    assert places(runs) == [(10.0, 30.0), (30.0, 40.0), (40.0, 50.0)]


def test_the_growing_segment_comes_last_and_once() -> None:
    growing = Growing("a", 1, Path("x"), 20 * S, 26 * S, 10_000, 1000, 5)
    closed = footage("a", 0, 10.0, 0, 10)
    assert places([closed], growing) == [(10.0, 20.0), (20.0, pytest.approx(26.0))]
    assert places([closed, footage("a", 1, 20.0, 10_000, 6)], growing) == [(10.0, 20.0), (20.0, 26.0)]

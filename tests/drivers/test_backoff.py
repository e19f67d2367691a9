"""Waiting times between attempts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.cameras.backoff import Backoff


@given(st.lists(st.floats(0, 1000), max_size=60))
def test_every_wait_is_within_its_bounds(held: list[float]) -> None:
    backoff = Backoff(first=0.5, longest=30.0, settled=10.0)
    ceiling = 0.5
    for seconds in held:
        if seconds >= 10.0:
            ceiling = 0.5
        wait = backoff.failed(seconds)
        assert ceiling / 2 <= wait <= ceiling
        ceiling = min(30.0, ceiling * 2)


def test_a_camera_that_answers_and_fails_at_once_is_not_asked_ever_faster() -> None:
    backoff = Backoff(uniform=lambda low, high: low)
    waits = [backoff.failed(held_seconds=0.1) for _ in range(4)]
    assert waits == [0.25, 0.5, 1.0, 2.0]
    assert backoff.attempts == 4


def test_a_year_of_failures_does_not_overflow() -> None:
    backoff = Backoff(first=1, longest=30)
    backoff.attempts = 10_000_000
    assert 15 <= backoff.failed() <= 30


@pytest.mark.parametrize(("first", "longest"), [(0, 1), (-1, 1), (2, 1)])
def test_impossible_bounds_are_refused(first: float, longest: float) -> None:
    with pytest.raises(ValueError, match="0 < first <= longest"):
        Backoff(first=first, longest=longest)

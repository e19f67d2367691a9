"""The plan as the keeper leaves it, and the first instant at which footage was wanted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.recording.plan import Plan, PlannedSession

instants = st.integers(0, 100)
intervals = st.lists(st.tuples(instants, instants).map(sorted).map(tuple), max_size=4)


@given(valid_until=instants, planned=intervals, a=instants, b=instants)
@pytest.mark.promise("I3")
def test_first_wanted_is_the_first_instant_that_the_plan_wants(
    valid_until: int, planned: list[tuple[int, int]], a: int, b: int
) -> None:
    sessions = tuple(PlannedSession(str(n), "whole", *each, (), 0) for n, each in enumerate(planned))
    plan = Plan(0, valid_until, sessions)
    expected = next((instant for instant in range(a, b) if plan.wants(instant)), None)
    assert plan.first_wanted(a, b) == expected

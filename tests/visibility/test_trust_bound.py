"""The exact upper bound of a rate."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.visibility.trust_bound import at_most, units_for, upper_bound

UNITS = st.integers(1, 400)


@pytest.mark.rule("R6")
@given(st.data())
def test_at_the_bound_so_few_errors_come_about_once_in_twenty(data: st.DataObject) -> None:
    units = data.draw(UNITS)
    errors = data.draw(st.integers(0, min(units - 1, 40)))
    bound = upper_bound(errors, units)
    assert errors / units < bound < 1
    assert at_most(errors, units, bound) == pytest.approx(0.05, abs=1e-4)
    assert at_most(errors, units, bound * 0.99) > 0.05 > at_most(errors, units, min(1, bound * 1.01))


@pytest.mark.rule("R6")
@given(UNITS, UNITS)
def test_more_units_without_an_error_lower_it_and_an_error_raises_it(first: int, second: int) -> None:
    few, many = sorted((first, second))
    assert upper_bound(0, many) <= upper_bound(0, few)
    assert upper_bound(1, few + 1) > upper_bound(0, few + 1)


def test_the_figures_that_people_are_told() -> None:
    """Clopper and Pearson, one-sided at 95 %: tables, and the rule of three."""
    assert upper_bound(0, 30) == pytest.approx(0.0950, abs=5e-5)
    assert upper_bound(0, 60) == pytest.approx(0.0487, abs=5e-5)
    assert upper_bound(0, 300) == pytest.approx(0.0099, abs=5e-5)
    assert upper_bound(1, 20) == pytest.approx(0.2161, abs=5e-5)
    assert (upper_bound(0, 0), upper_bound(5, 5)) == (1.0, 1.0)
    with pytest.raises(ValueError, match="2 errors of 1"):
        upper_bound(2, 1)


@pytest.mark.parametrize(("hours", "more"), [(30, 49), (60, 96), (300, 476)])
def test_with_one_disputed_class_hour_the_bound_is_as_low_and_luck_little_likelier(
    hours: int, more: int
) -> None:
    """A room whose true rate is the bound passes without a violation, or with one among the first hours and
    none in all that follow."""
    assert units_for(1, hours) == more and units_for(0, hours) == hours
    rate = upper_bound(0, hours)
    assert upper_bound(1, more) <= rate < upper_bound(1, more - 1)
    second_chance = hours * rate * (1 - rate) ** (more - 1)
    assert (1 - rate) ** hours + second_chance < 0.076

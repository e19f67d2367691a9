"""How large the rate of an error may still be, after so many units of which so many erred.

Clopper and Pearson (Biometrika 26, 1934): the bound is the rate at which so few errors, or fewer, would come
about with probability 1 - confidence. It holds whatever the rate is, unlike the normal approximation, which
gives 0 for no error."""

from __future__ import annotations

from math import exp, expm1, lgamma, log, log1p
from typing import Final

CONFIDENCE: Final = 0.95


def upper_bound(errors: int, units: int, confidence: float = CONFIDENCE) -> float:
    """The one-sided upper bound of the rate, 0..1; 1 without units. ValueError for numbers that are none."""
    if not 0 <= errors <= units or not 0 < confidence < 1:
        raise ValueError(f"{errors} errors of {units} units at {confidence}")
    if errors == units:
        return 1.0
    if errors == 0:
        return float(-expm1(log(1 - confidence) / units))
    low, high = errors / units, 1.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        if at_most(errors, units, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def units_for(errors: int, without_error: int) -> int:
    """So many units with `errors` bound the rate as well as `without_error` do with none. ValueError for
    numbers that are none."""
    most = upper_bound(0, without_error)
    units = max(errors, without_error)
    while upper_bound(errors, units) > most:
        units += 1
    return units


def at_most(errors: int, units: int, rate: float) -> float:
    """Probability of so many errors or fewer in `units` independent ones of which each errs at `rate`."""
    if rate <= 0:
        return 1.0
    if rate >= 1:
        return float(errors >= units)
    ways = [lgamma(units + 1) - lgamma(k + 1) - lgamma(units - k + 1) for k in range(errors + 1)]
    return min(1.0, sum(exp(w + k * log(rate) + (units - k) * log1p(-rate)) for k, w in enumerate(ways)))

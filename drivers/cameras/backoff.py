"""Waiting times between attempts to reach a camera again."""

from __future__ import annotations

import random
from collections.abc import Callable


class Backoff:
    """Exponential, bounded, with jitter, so that ten devices behind one switch do not ask in step.

    The n-th wait is drawn from the upper half of `first * 2**n` seconds, which grows until `longest`.
    A connection that held for `settled` seconds counts as good and starts again at `first`; a camera that
    answers and fails at once does not, or it would be asked without a pause.

    >>> backoff = Backoff(first=1.0, longest=8.0, uniform=lambda low, high: high)
    >>> [backoff.failed() for _ in range(5)]
    [1.0, 2.0, 4.0, 8.0, 8.0]
    >>> backoff.failed(held_seconds=120.0)
    1.0
    """

    def __init__(
        self,
        *,
        first: float = 0.5,
        longest: float = 30.0,
        settled: float = 10.0,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        if not 0 < first <= longest:
            raise ValueError(f"first = {first}, longest = {longest}: expected 0 < first <= longest")
        self._first = first
        self._longest = longest
        self._settled = settled
        self._uniform = uniform
        self.attempts = 0
        """Failures since the last connection that held."""

    def failed(self, held_seconds: float = 0.0) -> float:
        """Seconds to wait before the next attempt, after a connection that held for `held_seconds`."""
        if held_seconds >= self._settled:
            self.attempts = 0
        # The exponent is bounded before the power is taken: a camera may be away for a year.
        ceiling = min(self._longest, self._first * 2.0 ** min(self.attempts, 32))
        self.attempts += 1
        return self._uniform(ceiling / 2, ceiling)

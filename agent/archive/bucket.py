"""A token bucket: no more than so many bytes a second, however fast the disk or the network is."""

from __future__ import annotations

import time
from collections.abc import Callable


class TokenBucket:
    """`take` tells how long to wait; it never waits itself.

    >>> bucket = TokenBucket(1000, now=lambda: 0.0)
    >>> [bucket.take(1000), bucket.take(500)]
    [0.0, 0.5]
    """

    def __init__(self, bytes_per_second: int, now: Callable[[], float] = time.monotonic) -> None:
        """Full at first: the first second's bytes pass at once."""
        self._rate = bytes_per_second
        self._now = now
        self._level = float(bytes_per_second)
        self._filled = now()

    def take(self, amount: int) -> float:
        """Count `amount` bytes as moved; seconds to wait before the next, 0 below the rate."""
        now = self._now()
        self._level = min(float(self._rate), self._level + (now - self._filled) * self._rate)
        self._filled = now
        self._level -= amount
        return max(0.0, -self._level / self._rate)

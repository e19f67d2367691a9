"""Which records are under way to a destination, and when they go again. Pure: no network, no database."""

from __future__ import annotations

from collections.abc import Sequence

FIRST_TIMEOUT_S = 5.0
LONGEST_TIMEOUT_S = 60.0


class Window:
    """Records sent on this connection that have no receipt yet, at most `size` of them.

    When no receipt comes for `timeout_s`, everything without one goes again, oldest first, and the timeout
    doubles up to a minute; any receipt that says something new sets it back. Times are monotonic seconds.
    """

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ValueError(f"a window of {size} records lets none go")
        self.size = size
        self.timeout_s = FIRST_TIMEOUT_S
        self.resends = 0
        """How often everything under way was sent again for want of receipts."""
        self.sent_through = 0
        """The next record to send is the first unreceipted one beyond this."""
        self._in_flight: set[int] = set()
        self._waiting_since = 0.0

    @property
    def in_flight(self) -> int:
        return len(self._in_flight)

    @property
    def room(self) -> int:
        """How many more records may be sent now."""
        return self.size - len(self._in_flight)

    def restart(self, receipted_through: int) -> None:
        """Begin again behind the cursor: what was on a dead connection, or got no receipt, goes again."""
        self.sent_through = receipted_through
        self._in_flight.clear()

    def sent(self, sequence: int, now_s: float) -> None:
        """`sequence` went out. ValueError unless in order and within the window."""
        if sequence <= self.sent_through or self.room < 1:
            raise ValueError(f"record {sequence} sent out of order or beyond the window")
        if not self._in_flight:
            self._waiting_since = now_s
        self._in_flight.add(sequence)
        self.sent_through = sequence

    def receipted(self, ranges: Sequence[tuple[int, int]], now_s: float) -> None:
        """Receipts came for the inclusive `ranges`, however wide they are."""
        before = len(self._in_flight)
        for first, last in ranges:
            self._in_flight = {sequence for sequence in self._in_flight if not first <= sequence <= last}
        if len(self._in_flight) < before:
            self._waiting_since = now_s
            self.timeout_s = FIRST_TIMEOUT_S

    def is_overdue(self, now_s: float) -> bool:
        """Whether something is under way and no receipt has come for the timeout."""
        return bool(self._in_flight) and now_s - self._waiting_since >= self.timeout_s

    def resend(self, receipted_through: int) -> None:
        """No receipt came: everything unreceipted goes again, and the next wait is twice as long."""
        self.timeout_s = min(LONGEST_TIMEOUT_S, self.timeout_s * 2)
        self.resends += 1
        self.restart(receipted_through)

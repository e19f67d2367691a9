"""The hand-over between the thread that reads a camera and the thread that uses it.

The reading thread may hang in a device or a socket; the using thread must not, and must be able to stop
at once. So they meet in a bounded queue with a deadline on every wait.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from drivers.cameras.base import CameraError

T = TypeVar("T")


class SilenceError(Exception):
    """Nothing arrived within the time that `Feed.take` was given."""


class Feed(Generic[T]):
    """Items in order from one producer to one consumer; never dropped silently, never without a bound."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._error: CameraError | None = None
        self._on_close: list[Callable[[], None]] = []

    @property
    def closed(self) -> bool:
        return self._closed.is_set()

    def wait_closed(self, seconds: float) -> bool:
        """Sleep that `close` ends: True when closed. Zero or less only asks."""
        return self._closed.wait(max(0.0, seconds))

    def put(self, item: T) -> bool:
        """Append, waiting while the queue is full (the camera's own buffers take over); False once closed."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._items) < self._capacity or self.closed)
            return self._append(item)

    def offer(self, item: T) -> bool:
        """Append without ever waiting, for callers inside a camera's callback; False when full or closed."""
        with self._changed:
            return len(self._items) < self._capacity and self._append(item)

    def replace(self, item: T) -> bool:
        """Make `item` the only one waiting: a slow consumer gets the newest, never an old one."""
        with self._changed:
            self._items.clear()
            return self._append(item)

    def _append(self, item: T) -> bool:
        if self.closed:
            return False
        self._items.append(item)
        self._changed.notify_all()
        return True

    def fail(self, error: CameraError) -> None:
        """Tell the consumer why there will be no more, after it has taken what is waiting."""
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()

    def take(self, seconds: float) -> T | None:
        """The next item; None once closed. The producer's CameraError when it failed, `SilenceError` when
        nothing came within `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._error or self.closed, seconds)
            if self.closed:
                return None
            if self._items:
                item = self._items.popleft()
                self._changed.notify_all()
                return item
            if self._error:
                raise self._error
            raise SilenceError

    def on_close(self, release: Callable[[], None]) -> None:
        """Call `release` when the feed is closed (at once when it is already), from the closing thread.

        It must end what the producer may hang in and return promptly.
        """
        with self._changed:
            if not self.closed:
                self._on_close.append(release)
                return
        release()

    def close(self) -> None:
        """Discard what waits, wake both sides, run the releases; idempotent, from any thread."""
        with self._changed:
            self._closed.set()
            self._items.clear()
            releases, self._on_close = self._on_close, []
            self._changed.notify_all()
        for release in releases:
            release()

"""One way in which an answer reaches people, in a thread of its own: a lamp or a voice that hangs, is broken
or was never fitted holds up nobody at the door.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from agent.log import get_logger

RETRY_S: Final = 30.0
"""What could not be opened or failed is tried again after so long: a loudspeaker may be plugged in later."""
STOP_S: Final = 2.0

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)

log = get_logger(__name__)


class Device(Protocol[T_contra]):
    """What an outlet drives."""

    def play(self, item: T_contra) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[T]):
    item: T


class Outlet(Generic[T]):
    """Gives a device the newest item. What was not played when a newer one came is left out: an answer to
    somebody who has passed helps nobody."""

    def __init__(
        self,
        name: str,
        open_device: Callable[[], Device[T]],
        failures: type[Exception],
        retry_s: float = RETRY_S,
    ) -> None:
        self._name = name
        self._open = open_device
        self._failures = failures
        self._retry_s = retry_s
        self._changed = threading.Condition()
        self._waiting: _Waiting[T] | None = None
        self._ends = False
        self._fault: str | None = None
        self._thread = threading.Thread(target=self._run, name=f"outlet-{name}", daemon=True)
        self._thread.start()

    @property
    def fault(self) -> str | None:
        """Why nothing comes out now, for the status board; None while it works."""
        return self._fault

    def put(self, item: T, *, yields: bool = False) -> None:
        """Play `item` next; one that `yields` only if nothing else waits. Never blocks, never raises."""
        with self._changed:
            if self._waiting is None or not yields:
                self._waiting = _Waiting(item)
                self._changed.notify()

    def close(self) -> None:
        """End the thread and its device; one that hangs is left to the process's end."""
        with self._changed:
            self._ends = True
            self._changed.notify()
        self._thread.join(STOP_S)

    def _run(self) -> None:
        while not self._ends:
            try:
                device = self._open()
            except self._failures as error:
                self._failed(error)
                self._pause()
                continue
            try:
                self._fault = None
                self._serve(device)
            except self._failures as error:
                self._failed(error)
            except Exception as error:  # the thread's boundary: said, tried again, and nobody waits for it
                log.exception("outlet.failed", outlet=self._name)
                self._fault = type(error).__name__
            with suppress(self._failures):  # it has failed already
                device.close()
            if self._fault is not None:
                self._pause()

    def _serve(self, device: Device[T]) -> None:
        while (taken := self._next()) is not None:
            device.play(taken.item)

    def _next(self) -> _Waiting[T] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._ends or self._waiting is not None)
            taken, self._waiting = self._waiting, None
            return None if self._ends else taken

    def _failed(self, error: Exception) -> None:
        if self._fault != str(error):  # once a fault, not once a try
            log.warning("outlet.failed", outlet=self._name, error=str(error))
        self._fault = str(error)

    def _pause(self) -> None:
        until = time.monotonic() + self._retry_s
        with self._changed:
            while not self._ends and (left := until - time.monotonic()) > 0:
                self._changed.wait(left)
            self._waiting = None  # it was for people who have gone

"""The thread that reads the camera, so that the recorder's state machine never waits for it.

It reconnects by itself with bounded waits; what a fault means is the state machine's to decide.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from agent.log import get_logger
from drivers.cameras.backoff import Backoff
from drivers.cameras.base import Camera, CameraError, Packet, StreamInfo

QUEUE_LIMIT_BYTES = 64 << 20
"""Two minutes of 4 Mbit/s: what may wait for a disk that stalls."""

TAKEN_TOGETHER = 100
"""Events: so that whoever works off a long queue looks up in between, to report and to be stopped."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StreamOpened:
    """The camera answers; its packets follow, a key frame first."""

    stream: StreamInfo


@dataclass(frozen=True, slots=True)
class CameraFault:
    """The camera cannot be opened, ended or fell silent; the next attempt follows by itself."""

    message: str


@dataclass(frozen=True, slots=True)
class Overrun:
    """The disk did not keep up and packets were dropped; the stream goes on with a key frame."""


Event = StreamOpened | Packet | CameraFault | Overrun


class CameraFeed:
    """Events of one camera in order, from a thread of its own."""

    def __init__(
        self,
        camera: Camera,
        silence_seconds: float,
        *,
        together_seconds: float = 0.0,
        backoff: Backoff | None = None,
        limit_bytes: int = QUEUE_LIMIT_BYTES,
    ) -> None:
        """`together_seconds`: the footage that is handed over at once (`Camera.batches`)."""
        self._camera = camera
        self._silence_seconds = silence_seconds
        self._together_seconds = together_seconds
        self._backoff = backoff or Backoff()
        self._limit_bytes = limit_bytes
        self._events: deque[Event] = deque()
        self._waiting_bytes = 0
        self._dropping = False
        self._opened_ns = 0
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._read_for_ever, name="camera-feed", daemon=True)

    @property
    def is_dropping(self) -> bool:
        """True while the queue is full and packets go unrecorded."""
        return self._dropping

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def take(self, seconds: float) -> list[Event]:
        """The next events in order, at most `TAKEN_TOGETHER`; [] when nothing happened within `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: self._events, seconds)
            events = [self._events.popleft() for _ in range(min(len(self._events), TAKEN_TOGETHER))]
            self._waiting_bytes -= sum(len(event.data) for event in events if isinstance(event, Packet))
            return events

    def close(self) -> None:
        """Let the camera go; what waits can still be taken."""
        self._closed.set()
        self._camera.close()
        self._thread.join(timeout=5.0)

    def _read_for_ever(self) -> None:
        while not self._closed.is_set():
            self._opened_ns = 0
            message = self._read_once()
            if self._closed.is_set():
                return
            self._put(CameraFault(message))
            held = (time.monotonic_ns() - self._opened_ns) / 1e9 if self._opened_ns else 0.0
            pause = self._backoff.failed(held)
            log.warning("camera.fault", camera=self._camera.name, reason=message, retry_in_s=round(pause, 1))
            self._closed.wait(pause)

    def _read_once(self) -> str:
        """Read until the stream ends; what ended it."""
        try:
            stream: StreamInfo | None = None
            for batch in self._camera.batches(self._silence_seconds, self._together_seconds):
                if self._camera.stream is not stream:
                    stream = self._camera.stream
                    self._opened_ns = self._opened_ns or time.monotonic_ns()
                    self._put(StreamOpened(stream))
                self._put_packets(batch)
        except CameraError as error:
            return str(error)
        except Exception as error:
            # Thread boundary: a fault in a driver must cost a reconnect, never the recorder.
            log.exception("camera.driver_fault", camera=self._camera.name)
            return f"{type(error).__name__} in the driver"
        return "the stream ended"

    def _put_packets(self, packets: Sequence[Packet]) -> None:
        with self._changed:
            for packet in packets:
                self._append(packet)
            self._changed.notify_all()

    def _append(self, packet: Packet) -> None:
        if self._dropping and not (packet.is_key_frame and self._waiting_bytes < self._limit_bytes // 2):
            return
        self._dropping = self._waiting_bytes + len(packet.data) > self._limit_bytes
        if self._dropping:
            log.error("camera.overrun", camera=self._camera.name, waiting_bytes=self._waiting_bytes)
            self._events.append(Overrun())
        else:
            self._waiting_bytes += len(packet.data)
            self._events.append(packet)

    def _put(self, event: StreamOpened | CameraFault) -> None:
        with self._changed:
            self._dropping = False  # a new stream begins with a key frame of its own
            self._events.append(event)
            self._changed.notify_all()

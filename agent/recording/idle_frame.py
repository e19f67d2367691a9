"""While nothing is recorded: the camera's newest key frame, left in memory for the watch role to look at.

The recorder decodes nothing (I11) and keeps nothing here: one picture, still encoded, replaced every few
seconds and taken away when recording begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from agent import board
from agent.clock import Stamp
from agent.log import get_logger
from agent.recording.feed import Event, StreamOpened
from agent.recording.recorder import State
from drivers.cameras.base import Packet, StreamInfo

INTERVAL_NS: Final = 4_000_000_000

log = get_logger(__name__)


class IdleFrame:
    """Sees every event. A runtime folder that cannot be written is logged once and costs nothing else."""

    def __init__(self, path: Path, *, simulated: bool) -> None:
        self._path = path
        self._simulated = simulated
        self._stream: StreamInfo | None = None
        self._next_ns = 0
        self._lies_there = True
        """Maybe, from a process before."""
        self._is_troubled = False

    def see(self, events: Sequence[Event], state: State, now: Stamp) -> None:
        """What came since the last call, and the recorder's state after it."""
        for event in events:
            if isinstance(event, StreamOpened):
                self._stream = event.stream
        if state is not State.PAUSED:
            self._take_away()
        elif now.monotonic_ns >= self._next_ns:
            packets = (event for event in reversed(events) if isinstance(event, Packet))
            newest = next((packet for packet in packets if packet.is_key_frame), None)
            if newest is not None:
                self._publish(newest, now)

    def _publish(self, packet: Packet, now: Stamp) -> None:
        if self._stream is None:
            return
        self._next_ns = now.monotonic_ns + INTERVAL_NS
        about = {
            "codec": self._stream.codec,
            "extradata": self._stream.extradata.hex(),
            "at_us": now.wall_us,
            "monotonic_ns": now.monotonic_ns,
            "boot_id": now.boot_id,
            "simulated": self._simulated,
        }
        try:
            board.publish_key_frame(self._path, about, packet.data)
            self._lies_there, self._is_troubled = True, False
        except OSError as error:
            self._trouble(error)

    def _take_away(self) -> None:
        if not self._lies_there:
            return
        try:
            self._path.unlink(missing_ok=True)
            self._lies_there = False
        except OSError as error:
            self._trouble(error)

    def _trouble(self, error: OSError) -> None:
        if not self._is_troubled:
            log.warning("idle_frame.unwritable", reason=str(error))
        self._is_troubled = True

"""The last seconds of video in memory, from a key frame on.

While nothing is recorded, packets go through here: a session that a person opens at once is then recorded
from some seconds before, and a disk that comes back at once costs no frame.
"""

from __future__ import annotations

from collections import deque

from drivers.cameras.base import Packet


class GopBuffer:
    """Whole groups of pictures, the newest `seconds` and at most `limit_bytes` of them."""

    def __init__(self, seconds: float = 10.0, limit_bytes: int = 32 << 20) -> None:
        self._span_ns = int(seconds * 1_000_000_000)
        self._limit_bytes = limit_bytes
        self._groups: deque[list[Packet]] = deque()
        self._bytes = 0

    def add(self, packet: Packet) -> None:
        """Keep `packet`, dropping whole groups that are too old or too much; a packet without the key frame
        before it is not kept."""
        if packet.is_key_frame:
            self._groups.append([])
        elif not self._groups:
            return
        self._groups[-1].append(packet)
        self._bytes += len(packet.data)
        # A group may go when the groups after it alone reach back far enough.
        while len(self._groups) > 1 and (
            packet.arrived_ns - self._groups[1][0].arrived_ns >= self._span_ns
            or self._bytes > self._limit_bytes
        ):
            self._bytes -= sum(len(dropped.data) for dropped in self._groups.popleft())
        if self._bytes > self._limit_bytes:  # a single group without end: wait for the next key frame
            self.clear()

    def take(self) -> list[Packet]:
        """Everything kept, in order, and nothing afterwards."""
        packets = [packet for group in self._groups for packet in group]
        self.clear()
        return packets

    def clear(self) -> None:
        self._groups.clear()
        self._bytes = 0

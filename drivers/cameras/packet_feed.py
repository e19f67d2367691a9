"""The hand-over of encoded packets, several at once: to wake a thread for each frame costs more CPU time than
everything else that is done with the frame.

Whoever writes fragments of half a second needs no packet earlier than the one that ends the fragment. So the
reading thread wakes the other one by the same rule as the muxer's: a fragment begins with a key frame, or
with `together_seconds` of decoding time since it began. The packet after that one ends the batch: the first
of a fragment is held back by the writer until its duration is known, and only then is the fragment before it
whole. (Batches that ended with that first packet made each fragment wait for half a second more.) With 0
every packet is handed over as it comes.

The reading thread itself may let packets gather in the socket until shortly before the batch is due
(`burst_seconds`): to wake for each costs some 40 % of the recorder's CPU time.
"""

from __future__ import annotations

import time

from drivers.cameras.base import Packet, StreamInfo
from drivers.cameras.feed import Feed, SilenceError

_AWAKE_S = 0.1
"""Before the packet that ends a batch is due the reader waits for it awake: what ends a fragment, and a key
frame in its time, is late by nothing."""

_LINGER_S = 0.25
"""Beyond `together_seconds`: packets that the camera does not follow up are handed over all the same."""


class PacketFeed(Feed[Packet | StreamInfo]):
    """A queue of packets in their order; a `StreamInfo` stands before the first packet that it describes."""

    def __init__(self, capacity: int, together_seconds: float = 0.0) -> None:
        super().__init__(capacity)
        self._together_seconds = together_seconds
        self._span = 0
        self._fragment_dts: int | None = None
        """Where the fragment in hand began."""
        self._one_more = False
        """True: a fragment has just begun, and the next packet makes the one before it whole."""
        self._last_dts = 0
        self._batch: tuple[float, int] | None = None
        """(our time in seconds, decoding time) of the packet that ended the last batch."""
        self._tick_s = 0.0
        self._is_due = False
        self._silent_since = time.monotonic()

    @property
    def burst_seconds(self) -> float:
        """See `PacketSink`; 0 until the first batch has shown the stream's pace. By the packets' own
        time: one that ended a batch amid a sleep was read late, and the next is due all the same."""
        if self._batch is None:
            return 0.0
        ended_s, ended_dts = self._batch
        gone_s = max(time.monotonic() - ended_s, (self._last_dts - ended_dts) * self._tick_s)
        return max(0.0, self._together_seconds - gone_s - _AWAKE_S)

    def begin(self, stream: StreamInfo) -> None:
        """The packets from now on are of `stream`."""
        with self._changed:
            self._items.append(stream)
            self._span = int(self._together_seconds / stream.time_base)
            self._tick_s = float(stream.time_base)
            self._fragment_dts = self._batch = None

    def take_together(self, seconds: float) -> list[Packet | StreamInfo] | None:
        """What waits, once it is due; None once closed. The producer's CameraError when it failed,
        `SilenceError` when nothing came for `seconds`."""
        with self._changed:
            while True:
                left = self._silent_since + seconds - time.monotonic()
                patience = min(max(left, 0.0), self._together_seconds + _LINGER_S)
                self._changed.wait_for(lambda: self._is_due or self._error or self.closed, patience)
                if self.closed:
                    return None
                if self._items:
                    return self._take_all()
                if self._error:
                    raise self._error
                if left <= 0:
                    raise SilenceError

    def _take_all(self) -> list[Packet | StreamInfo]:
        items = list(self._items)
        self._items.clear()
        self._is_due = False
        self._changed.notify_all()  # the producer may wait for room
        return items

    def _append(self, item: Packet | StreamInfo) -> bool:
        if self.closed:
            return False
        self._items.append(item)
        self._silent_since = time.monotonic()
        if not isinstance(item, Packet):
            return True
        self._last_dts = item.dts
        if self._ends_a_batch(item):
            self._batch = (self._silent_since, item.dts)
            self._is_due = True
            self._changed.notify_all()
        return True

    def _ends_a_batch(self, packet: Packet) -> bool:
        begins = (
            packet.is_key_frame or self._fragment_dts is None or packet.dts - self._fragment_dts >= self._span
        )
        if begins:
            self._fragment_dts = packet.dts
        ends, self._one_more = self._one_more, begins
        return ends or not self._span or len(self._items) >= self._capacity

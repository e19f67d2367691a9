"""The kernel's receive buffer of a camera's connection: packets gather there, so that the thread that
reads wakes a few times a second and not for each, and never more of them than the buffer holds.

A TCP window begins with 64 KB, less than one key frame; what does not fit waits in the camera, and a camera
with a small buffer drops it. So the window is asked for first: SO_RCVLOWAT makes Linux grow buffer and window
to that size at once (socket(7), tcp(7)), where it otherwise waits for a reader that is quick. The same option
makes poll(2) sleep until as much is there, and end early when the window is nearly closed: the camera never
waits for a reader that sleeps.
"""

from __future__ import annotations

import os
import select
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Protocol, Self

from drivers.cameras.base import Packet

WINDOW_BYTES = 2 << 20
"""Asked for: 0.4 s of 40 Mbit/s. The kernel gives at most half of net.ipv4.tcp_rmem's maximum (6 MiB)."""

LEAST_WINDOW_BYTES = 1 << 20
"""With a smaller one nothing is left to gather: a key frame in 4K and what comes after it must fit."""


_RCV_SSTHRESH = slice(64, 68)
"""In Linux' struct tcp_info: the window that the kernel is ready to offer."""

_AT_ONCE_NS = 5_000_000
"""A packet that is there so soon after the one before was read had arrived already."""


class ReceiveBuffer:
    """Of one connection that another library reads."""

    def __init__(self, connection: socket.socket) -> None:
        """`connection` is closed with this; its options stay with the library's own descriptor."""
        self._connection = connection
        self._poll = select.poll()
        self._poll.register(connection, select.POLLIN)
        self._wake_at(WINDOW_BYTES)
        self._wake_at(1)

    @property
    def window_bytes(self) -> int:
        """What may wait here and not in the camera: the kernel opens the window it was asked for as packets
        come, most of it with the first key frame."""
        told = self._connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _RCV_SSTHRESH.stop)
        return int.from_bytes(told[_RCV_SSTHRESH], sys.byteorder)

    @classmethod
    def of_new_connection(cls, before: frozenset[int]) -> Self | None:
        """Of the only TCP connection that was made since `before` was `tcp_sockets()`; None where that cannot
        be told, because other threads connect too."""
        found = {inode: fd for inode, fd in _tcp_descriptors().items() if inode not in before}
        if len(found) != 1:
            return None
        return cls(socket.socket(fileno=os.dup(found.popitem()[1])))

    def gather(self, seconds: float) -> None:
        """Sleep while packets gather: `seconds`, or until the window is nearly full or the stream ends."""
        if self.window_bytes < LEAST_WINDOW_BYTES:
            return
        self._wake_at(WINDOW_BYTES)
        try:
            self._poll.poll(seconds * 1000)
        finally:
            self._wake_at(1)  # whoever reads must not wait for as much

    def is_there(self) -> bool:
        """Whether something waits to be read, or the stream has ended. Never waits."""
        return bool(self._poll.poll(0))

    def _wake_at(self, waiting_bytes: int) -> None:
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, waiting_bytes)

    def close(self) -> None:
        self._connection.close()


def tcp_sockets() -> frozenset[int]:
    """This process's TCP sockets, by inode (a descriptor's number is soon given to another)."""
    return frozenset(_tcp_descriptors())


def _tcp_descriptors() -> dict[int, int]:
    found = {}
    for entry in Path("/proc/self/fd").iterdir():
        fd = int(entry.name)
        with suppress(OSError):  # closed by another thread since it was listed
            status = os.fstat(fd)
            if stat.S_ISSOCK(status.st_mode) and _is_tcp(fd):
                found[status.st_ino] = fd
    return found


def _is_tcp(fd: int) -> bool:
    with socket.socket(fileno=os.dup(fd)) as own:
        return own.family in (socket.AF_INET, socket.AF_INET6) and own.type == socket.SOCK_STREAM


class Gathering(Protocol):
    """What `in_bursts` asks of a `ReceiveBuffer`."""

    def gather(self, seconds: float) -> None: ...

    def is_there(self) -> bool: ...


def in_bursts(
    packets: Iterable[Packet],
    tick: Fraction,
    pause: Callable[[], float],
    buffer: Gathering,
    now_ns: Callable[[], int] = time.monotonic_ns,
) -> Iterator[Packet]:
    """`packets` of a live connection, with sleeps of `pause()` seconds in between, as long as that is
    above 0. `tick` of their stamps in seconds; `now_ns` as in `Packet.arrived_ns`.

    Nobody saw when a packet arrived that gathered: it is reckoned from the last one that was waited for, by
    the stamps between the two, and lies within the sleep. One gathered when it follows at once upon the one
    before; on a machine that is too busy for that, when it should have come in the sleep and something was
    there before it was asked for.
    """
    tick_ns = float(tick * 10**9)
    seen_ns = seen_dts = slept_ns = woke_ns = last_ns = 0
    following = iter(packets)
    while True:
        was_there = slept_ns > 0 and buffer.is_there()
        packet = next(following, None)
        if packet is None:
            return
        expected_ns = seen_ns + round((packet.dts - seen_dts) * tick_ns)
        gathered = packet.arrived_ns - last_ns <= _AT_ONCE_NS or (was_there and expected_ns <= woke_ns)
        if gathered and slept_ns:
            yield replace(packet, arrived_ns=min(max(expected_ns, slept_ns), packet.arrived_ns))
        else:
            seen_ns, seen_dts, slept_ns = packet.arrived_ns, packet.dts, 0
            yield packet
        last_ns = packet.arrived_ns
        if not gathered and (seconds := pause()) > 0:
            slept_ns = now_ns()
            buffer.gather(seconds)
            last_ns = woke_ns = now_ns()

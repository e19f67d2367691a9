"""What a camera really sent: a wire between an RTSP server and its client that notes each video packet.

An independent reader: it takes the RTP packets (RFC 3550) out of the interleaved stream (RFC 2326, 10.12) as
they pass, without any of the code under test, so that a test can say "recorded is what was sent" to the tick.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import socket
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

CHUNK, TAIL, FU_A = 1 << 16, 48, 28
TICKS_PER_SECOND = 90_000
"""Of the RTP clock of any video."""
_VIDEO = re.compile(rb"^m=video \d+ \S+ (\d+)", re.MULTILINE)
_LENGTH = re.compile(rb"\r\nContent-Length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class RtpPacket:
    """One packet as it stood on the wire."""

    sequence: int
    timestamp: int
    """In ticks of 1/90000 s, 32 bits."""
    arrived_ns: int
    """CLOCK_MONOTONIC."""
    payload: bytes

    @property
    def picture(self) -> bytes:
        """Without the indicator and header of a fragmentation unit (RFC 6184, 5.8)."""
        return self.payload[2:] if self.payload[0] & 0x1F == FU_A else self.payload


@dataclass(frozen=True)
class Frame:
    """The packets of one RTP time stamp: a picture."""

    timestamp: int
    first_arrived_ns: int
    """CLOCK_MONOTONIC at which its first packet passed."""
    payload: bytes
    """Of all its packets, without what packs a NAL unit of H.264 into several of them."""

    @property
    def tail(self) -> bytes:
        """By which it is known again in a file: see `tail_of`."""
        return tail_of(self.payload)


@dataclass
class Connection:
    """What one client was sent."""

    packets: list[RtpPacket] = field(default_factory=list)
    """Video only."""

    @property
    def frames(self) -> list[Frame]:
        grouped = itertools.groupby(list(self.packets), key=lambda packet: packet.timestamp)
        made = [(stamp, list(packets)) for stamp, packets in grouped]
        return [
            Frame(stamp, packets[0].arrived_ns, b"".join(packet.picture for packet in packets))
            for stamp, packets in made
        ]


class RtspTap:
    """Connect to `port` instead of the server's; each connection is passed on as it is."""

    def __init__(self, server_port: int) -> None:
        self.connections: list[Connection] = []
        """In the order in which they were made; those without video stay empty."""
        self._server_port = server_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._run(self._accept)

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}/camera"

    @property
    def video(self) -> list[Connection]:
        """The connections that were sent pictures."""
        return [each for each in self.connections if each.packets]

    def close(self) -> None:
        for each in (self._listener, *self._open):
            with contextlib.suppress(OSError):  # the other end was faster
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join(5.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # closed
            server = socket.create_connection(("127.0.0.1", self._server_port))
            connection = Connection()
            self.connections.append(connection)
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._open.append(each)
            self._run(_pass_on, client, server, None)
            self._run(_pass_on, server, client, Reader(connection))


def _pass_on(source: socket.socket, target: socket.socket, reader: Reader | None) -> None:
    with contextlib.suppress(OSError):  # one end was killed: that is what many tests do
        while content := source.recv(CHUNK):
            if reader is not None:
                reader.take(content, time.monotonic_ns())
            target.sendall(content)
    for each in (source, target):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


class Reader:
    """Takes a server's bytes apart: answers in text, and packets behind a dollar sign."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._kept = b""
        self._payload_type = -1

    def take(self, content: bytes, arrived_ns: int) -> None:
        self._kept += content
        while taken := self._one(arrived_ns):
            self._kept = self._kept[taken:]

    def _one(self, arrived_ns: int) -> int:
        """Take what stands first; its length, 0 while it is not whole."""
        kept = self._kept
        if kept[:1] == b"$":
            end = 4 + int.from_bytes(kept[2:4], "big")
            if len(kept) < max(end, 4):
                return 0
            self._packet(kept[1], kept[4:end], arrived_ns)
            return end
        head = kept.find(b"\r\n\r\n")
        if head < 0:
            return 0
        length = _LENGTH.search(kept[:head])
        end = head + 4 + (int(length[1]) if length else 0)
        if len(kept) < end:
            return 0
        if described := _VIDEO.search(kept[head:end]):
            self._payload_type = int(described[1])
        return end

    def _packet(self, channel: int, packet: bytes, arrived_ns: int) -> None:
        if channel % 2 or packet[1] & 0x7F != self._payload_type:
            return  # a report, or sound
        sequence = int.from_bytes(packet[2:4], "big")
        timestamp = int.from_bytes(packet[4:8], "big")
        payload = packet[12 + 4 * (packet[0] & 0x0F) :]
        self._connection.packets.append(RtpPacket(sequence, timestamp, arrived_ns, payload))


def tail_of(content: bytes) -> bytes:
    """The end of a picture's last NAL unit: the same bytes in RTP packets (RFC 6184) and in a file."""
    return content[-TAIL:]


def steps(frames: list[Frame]) -> list[int]:
    """From each frame to the next in ticks, across the wrap of the 32 bits."""
    half, whole = 1 << 31, 1 << 32
    return [
        (following.timestamp - frame.timestamp + half) % whole - half
        for frame, following in itertools.pairwise(frames)
    ]

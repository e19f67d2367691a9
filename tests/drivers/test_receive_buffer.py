"""What a sleeping reader does to the camera: nothing. The kernel takes what comes meanwhile, wakes the reader
before its window closes, and no packet is said to have come later than it did."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.cameras.base import Packet
from drivers.cameras.receive_buffer import LEAST_WINDOW_BYTES, ReceiveBuffer, in_bursts, tcp_sockets
from tests.waiting import wait_until

SEGMENT = bytes(1448)
SENDERS_BUFFER = 32 << 10


@contextmanager
def connection() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A camera with next to no buffer, which never waits to send, and its reader."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        # Ethernet's segments: loopback's are of 64 KB, and less than one is acknowledged up to 40 ms late.
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1460)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SENDERS_BUFFER)
        with socket.create_connection(server.getsockname()) as reader:
            camera, _ = server.accept()
            with camera:
                camera.settimeout(0.2)
                yield camera, reader


def sent(camera: socket.socket, wanted: int) -> int:
    """Bytes that went out before the camera had to wait 0.2 s for its reader."""
    gone = 0
    try:
        while gone < wanted:
            gone += camera.send(SEGMENT)
    except (TimeoutError, ConnectionError):  # waited for the reader; the reader left
        pass
    return gone


@pytest.mark.promise("I3")
def test_a_new_connection_takes_a_mebibyte_that_nobody_reads() -> None:
    with connection() as (camera, reader):
        without = sent(camera, 4 << 20)
    with connection() as (camera, reader), closing(ReceiveBuffer(reader.dup())):
        with_window = sent(camera, 4 << 20)
    assert with_window >= LEAST_WINDOW_BYTES > without


@pytest.mark.promise("I3")
def test_who_reads_sleeps_only_once_the_window_is_open() -> None:
    """Then half a second of 16 Mbit/s goes out while the reader sleeps, without the camera's waiting."""
    with connection() as (camera, reader), closing(ReceiveBuffer(reader.dup())) as buffer:
        began = time.monotonic()
        buffer.gather(20.0)
        assert time.monotonic() - began < 10
        read = 0
        while buffer.window_bytes < LEAST_WINDOW_BYTES:
            assert sent(camera, 15_000) >= 15_000 and read < 1 << 20
            read += len(reader.recv(1 << 16))
        sleeper = threading.Thread(target=buffer.gather, args=(0.5,))
        sleeper.start()
        assert sent(camera, 1_000_000) >= 1_000_000
        assert sleeper.is_alive()
        sleeper.join()


@pytest.mark.promise("I3")
def test_who_sleeps_is_woken_before_the_window_closes() -> None:
    with connection() as (camera, reader), closing(ReceiveBuffer(reader.dup())) as buffer:
        sent(camera, 512 << 10)
        sender = threading.Thread(target=sent, args=(camera, 8 << 20))
        sender.start()
        began = time.monotonic()
        buffer.gather(20.0)
        woken_after = time.monotonic() - began
        reader.shutdown(socket.SHUT_RDWR)
        sender.join(20)
    assert woken_after < 10


def test_who_sleeps_is_woken_when_the_camera_hangs_up() -> None:
    with connection() as (camera, reader), closing(ReceiveBuffer(reader.dup())) as buffer:
        camera.shutdown(socket.SHUT_WR)
        began = time.monotonic()
        buffer.gather(20.0)
    assert time.monotonic() - began < 10


def test_after_the_sleep_a_single_byte_wakes_the_library_that_reads() -> None:
    with connection() as (camera, reader), closing(ReceiveBuffer(reader.dup())) as buffer:
        buffer.gather(0.01)
        camera.send(b"x")
        reader.settimeout(10)
        assert reader.recv(10) == b"x"
        assert reader.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT) == 1


def test_of_two_new_connections_neither_is_taken_for_the_cameras() -> None:
    before = tcp_sockets()
    assert ReceiveBuffer.of_new_connection(before) is None
    with socket.create_server(("127.0.0.1", 0)) as server:
        known = tcp_sockets()
        with socket.create_connection(server.getsockname()):
            with closing(ReceiveBuffer.of_new_connection(known) or pytest.fail("not found")):
                pass
            with socket.create_connection(server.getsockname()):
                assert ReceiveBuffer.of_new_connection(known) is None


class Wire:
    """Frames that arrive at `true_ns`, and a reader that needs `busy_ns` for each: a clock of its own."""

    def __init__(self, fps: int, true_ns: list[int], busy_ns: int = 0) -> None:
        self.now_ns = 10**9
        self._fps, self._true_ns, self._busy_ns = fps, true_ns, busy_ns
        self._read = 0

    def gather(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1e9)

    def is_there(self) -> bool:
        return self._read < len(self._true_ns) and self._true_ns[self._read] <= self.now_ns

    def __iter__(self) -> Iterator[Packet]:
        while self._read < len(self._true_ns):
            self.now_ns = max(self.now_ns + self._busy_ns, self._true_ns[self._read])
            dts = self._read * 90_000 // self._fps
            self._read += 1
            yield Packet(b"x", dts, dts, 0, False, self.now_ns)

    def placed(self, pause: Callable[[], float]) -> list[Packet]:
        return list(in_bursts(self, Fraction(1, 90_000), pause, self, lambda: self.now_ns))


def frames(fps: int, delays_ms: list[int]) -> list[int]:
    late = (2 * 10**9 + number * 10**9 // fps + delay * 10**6 for number, delay in enumerate(delays_ms))
    return list(itertools.accumulate(late, max))


@given(
    fps=st.integers(5, 60),
    sleep=st.floats(0.0, 0.5),
    delays_ms=st.lists(st.integers(0, 20), min_size=60, max_size=60),
)
def test_a_packet_that_gathered_is_placed_where_it_arrived(
    fps: int, sleep: float, delays_ms: list[int]
) -> None:
    """Of frames that came each at its time, up to 20 ms late, none is placed more than 25 ms wrongly, however
    long the reader slept."""
    true_ns = frames(fps, delays_ms)
    placed = Wire(fps, true_ns).placed(lambda: sleep)
    assert all(
        abs(packet.arrived_ns - true) <= 25 * 10**6 for packet, true in zip(placed, true_ns, strict=True)
    )
    assert all(a.arrived_ns <= b.arrived_ns for a, b in itertools.pairwise(placed))


@pytest.mark.promise("I8")
def test_a_reader_that_is_slow_places_what_gathered_no_later() -> None:
    """A busy machine takes 8 ms for a packet: what had gathered was there all the same, before it was read,
    late by no more than the reading took."""
    true_ns = frames(25, [0] * 100)
    wire = Wire(25, true_ns, busy_ns=8 * 10**6)
    placed = wire.placed(lambda: 0.4 - wire.now_ns % (10**9 // 2) / 1e9)  # awake for 0.1 s of each 0.5 s
    assert max(packet.arrived_ns - true for packet, true in zip(placed, true_ns, strict=True)) <= 100 * 10**6


def test_what_is_there_is_told_without_waiting() -> None:
    with connection() as (camera, reader), closing(ReceiveBuffer(reader.dup())) as buffer:
        assert not buffer.is_there()
        camera.send(b"x")
        buffer.gather(0.01)
        wait_until(buffer.is_there, 10, "the byte arrives")
        reader.recv(10)
        assert not buffer.is_there()

"""The receiving end of sd_notify(3): what systemd is to the units, for the supervisor of a desk."""

from __future__ import annotations

import array
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

_CREDENTIALS = struct.Struct("3i")
_MOST_PASSED_FILES = 16


@dataclass(frozen=True, slots=True)
class Notification:
    """One message. `sender` is the process id that the kernel vouches for."""

    sender: int
    lines: tuple[bytes, ...]


class NotificationSocket:
    """A datagram socket under an abstract name (no file to leave behind); `address` is for NOTIFY_SOCKET."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.setblocking(False)
        self._socket.bind("")  # the kernel picks a free abstract name
        self.address = "@" + self._socket.getsockname()[1:].decode("ascii")

    def fileno(self) -> int:
        return self._socket.fileno()

    def receive(self) -> Iterator[Notification]:
        """Every message that waits; does not block."""
        room = socket.CMSG_SPACE(_CREDENTIALS.size) + socket.CMSG_SPACE(4 * _MOST_PASSED_FILES)
        while True:
            try:
                message, ancillary, _, _ = self._socket.recvmsg(4096, room)
            except BlockingIOError:
                return
            sender = _take_ancillary(ancillary)
            if sender is not None:
                yield Notification(sender, tuple(message.split(b"\n")))

    def close(self) -> None:
        self._socket.close()


def _take_ancillary(ancillary: list[tuple[int, int, bytes]]) -> int | None:
    """The sender's process id. Descriptors sent along are closed: nobody fills our table of open files."""
    sender: int | None = None
    for level, kind, data in ancillary:
        if level != socket.SOL_SOCKET:
            continue
        if kind == socket.SCM_CREDENTIALS:
            sender = _CREDENTIALS.unpack_from(data)[0]
        elif kind == socket.SCM_RIGHTS:
            passed = array.array("i")
            passed.frombytes(data[: len(data) - len(data) % passed.itemsize])
            for descriptor in passed:
                socket.close(descriptor)
    return sender

"""A relay before an RTSP camera, in a process of its own: it hands everything on, and counts what its client
did not take at once.

    python -m bench.relay SERVER_PORT SEND_BUFFER

Prints its port, serves one connection, prints how many bytes waited at most after the first half mebibyte:
before, the window is as small for every reader.
"""

from __future__ import annotations

import selectors
import socket
import subprocess
import sys
from types import TracebackType
from typing import Self

WAIT_S = 20
BEGINNING = 1 << 19


class Relay:
    """What the server sends and the client's window does not take waits here, as it would in a camera."""

    def __init__(self, server_port: int, send_buffer: int) -> None:
        """`send_buffer`: of the kernel, towards the client, in bytes."""
        command = [sys.executable, "-m", "bench.relay", str(server_port), str(send_buffer)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None  # noqa: S101 (asked for a line above)
        self._output = self._process.stdout
        self._port = int(self._output.readline())

    def url(self, path: str) -> str:
        return f"rtsp://127.0.0.1:{self._port}{path}"

    def most_waiting(self) -> int:
        """Bytes, once the client has left."""
        return int(self._output.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()


def _hand_on(client: socket.socket, server: socket.socket) -> int:
    """The most that waited; ends when the client leaves, however it does."""
    waiting, most, came = bytearray(), 0, 0
    with selectors.DefaultSelector() as selector:
        selector.register(server, selectors.EVENT_READ)
        selector.register(client, selectors.EVENT_READ)
        while True:
            selector.modify(client, selectors.EVENT_READ | (selectors.EVENT_WRITE if waiting else 0))
            try:
                for key, ready in selector.select(WAIT_S):
                    if key.fileobj is server:
                        waiting += (data := server.recv(1 << 16))
                        came += len(data)
                    elif ready & selectors.EVENT_READ:
                        if not (asked := client.recv(1 << 16)):
                            return most
                        server.sendall(asked)
                del waiting[: client.send(waiting)]
            except BlockingIOError:
                most = max(most, len(waiting) if came > BEGINNING else 0)
            except ConnectionError:
                return most


def main() -> None:
    server_port, send_buffer = map(int, sys.argv[1:])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # Ethernet's segments: loopback's are of 64 KB, and less than one is acknowledged up to 40 ms late.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1460)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        listener.settimeout(WAIT_S)
        print(listener.getsockname()[1], flush=True)
        client, _ = listener.accept()
        with client, socket.create_connection(("127.0.0.1", server_port)) as server:
            client.setblocking(False)
            print(_hand_on(client, server))


if __name__ == "__main__":
    main()

"""A broker whose access list keeps something from the receiver."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading

from tests.mqtt_broker import Broker


class DenyingBroker:
    """TLS in front of the real broker that refuses one of the receiver's filters, as an access list may."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._server.load_cert_chain(broker.server.certificate_file, broker.server.key_file)
        files = broker.credentials("receiver")
        self._onward = ssl.create_default_context(cafile=str(files.ca_file))
        self._onward.load_cert_chain(files.certificate_file, files.key_file)
        threading.Thread(target=self._talk, daemon=True).start()

    def _talk(self) -> None:
        plain, _ = self._listener.accept()
        onward = socket.create_connection(("127.0.0.1", self._broker.port))
        with (
            plain,
            self._server.wrap_socket(plain, server_side=True) as near,
            self._onward.wrap_socket(onward, server_hostname="localhost") as far,
            contextlib.suppress(OSError),
        ):
            while self._carry(near, far):
                pass

    def _carry(self, near: ssl.SSLSocket, far: ssl.SSLSocket) -> bool:
        """Carry what came from either side to the other; False when one has ended. One thread does both,
        because a TLS connection may not be read and written at the same time (OpenSSL's threads(7))."""
        waiting = [side for side in (near, far) if side.pending()]
        for source in waiting or select.select([near, far], [], [])[0]:
            content = source.recv(65536)
            if not content:
                return False
            if source is far and content[0] == 0x90:  # SUBACK; its last bytes are the reasons, one a filter
                end = 2 + content[1]
                content = content[: end - 3] + bytes([0x87]) + content[end - 2 :]
            (far if source is near else near).sendall(content)
        return True

    def close(self) -> None:
        self._listener.close()

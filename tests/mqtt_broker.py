"""A real mosquitto with TLS and client certificates, for tests: start it, kill it, start it again.

Use it in a test folder by `from tests.mqtt_broker import broker  # noqa: F401` in that folder's conftest.
"""

from __future__ import annotations

import getpass
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from provincial.broker import RECEIVER_NAME, write_configuration
from provincial.pki import Credentials, init_authority, issue
from tests.waiting import wait_until


class Broker:
    """mosquitto on one loopback port. The port, the certificates and the persistence survive `kill`."""

    host = "localhost"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pki = folder / "pki"
        init_authority(self.pki)
        self.server = issue(self.pki, "broker", hosts=("localhost", "127.0.0.1"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        files = write_configuration(folder, self.server, port=self.port, user=getpass.getuser())
        self.configuration = files.configuration
        self._process: subprocess.Popen[bytes] | None = None

    def credentials(self, common_name: str = RECEIVER_NAME) -> Credentials:
        """Client certificate for a node ("institution/node"), "receiver" or "hr"; made once per name."""
        stem = common_name.replace("/", "_")
        made = Credentials(self.pki / "ca.crt", self.pki / f"{stem}.crt", self.pki / f"{stem}.key")
        return made if made.certificate_file.exists() else issue(self.pki, common_name)

    def start(self) -> None:
        """Start and wait until a TLS client is answered."""
        with (self.folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["mosquitto", "-c", str(self.configuration)], stdout=log, stderr=log
            )
        wait_until(self._answers, 10, f"mosquitto answers on port {self.port}: {self._log_tail()}")

    def kill(self) -> None:
        """SIGKILL: what the broker held in memory is gone."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM: the broker saves its persistence file."""
        self._end(signal.SIGTERM)

    def _end(self, by: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(by)
            self._process.wait(10)
            self._process = None

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"mosquitto ended: {self._log_tail()}"
        client = self.credentials()
        context = ssl.create_default_context(cafile=str(client.ca_file))
        context.load_cert_chain(client.certificate_file, client.key_file)
        try:
            with (
                socket.create_connection(("127.0.0.1", self.port), timeout=2) as plain,
                context.wrap_socket(plain, server_hostname=self.host),
            ):
                return True
        except OSError:
            return False

    def _log_tail(self) -> str:
        path = self.folder / "broker.log"
        return path.read_text(encoding="utf-8", errors="replace")[-500:] if path.exists() else ""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A running broker of this test's own."""
    if shutil.which("mosquitto") is None:
        pytest.fail("mosquitto is not installed: apt-get install mosquitto")
    folder = tmp_path / "broker"
    folder.mkdir()
    made = Broker(folder)
    made.start()
    yield made
    made.stop()

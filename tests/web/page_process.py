"""The page server as a process of its own, as an installation runs it."""

from __future__ import annotations

import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import httpx

from agent.clock import SystemClock
from agent.configuration.credential import set_first_password
from agent.configuration.setup_code import ensure_setup_code
from agent.paths import Paths
from agent.store.database import Store
from agent.web.certificate import CertificateFiles
from tests.recording.process import REPOSITORY
from tests.technician import write_settings
from tests.waiting import wait_until
from tests.web.conftest import PASSWORD, free_port


def new_paths(root: Path) -> Paths:
    """An installation's folders under `root`, empty."""
    paths = Paths(root / "state", root / "video", root / "runtime")
    for folder in (paths.keys, paths.ledger_keys, paths.photos, paths.segments, paths.status, paths.frames):
        folder.mkdir(parents=True, mode=0o700)
    return paths


class PageProcess:
    """One installation's page, started and stopped again."""

    def __init__(self, paths: Paths, *, kiosk: bool = False) -> None:
        self.paths, self.port, self._kiosk = paths, free_port(), kiosk
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def certificate(self) -> Path:
        return CertificateFiles.within(self.paths.keys).certificate

    def set_password(self, store: Store) -> None:
        """First start done, as HR staff do it; before `start`."""
        code = ensure_setup_code(self.paths.keys, store)
        assert code is not None
        now = SystemClock().now()
        set_first_password(store, now, self.paths.keys, code=code, password=PASSWORD, simulated=True)

    def start(self) -> None:
        kiosk = "true" if self._kiosk else "false"
        web = f'[web]\nhost = "127.0.0.1"\nport = {self.port}\nkiosk = {kiosk}'
        config = write_settings(self.paths, more=web, room="room-101", node="node-1")
        command = [sys.executable, "-m", "agent", "--config", str(config), "run", "web"]
        with (self.paths.state / "web.log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd=REPOSITORY, stdout=log, stderr=log)
        wait_until(self._listens, 30, "the page server listens")

    def _listens(self) -> bool:
        assert self._process is not None and self._process.poll() is None, "the page server ended"
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def client(self, timeout: float = 20) -> httpx.Client:
        context = ssl.create_default_context(cafile=str(self.certificate))
        return httpx.Client(
            base_url=self.url, verify=context, headers={"accept": "text/html"}, timeout=timeout
        )

    def cpu_ms(self) -> float:
        """CPU time of all its threads so far."""
        assert self._process is not None
        tasks = Path(f"/proc/{self._process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e6

    def end(self) -> None:
        """Ask it to end, as systemd does."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(20)
            self._process = None

"""The demonstration's processes: broker, receiver, device. They end with it, whatever happens."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from scripts.demo.stage import REPOSITORY, DemoError, Stage


class Program:
    """One process whose output goes to a log file of its own in `.demo/`."""

    def __init__(self, name: str, command: list[str], stage: Stage) -> None:
        self.name = name
        self.log = stage.folder / f"{name}.log"
        with self.log.open("ab") as log:
            # A session of its own: Ctrl-C reaches the demonstration alone, which then ends them in order.
            self._process = subprocess.Popen(
                command, cwd=REPOSITORY, stdout=log, stderr=log, start_new_session=True
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def require_alive(self) -> None:
        if self._process.poll() is not None:
            tail = self.log.read_text(encoding="utf-8", errors="replace")[-1500:]
            raise DemoError(f"{self.name} 已退出（{self._process.returncode}）/ ended; {self.log}:\n{tail}")

    def stop(self, seconds: float = 60) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def start_broker(stage: Stage, port: int, ending: ExitStack) -> Program:
    """mosquitto with TLS client certificates, answering on `port`."""
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        raise DemoError(
            "没有安装 mosquitto（MQTT 代理）。请运行 / mosquitto is not installed. Run:\n"
            "    sudo apt-get install mosquitto\n"
            "无法安装时，请换一台机器演示 / where it cannot be installed, use another "
            "machine: a device itself needs no broker of its own."
        )
    broker = Program("broker", [program, "-c", str(stage.broker_configuration)], stage)
    ending.callback(broker.stop)
    _wait(lambda: _listens(port), broker, 15)
    return broker


def start_receiver(stage: Stage, ending: ExitStack) -> Program:
    receiver = Program(
        "receiver",
        [sys.executable, "-m", "provincial", "run", "--config", str(stage.receiver_configuration)],
        stage,
    )
    ending.callback(receiver.stop)
    return receiver


def start_device(stage: Stage, ending: ExitStack) -> Program:
    device = Program("agent", [sys.executable, "-m", "agent", "--config", str(stage.settings), "run"], stage)
    ending.callback(device.stop)
    return device


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for(path: Path, of: Program, seconds: float) -> None:
    """Until `path` exists; DemoError when `of` ends first or it takes too long."""
    _wait(path.exists, of, seconds)


def _wait(ready: Callable[[], bool], program: Program, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        program.require_alive()
        if time.monotonic() > deadline:
            raise DemoError(
                f"{program.name}: {seconds:.0f} 秒内没有就绪 / not ready in {seconds:.0f} s; {program.log}"
            )
        time.sleep(0.1)

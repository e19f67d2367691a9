"""Recorders forked from one process that has imported everything: a start costs milliseconds, not a second.

`python -m tests.faults.nursery` reads one order a line (`Order` as JSON) and answers with the new process's
id; the child runs the real role, from its settings file to its exit code, as `classroom-agent run recorder`
does.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

from agent.cli.process import run_role
from agent.paths import Paths
from agent.settings import load_settings
from tests.faults.injector import Injector
from tests.recording.process import REPOSITORY, RecorderProcess
from tests.weight import weigh_as_its_unit


@dataclass(frozen=True)
class Order:
    """One recorder to be started."""

    config: str
    log: str
    control: str
    """`Injector.control`."""
    segment_seconds: int
    """Shorter than an installation may set it, so that a test sees many rotations."""


class Nursery:
    """The process that forks."""

    def __init__(self, injector: Injector) -> None:
        """`injector`: any; its library is loaded, its control steers the nursery alone."""
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.nursery"],
            cwd=REPOSITORY,
            env=os.environ | injector.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._library = str(injector.library)
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            raise AssertionError("the nursery did not start")

    def start(self, order: Order) -> Child:
        assert self._process.stdin is not None and self._process.stdout is not None
        with self._lock:
            self._process.stdin.write(json.dumps(asdict(order) | {"library": self._library}) + "\n")
            self._process.stdin.flush()
            return Child(int(self._process.stdout.readline()))

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(20)


class Child:
    """A recorder of the nursery's, as `subprocess.Popen` would show it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._descriptor: int | None = os.pidfd_open(pid)  # reaped at the nursery's next order, not before

    def poll(self) -> int | None:
        """0 when it has ended, however it ended; None while it lives."""
        return 0 if self._ends_within(0) else None

    def send_signal(self, number: int) -> None:
        if self._descriptor is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def wait(self, seconds: float) -> int:
        if not self._ends_within(seconds):
            raise AssertionError(f"process {self.pid} did not end within {seconds} s")
        return 0

    def _ends_within(self, seconds: float) -> bool:
        if self._descriptor is None:
            return True
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        if not poll.poll(seconds * 1000):
            return False
        os.close(self._descriptor)
        self._descriptor = None
        return True


class ForkedRecorder(RecorderProcess):
    """One installation's recorder, from the nursery."""

    def __init__(self, nursery: Nursery, paths: Paths, camera: str, *, segment_seconds: int = 10) -> None:
        super().__init__(paths, camera)
        self._nursery = nursery
        self._segment_seconds = segment_seconds
        self.injector = Injector(
            paths.runtime / "faults", counted=paths.state.parent, failing_under=paths.video
        )

    def require_marker(self) -> None:
        """From the next start on the video folder counts only with its marker."""
        settings = self._config.read_text(encoding="utf-8")
        self._config.write_text(
            settings.replace("require_volume_marker = false", "require_volume_marker = true"),
            encoding="utf-8",
        )

    def board(self) -> dict[str, Any]:
        """Everything that it shows."""
        content: dict[str, Any] = json.loads((self.paths.status / "recorder.json").read_bytes())
        return content

    def start(self, *interpreter_options: str) -> None:
        if interpreter_options:
            raise ValueError("the nursery's interpreter runs already")
        self._log.touch()
        order = Order(str(self._config), str(self._log), str(self.injector.control), self._segment_seconds)
        self.process = self._nursery.start(order)  # type: ignore[assignment]  # what of Popen is used, it has


def main() -> None:
    """Fork a recorder for each order until stdin ends."""
    import agent.recording.role  # noqa: F401
    import drivers.cameras.file  # noqa: F401

    print("ready", flush=True)  # noqa: T201 (the parent reads it)
    children: list[int] = []
    for line in sys.stdin:
        for pid in list(children):  # reaped only now: until the next order its id cannot be another's
            if os.waitpid(pid, os.WNOHANG)[0]:
                children.remove(pid)
        pid = os.fork()
        if pid == 0:
            _child(json.loads(line))
        children.append(pid)
        print(pid, flush=True)  # noqa: T201 (the parent reads it)


def _child(order: dict[str, str | int]) -> NoReturn:
    code = 3
    try:
        os.setsid()
        weigh_as_its_unit(os.getpid())
        log = os.open(str(order["log"]), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        ctypes.CDLL(str(order["library"])).steer(str(order["control"]).encode())
        settings = load_settings(Path(str(order["config"])))
        recording = settings.recording.model_copy(update={"segment_seconds": order["segment_seconds"]})
        code = run_role("recorder", settings.model_copy(update={"recording": recording}))
    except Exception:  # noqa: BLE001 (the process boundary: said in its log)
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


@contextlib.contextmanager
def nursery(folder: Path) -> Iterator[Nursery]:
    """A nursery for one test; `folder` holds its control file."""
    forks = Nursery(Injector(folder / "nursery"))
    try:
        yield forks
    finally:
        forks.close()


if __name__ == "__main__":
    main()

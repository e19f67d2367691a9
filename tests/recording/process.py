"""The recorder as a process of its own, as an installation runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent.paths import Paths
from tests.technician import write_settings
from tests.waiting import wait_until

REPOSITORY = Path(__file__).resolve().parents[2]


class RecorderProcess:
    """One installation's recorder, started, killed and started again."""

    def __init__(
        self, paths: Paths, camera: str, *, silence: float = 2.0, wrapper: Sequence[str] = ()
    ) -> None:
        """`camera`: the lines of `[cameras.rear]`. `wrapper` stands before the interpreter."""
        self.paths = paths
        self._wrapper = wrapper
        recording = f"[recording]\nsegment_seconds = 10\nsilence_seconds = {silence}"
        self._config = write_settings(paths, camera, recording)
        self._log = paths.state / "recorder.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *interpreter_options: str) -> None:
        program = ["-m", "agent", "--config", str(self._config), "run", "recorder"]
        command = [*self._wrapper, sys.executable, *interpreter_options, *program]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=REPOSITORY, stdout=log, stderr=log, env=dict(os.environ)
            )

    def stop(self, seconds: float = 20) -> int:
        """Ask it to end, as systemd does; its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def kill(self) -> None:
        """SIGKILL: no instruction more."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(20)

    def end(self) -> None:
        """For a test's cleanup."""
        if self.process is not None and self.process.poll() is None:
            self.kill()

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def status(self) -> dict[str, Any]:
        """The board's `detail`; {} before the first report of this process."""
        assert self.process is not None
        try:
            content = json.loads((self.paths.status / "recorder.json").read_bytes())
        except FileNotFoundError:
            return {}
        detail: dict[str, Any] = content["detail"] if content["pid"] == self.process.pid else {}
        return detail

    def wait_for(self, state: str, seconds: float = 30) -> None:
        wait_until(
            lambda: self.status().get("recorder") == state,
            seconds,
            f"state {state}; log:\n{self.log[-2000:]}",
        )

    def files(self) -> list[Path]:
        return sorted(self.paths.segments.glob("*/*.mp4"), key=lambda path: path.stat().st_mtime)

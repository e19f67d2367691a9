"""The archive's hand on the process that counts pictures afterwards (agent/visibility/recount_job.py)."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from agent.log import get_logger
from agent.settings import Settings
from agent.visibility.recounting import Recounted, Refused, Wanted

STOP_S: Final = 3.0

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why it went no further. `died`: the process ended on the picture after the last one that it answered;
    `unstartable`: before it knew of any."""

    kind: Literal["model", "disk", "died", "unstartable"]
    zh: str
    en: str


DIED: Final = Trouble("died", "补数进程意外结束", "the counting process ended unexpectedly")
UNSTARTABLE: Final = Trouble(
    "unstartable", "补数进程启动不了，见日志", "the counting process cannot be started"
)


@dataclass(frozen=True, slots=True)
class Counted:
    """What came of one segment's pictures, as far as it went."""

    pictures: tuple[Recounted | Refused, ...]
    cpu_s: float
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class CounterIdentity:
    """What is said of a `HeadCounter` beside its counts."""

    name: str
    cut: float
    finds: str


class Recounter(Protocol):
    """Counts pictures in one thread; ended from another."""

    def identity(self) -> CounterIdentity | Trouble:
        """Who counts."""
        ...

    def count(self, wanted: Wanted) -> Counted:
        """Count all of them, or as many as it can."""
        ...

    def end(self) -> None:
        """Let go of the process and its memory; a `count` that runs comes back as `died`."""
        ...


class RecountProcess:
    """A `Recounter`. The process is started for the first picture, and again when it has died."""

    def __init__(self, settings: Settings) -> None:
        self._setup = {
            "counter": settings.visibility.counter,
            "models_folder": str(settings.checkin.models_folder),
        }
        self._process: subprocess.Popen[str] | None = None
        self._identity: CounterIdentity | None = None

    def identity(self) -> CounterIdentity | Trouble:
        if self._identity is None:
            trouble = self._start()
            if trouble is not None:
                return trouble
        return self._identity or UNSTARTABLE

    def count(self, wanted: Wanted) -> Counted:
        trouble = self._start() if self._process is None else None
        process = self._process
        if trouble is not None or process is None:
            return Counted((), 0.0, trouble or UNSTARTABLE)
        found: list[Recounted | Refused] = []
        asked = {
            "path": str(wanted.path),
            "fragments": wanted.fragments.hex(),
            "start_ticks": wanted.start_ticks,
            "pictures": wanted.pictures,
        }
        try:
            _ask(process, asked)
            while True:
                said = _said(process)
                if "done" in said:
                    return Counted(tuple(found), float(said["done"]))
                if "trouble" in said:
                    return Counted(tuple(found), 0.0, Trouble(**said["trouble"]))
                found.append(_picture(said))
        except (OSError, EOFError, ValueError) as error:
            self.end()
            log.warning("catch-up.process-died", rc=process.returncode, error=str(error))
            return Counted(tuple(found), 0.0, DIED)

    def end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            log.warning("catch-up.process-hangs", pid=process.pid)

    def _start(self) -> Trouble | None:
        """Start it and hear who counts; what is in the way, if anything is."""
        # Its end of the pipe closes with this process, however that ends: it is no orphan for long.
        try:
            self._process = process = subprocess.Popen(
                [sys.executable, "-m", "agent.visibility.recount_job"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            _ask(process, self._setup)
            said = _said(process)
        except (OSError, EOFError, ValueError) as error:
            self.end()
            log.warning("catch-up.process-unstartable", error=str(error))
            return UNSTARTABLE
        if "trouble" in said:
            self.end()
            return Trouble(**said["trouble"])
        self._identity = CounterIdentity(**said)
        return None


def _ask(process: subprocess.Popen[str], content: dict[str, Any]) -> None:
    if process.stdin is None:
        raise OSError("the process has no input")
    process.stdin.write(json.dumps(content) + "\n")
    process.stdin.flush()


def _said(process: subprocess.Popen[str]) -> dict[str, Any]:
    line = process.stdout.readline() if process.stdout is not None else ""
    if not line:
        raise EOFError("no answer")
    said: dict[str, Any] = json.loads(line)
    return said


def _picture(said: dict[str, Any]) -> Recounted | Refused:
    if "refused" in said:
        return Refused(**said["refused"])
    counted: dict[str, Any] = said["counted"]
    return Recounted(**{**counted, "boxes": tuple((*box,) for box in counted["boxes"])})

"""The archive's hand on the process that counts pictures afterwards (agent/visibility/recount_job.py)."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, Protocol

import psutil
from pydantic import ConfigDict, TypeAdapter

from agent.log import get_logger
from agent.settings import Settings
from agent.visibility.recounting import Recounted, Refused, RoomView, Wanted

STOP_S: Final = 3.0

LONGEST_LINE: Final = 1 << 20
"""Characters: thousands of boxes are fewer."""

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
class Tried:
    """The same of pictures before which a harmless one may have been counted by the same process."""

    counted: Counted
    has_counted: bool
    """Whether the process counted anything just before it went no further."""
    is_reached: bool
    """False when it ended on the harmless one."""
    beside_ns: int | None = None
    """How long the harmless one took; None without one that was counted."""


@dataclass(frozen=True, slots=True)
class CounterIdentity:
    """What is said of a `HeadCounter` beside its counts."""

    name: str
    cut: float
    finds: str


@dataclass(frozen=True, slots=True)
class _Line:
    """What the process may say, one of them at a time. It decodes what may be damaged, so its word is input
    from outside (I12)."""

    __pydantic_config__ = ConfigDict(extra="forbid", allow_inf_nan=False)

    counter: CounterIdentity | None = None
    counted: Recounted | None = None
    refused: Refused | None = None
    done: float | None = None
    trouble: Trouble | None = None

    def picture(self, ticks: int) -> Recounted | Refused:
        """The answer for the key frame at `ticks`; ValueError when it is none."""
        found = self.counted or self.refused
        if found is None or found.ticks != ticks:
            raise ValueError(f"no answer for the picture at tick {ticks}")
        return found


_LINE: Final = TypeAdapter(_Line)


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


def tried(recounter: Recounter, beside: Wanted | None, wanted: Wanted) -> Tried:
    """Count `beside`, if anything, of which nothing is kept, and then `wanted`."""
    began_ns = time.monotonic_ns()
    before = Counted((), 0.0) if beside is None else recounter.count(beside)
    took_ns = time.monotonic_ns() - began_ns
    if before.trouble is not None and before.trouble.kind == "died":
        return Tried(replace(before, pictures=()), has_counted=False, is_reached=False)
    found = recounter.count(wanted)
    has_counted = any(isinstance(each, Recounted) for each in (*before.pictures, *found.pictures))
    return Tried(
        replace(found, cpu_s=before.cpu_s + found.cpu_s),
        has_counted,
        is_reached=True,
        beside_ns=took_ns if any(isinstance(each, Recounted) for each in before.pictures) else None,
    )


class RecountProcess:
    """A `Recounter`. The process is started for the first picture, and again when it has died."""

    def __init__(self, settings: Settings) -> None:
        self._setup = {
            "counter": settings.visibility.counter,
            "models_folder": str(settings.checkin.models_folder),
        }
        self._process: subprocess.Popen[str] | None = None
        self._identity: CounterIdentity | None = None
        self._priced_s = 0.0

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
            "start_us": wanted.start_us,
            "view": None if wanted.view is None else _view(wanted.view),
        }
        trouble = None
        try:
            _ask(process, asked)
            while (said := _said(process)).trouble is None and said.done is None:
                ticks = wanted.pictures[len(found)][1] if len(found) < len(wanted.pictures) else -1
                found.append(said.picture(ticks))
            trouble = said.trouble
            if trouble is None and len(found) < len(wanted.pictures):
                raise ValueError(f"{len(found)} of {len(wanted.pictures)} pictures were answered")
        except (OSError, EOFError, ValueError) as error:
            trouble = DIED
            log.warning("catch-up.process-died", error=str(error)[:500])
        cpu_s = self._price(process)
        if trouble is DIED:
            self.end()
        return Counted(tuple(found), cpu_s, trouble)

    def _price(self, process: subprocess.Popen[str]) -> float:
        """Processor time since the last was asked for: the start's, too."""
        used_s = _cpu_s(process)
        price_s, self._priced_s = max(0.0, used_s - self._priced_s), max(used_s, self._priced_s)
        return price_s

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
            self._priced_s = 0.0
            _ask(process, self._setup)
            said = _said(process)
            if said.counter is None and said.trouble is None:
                raise ValueError("it does not say who counts")
        except (OSError, EOFError, ValueError) as error:
            self.end()
            log.warning("catch-up.process-unstartable", error=str(error)[:500])
            return UNSTARTABLE
        if said.trouble is not None:
            self.end()
            return said.trouble
        self._identity = said.counter
        return None


def _view(view: RoomView) -> dict[str, Any]:
    return {"reference": view.reference, "png": base64.b64encode(view.grey_png).decode()}


def _cpu_s(process: subprocess.Popen[str]) -> float:
    """Processor time of its life, ended or not; 0.0 once nobody knows it any more."""
    try:
        used = psutil.Process(process.pid).cpu_times()
    except psutil.Error:
        return 0.0
    return float(used.user + used.system)


def _ask(process: subprocess.Popen[str], content: dict[str, Any]) -> None:
    if process.stdin is None:
        raise OSError("the process has no input")
    process.stdin.write(json.dumps(content) + "\n")
    process.stdin.flush()


def _said(process: subprocess.Popen[str]) -> _Line:
    """Its next line. EOFError when it has ended; ValueError when it said anything else."""
    line = process.stdout.readline(LONGEST_LINE) if process.stdout is not None else ""
    if not line:
        raise EOFError("no answer")
    return _LINE.validate_json(line)

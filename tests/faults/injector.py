"""Faults from below for one process: `disk_faults.c` built, loaded and steered."""

from __future__ import annotations

import atexit
import ctypes
import errno
import functools
import mmap
import os
import shutil
import subprocess
import tempfile
from enum import IntFlag
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("disk_faults.c")
CONTROL = "DISK_FAULTS_CONTROL"
"""Environment: the control file of a process, and of what it starts."""


class Operation(IntFlag):
    """What can be made to fail; the values are those of `disk_faults.c`."""

    WRITE = 1
    SYNC = 2
    FOLDER_SYNC = 4
    CREATE = 8
    NAME = 16
    TRUNCATE = 32
    READ = 64


class _Control(ctypes.Structure):
    """`struct control` of `disk_faults.c`."""

    _fields_ = (
        ("clock_offset_s", ctypes.c_double),
        ("steps", ctypes.c_int64),
        ("kill_at", ctypes.c_int64),
        ("killed_ns", ctypes.c_int64),
        ("torn", ctypes.c_int32),
        ("failing", ctypes.c_int32),
        ("error", ctypes.c_int32),
        ("delay_ms", ctypes.c_int32),
        ("clock", ctypes.c_int32),
        ("unused", ctypes.c_int32),
        ("counted", ctypes.c_char * 512),
        ("failing_under", ctypes.c_char * 512),
    )


class Injector:
    """The faults of one process, to be changed while it runs."""

    def __init__(
        self, control: Path, *, counted: Path | None = None, failing_under: Path | None = None
    ) -> None:
        """`control`: where the shared file is made, outside the folders below. Skips the test loudly without
        a C compiler."""
        self.library = _library()
        self.control = control
        control.write_bytes(bytes(ctypes.sizeof(_Control)))
        descriptor = os.open(control, os.O_RDWR | os.O_CLOEXEC)
        self._mapped = mmap.mmap(descriptor, ctypes.sizeof(_Control))
        os.close(descriptor)
        self._state = _Control.from_buffer(self._mapped)
        self._state.counted = os.fsencode(counted.resolve()) if counted else b""
        self._state.failing_under = os.fsencode(failing_under.resolve()) if failing_under else b""

    @property
    def environment(self) -> dict[str, str]:
        """For the process that is to suffer."""
        return {"LD_PRELOAD": str(self.library), CONTROL: str(self.control)}

    @property
    def steps(self) -> int:
        """Writes, syncs, creations, renames, truncations and removals so far, of all threads."""
        return int(self._state.steps)

    @property
    def killed_ns(self) -> int | None:
        """CLOCK_MONOTONIC at which the process was killed at its step; None when it was not."""
        return int(self._state.killed_ns) or None

    def kill_at(self, step: int, *, torn: bool = False) -> None:
        """Count from 0 again and die at `step`, counted from 1; `torn`: half-way through, where it writes."""
        self._state.kill_at = 0
        self._state.steps = self._state.killed_ns = 0
        self._state.torn = int(torn)
        self._state.kill_at = step

    def fail(self, operations: Operation, error: int = errno.EIO, *, on: Path | None = None) -> None:
        """From now on `operations` below `failing_under` fail with `error`; `on` replaces it."""
        if on is not None:
            self._state.failing_under = os.fsencode(on.resolve())
        self._state.error = error
        self._state.failing = int(operations)

    def delay_syncs(self, seconds: float) -> None:
        """From now on each sync below `failing_under` takes `seconds` more; one that waits is let go by a
        smaller number."""
        self._state.delay_ms = round(seconds * 1000)

    def heal(self) -> None:
        self._state.failing = 0
        self._state.delay_ms = 0

    def set_clock(self, offset_s: float) -> None:
        """The wall clock is set to the true time plus `offset_s`."""
        self._state.clock_offset_s = offset_s

    def claim_synchronised(self, synchronised: bool) -> None:
        """What the kernel says of its clock."""
        self._state.clock = 1 if synchronised else 2


@functools.cache
def _library() -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("SKIPPED LOUDLY: faults from below need a C compiler; apt-get install gcc libc6-dev")
    folder = tempfile.mkdtemp(prefix="disk-faults-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    out = Path(folder) / "disk_faults.so"
    command = [compiler, "-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", str(out), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True, timeout=60)
    return out

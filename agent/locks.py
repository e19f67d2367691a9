"""One holder at a time: advisory locks that the kernel releases when their holder ends, however it ends."""

from __future__ import annotations

import os
from pathlib import Path


class AlreadyRunningError(Exception):
    """Somebody else holds the lock; the message names the folder or role and the holder."""


def take_lock(path: Path, held: str) -> int:
    """Hold `path` exclusively until the returned descriptor is closed or this process ends, however it ends.

    AlreadyRunningError names `held` and the holder's process id. OSError when the file cannot be made.
    """
    import fcntl  # not on Windows, where officers run hr-config, which takes no lock

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "?"
        os.close(descriptor)
        raise AlreadyRunningError(
            f"{held}: 已在运行（进程 {holder}），请先停止它 / "
            f"is already served by process {holder}; stop that one first"
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor

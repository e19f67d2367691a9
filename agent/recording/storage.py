"""The volume that footage goes to: is it the right one, is there room, are we alone on it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from agent.locks import take_lock
from drivers.disk import DiskError, check_volume, space

LOCK = "recorder.lock"
PROBE = "recorder.probe"


class StorageError(OSError):
    """The volume cannot be recorded on now; `strerror` says why and what to do."""


class RecorderVolume:
    """The video folder of one recorder process."""

    def __init__(self, video: Path, *, minimum_free_mib: int, require_marker: bool) -> None:
        self.video = video
        self._minimum_free = minimum_free_mib << 20
        self._require_marker = require_marker
        self._volume: str | None = None
        """The disk that this process began with; another one in its place is not taken for it."""
        self._lock: int | None = None

    def open(self) -> None:
        """Make ready for recording. StorageError, OSError; AlreadyRunningError when another recorder is here:
        two would write one history twice. After an error nothing is held open, so that the disk can be
        unmounted, checked and mounted again under the waiting recorder."""
        try:
            self.check()
            self._take_lock()
            (self.video / "segments").mkdir(exist_ok=True)
            self._probe()
        except OSError:
            self.close()
            raise

    def check(self) -> None:
        """StorageError when the disk vanished, turned read-only or is as good as full. The marker is looked
        for each time, so that footage never goes to the root file system by mistake."""
        try:
            if self._require_marker:
                self._volume = check_volume(self.video, self._volume).volume
            free = space(self.video).free_bytes
        except DiskError as error:
            raise StorageError(errno.ENODEV, str(error)) from error
        if free < self._minimum_free:
            raise StorageError(
                errno.ENOSPC,
                f"{self.video}: 只剩 {free >> 20} MiB，低于 storage.minimum_free_mib / "
                f"only {free >> 20} MiB free, storage.minimum_free_mib asks for {self._minimum_free >> 20}; "
                "free space or attach a larger disk",
            )

    def close(self) -> None:
        """Release the lock; idempotent."""
        if self._lock is not None:
            lock, self._lock = self._lock, None
            os.close(lock)

    def _take_lock(self) -> None:
        if self._lock is not None:
            held, there = os.fstat(self._lock), (self.video / LOCK).stat()
            if (held.st_dev, held.st_ino) == (there.st_dev, there.st_ino):
                return
            self.close()  # the disk was changed under us: the lock is on a file that is no longer here
        self._lock = take_lock(self.video / LOCK, f"录像目录 / the video folder {self.video}")

    def _probe(self) -> None:
        """A write that reaches the disk: a failing file system answers here, before footage."""
        probe = self.video / PROBE
        descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
        try:
            os.write(descriptor, b"\x00" * 4096)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        probe.unlink()

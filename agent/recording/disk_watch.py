"""Whether the volume takes footage now, and when it is asked again after it did not."""

from __future__ import annotations

from agent.clock import Stamp
from agent.log import get_logger
from agent.recording.storage import RecorderVolume
from drivers.cameras.backoff import Backoff

log = get_logger(__name__)


class DiskWatch:
    """One volume's readiness. OSError from `open` and `check` is for the caller to report by `failed`."""

    def __init__(self, volume: RecorderVolume, backoff: Backoff | None = None) -> None:
        self._volume = volume
        self._backoff = backoff or Backoff(first=1.0, longest=30.0)
        self._ready_ns: int | None = None
        self._retry_ns = 0
        self.problem = ""
        """Why the volume takes no footage, for people; "" while it does."""

    @property
    def is_ready(self) -> bool:
        return self._ready_ns is not None

    def is_due(self, now: Stamp) -> bool:
        """True when a volume that is not ready is to be tried (again)."""
        return self._ready_ns is None and now.monotonic_ns >= self._retry_ns

    def open(self) -> None:
        """Try the volume; it counts only once `ready` is called. AlreadyRunningError: another recorder."""
        self._volume.open()

    def ready(self, now: Stamp) -> None:
        """The volume was opened and what lies on it was read."""
        self._ready_ns = now.monotonic_ns
        self.problem = ""
        log.info("disk.ready")

    def check(self) -> None:
        """OSError when a volume that was ready can take no more."""
        self._volume.check()

    def failed(self, error: OSError, now: Stamp) -> None:
        """The volume is not ready any more; the pauses between attempts grow."""
        held = (now.monotonic_ns - self._ready_ns) / 1e9 if self._ready_ns is not None else 0.0
        pause = self._backoff.failed(held)
        self.problem = error.strerror or str(error)
        log.error("disk.fault", reason=self.problem, errno=error.errno, retry_in_s=round(pause, 1))
        self._ready_ns = None
        self._retry_ns = now.monotonic_ns + round(pause * 1e9)

    def close(self) -> None:
        """Let go of the volume."""
        self._volume.close()

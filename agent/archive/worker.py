"""A thread for work that may stand still: it tries again after a growing pause and says what is in its way.

A call into a dead network folder does not return, not even when the process is told to end. So nothing waits
for such a thread: it marks each bit of progress (`Pace.beat`), and whoever looks at it sees how long ago that
was.
"""

from __future__ import annotations

import errno
import sqlite3
import threading
import time
from pathlib import Path
from typing import Protocol

from agent.archive.part import Word
from agent.errors import BilingualError
from agent.log import get_logger
from agent.store.database import Store, StoreError
from drivers.cameras.backoff import Backoff
from drivers.disk import DiskError

HUNG_S = 60.0
"""Without progress for so long inside one call the folder is said not to answer."""
STOP_S = 5.0

_DENIED = ("没有权限：请让用户 classroom-agent 可写", "denies access: let classroom-agent write there")
_REMEDIES = {
    errno.ENOSPC: ("没有空间了：请腾出空间或换更大的磁盘", "is full: free space or attach a larger disk"),
    errno.EDQUOT: ("超出配额：请提高配额", "is over its quota: raise the quota"),
    errno.EROFS: ("变成只读，可能有故障：请检查", "has become read-only, probably after an error: check it"),
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.EIO: ("读写出错：请检查电缆和磁盘", "fails to read or write: check cable and disk"),
    errno.ESTALE: ("网络文件夹已失效：请重新挂载", "is stale: mount the network folder again"),
}

log = get_logger(__name__)


class ArchiveError(BilingualError):
    """Work that cannot go on now; `zh` and `en` name the place, what is wrong and the remedy."""


class StoppedError(Exception):
    """The worker was told to end in the middle of its work."""


class Pace(Protocol):
    """What a job asks of the thread that it runs in."""

    def beat(self) -> None:
        """Progress was made. StoppedError when the work is to end."""
        ...

    def wait(self, seconds: float) -> None:
        """Let `seconds` pass. StoppedError as soon as the work is to end."""
        ...


class Job(Protocol):
    """Something that a worker repeats."""

    def work(self, store: Store, pace: Pace) -> float:
        """Do a bounded piece of the work; seconds until the next call. OSError, DiskError, ArchiveError and
        sqlite3.Error are said and the call is repeated after a pause; StoppedError passes through."""
        ...


class Worker(threading.Thread):
    """Repeats one job with a database connection of its own. `place` is named when it does not answer."""

    def __init__(
        self,
        name: str,
        database: Path,
        job: Job,
        place: Path,
        *,
        backoff: Backoff | None = None,
        once_more: bool = False,
    ) -> None:
        """With `once_more` the work is done a last time when it is told to end, unless it is in trouble."""
        super().__init__(name=name, daemon=True)
        self._database = database
        self._job = job
        self._place = place
        self._backoff = backoff or Backoff(first=2.0, longest=300.0)
        self._once_more = once_more
        self._ending = threading.Event()
        self._store: Store | None = None
        self._trouble: Word | None = None
        self._inside_since: float | None = None

    def word(self) -> Word:
        """How the work goes: trouble, no answer, or nothing to say."""
        inside = self._inside_since
        if inside is not None and time.monotonic() - inside > HUNG_S:
            minutes = int(time.monotonic() - inside) // 60
            return Word(
                "fault",
                f"{self._place} 已 {minutes} 分钟没有响应，请检查网络存储或磁盘",
                f"{self._place} has not answered for {minutes} min: check the network storage or the disk",
            )
        if not self.is_alive() and not self._ending.is_set():
            return Word("fault", f"{self.name} 线程已结束", f"thread {self.name} has ended")
        return self._trouble or Word()

    def beat(self) -> None:
        if self._ending.is_set():
            raise StoppedError
        self._inside_since = time.monotonic()

    def wait(self, seconds: float) -> None:
        self._inside_since = None
        if self._ending.wait(seconds):
            raise StoppedError
        self._inside_since = time.monotonic()

    def stop(self, seconds: float = STOP_S) -> None:
        """Ask it to end and give it `seconds`; one that hangs is left behind."""
        self._ending.set()
        if self.is_alive():
            self.join(seconds)

    def run(self) -> None:
        while not self._ending.is_set():
            try:
                pause = self._once()
            except StoppedError:
                break
            except Exception as error:  # noqa: BLE001 (thread boundary: said, and tried again)
                pause = self._failed(error)
            self._inside_since = None
            self._ending.wait(pause)
        if self._once_more and self._trouble is None:
            try:
                self._once()
            except StoppedError:
                pass
            except Exception as error:  # noqa: BLE001 (as above; the next start goes on with it)
                self._failed(error)
        self._close()

    def _once(self) -> float:
        self._inside_since = time.monotonic()
        if self._store is not None and not self._store.is_current():
            self._close()
        if self._store is None:
            self._store = Store(self._database)
        pause = self._job.work(self._store, self)
        if self._trouble is not None:
            log.info("worker.recovered", worker=self.name)
        self._trouble = None
        self._backoff.attempts = 0
        return pause

    def _failed(self, error: Exception) -> float:
        word = word_of(error, self._place)
        if word is None:
            log.exception("worker.fault", worker=self.name)
            word = Word("fault", f"{self.name}：程序错误", f"{self.name}: {type(error).__name__}")
        pause = self._backoff.failed()
        if self._trouble is None or self._trouble.en != word.en:
            log.warning("worker.trouble", worker=self.name, problem=word.en, retry_in_s=round(pause, 1))
        self._trouble = word
        if isinstance(error, sqlite3.Error | StoreError):
            self._close()
        return pause

    def _close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None


def word_of(error: Exception, place: Path) -> Word | None:
    """What to say of an error that work at `place` met; None for one that is a fault of the program."""
    match error:
        case sqlite3.OperationalError():
            return Word("waiting", "数据库忙或暂不可写，稍后继续", f"database: {error}; goes on by itself")
        case StoreError() | ArchiveError():
            return Word("fault", error.zh, error.en)
        case sqlite3.DatabaseError():
            return Word("fault", "数据库不可用", f"the database cannot be used: {error}")
        case DiskError():
            zh, _, en = str(error).partition(" / ")
            return Word("fault", zh, en or zh)
        case OSError():
            where = error.filename or place
            zh, en = _REMEDIES.get(
                error.errno or 0, (f"不可用（{error.strerror}）", f"cannot be used: {error.strerror}")
            )
            return Word("fault", f"{where} {zh}", f"{where} {en}")
        case _:
            return None

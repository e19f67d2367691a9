"""One role's process from its first line to its exit code, and the preparation of its folders.

The recorder's path through here imports no decoder, no model and no cryptography, and survives folders
that it does not need (I11).
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from agent.locks import AlreadyRunningError, take_lock
from agent.log import configure_logging, get_logger

if TYPE_CHECKING:
    from agent.paths import Paths
    from agent.role import RoleContext, RoleName
    from agent.settings import Settings

ROLE_MODULES: dict[RoleName, str] = {
    "ledger": "agent.evidence.role",
    "keeper": "agent.classes.role",
    "recorder": "agent.recording.role",
    "watch": "agent.visibility.role",
    "checkin": "agent.checkin.role",
    "sync": "agent.sync.role",
    "archive": "agent.archive.role",
    "web": "agent.web.role",
}

log = get_logger(__name__)


def run_role(role: RoleName, settings: Settings) -> int:
    """Run `role` until SIGTERM or SIGINT; 0 when it ended as asked, 3 when it crashed.

    AlreadyRunningError when this node has a process of that role.
    """
    from agent.clock import SystemClock
    from agent.role import RoleContext

    configure_logging(role, level=settings.log.level)
    threading.excepthook = _log_thread_crash
    prepare_folders(settings)
    lock = _take_role_lock(settings.paths, role)
    context = RoleContext(role, settings, settings.paths, SystemClock())
    _stop_on_signals(context.stop)
    try:
        context.report("starting", "启动中", "starting")
        _entry(role, settings)(context)
    except Exception:  # the process boundary: logged, answered by the exit code
        log.exception("role.crashed")
        return 3
    finally:
        if lock is not None:
            os.close(lock)
    if not context.stop.is_set():
        log.error("role.ended-unasked")
        return 3
    log.info("role.stopped")
    return 0


def _entry(role: RoleName, settings: Settings) -> Callable[[RoleContext], None]:
    from agent.role import roles_of

    if role not in roles_of(settings):
        return _without_camera
    run: Callable[[RoleContext], None] = import_module(ROLE_MODULES[role]).run
    return run


def _without_camera(context: RoleContext) -> None:
    """A node whose file names no such camera: its unit idles instead of failing for ever."""
    from agent.role import NEEDS_CAMERA, REPORT_INTERVAL_S

    camera = NEEDS_CAMERA[context.role]
    while not context.stop.is_set():
        context.report("waiting", f"配置中没有 [cameras.{camera}]", f"no [cameras.{camera}] in the settings")
        context.stop.wait(REPORT_INTERVAL_S)


def prepare_folders(settings: Settings) -> None:
    """Make what is missing, readable by nobody else. In an installation all of it stands already.

    A folder that cannot be made is logged, not fatal: the role that needs it says so itself, and the
    recorder must run without the others' folders (I11). The video folder is left alone where it must carry
    a volume marker: made here, it would lie on the root file system while the disk is away.
    """
    os.umask(0o027)
    paths = settings.paths
    private = (paths.keys, paths.ledger_keys, paths.photos)
    shared = [paths.state, paths.runtime, paths.status, paths.frames]
    if not settings.storage.require_volume_marker:
        shared += [paths.video, paths.segments]
    for folder in (*shared, *private):
        try:
            folder.mkdir(mode=0o700 if folder in private else 0o750, parents=True, exist_ok=True)
        except OSError as error:
            log.error("folder.unusable", folder=str(folder), error=error.strerror)  # noqa: TRY400


def _take_role_lock(paths: Paths, role: RoleName) -> int | None:
    """Two processes of one role would fight for the camera or the chain's head."""
    try:
        return take_lock(paths.runtime / f"{role}.lock", f"{role} ({paths.runtime})")
    except AlreadyRunningError:
        raise
    except OSError as error:  # a full or missing runtime folder must not keep the recorder from recording
        log.warning("lock.unavailable", error=str(error))
        return None


def _stop_on_signals(stop: threading.Event) -> None:
    """SIGTERM and SIGINT set `stop`; a second one ends the process at once.

    By a thread behind a wake-up descriptor: `Event.set` inside a handler can deadlock with the main
    thread's own use of the event, and this way works while the main thread sits in a C library.
    """
    reading, writing = socket.socketpair()
    writing.setblocking(False)

    def watch() -> None:
        while reading.recv(1):
            if stop.is_set():
                log.error("role.forced-to-end")
                os._exit(3)
            log.info("role.stopping")
            stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(writing.detach(), warn_on_full_buffer=False)
    threading.Thread(target=watch, name="signals", daemon=True).start()


def _log_thread_crash(crash: threading.ExceptHookArgs) -> None:
    name = crash.thread.name if crash.thread else "?"
    if crash.exc_value is not None:
        log.error("thread.crashed", thread=name, exc_info=crash.exc_value)


def role_command(config: Path, role: str) -> list[str]:
    """Command line that runs one role with this very interpreter."""
    return [sys.executable, "-m", "agent", "--config", str(config), "run", role]

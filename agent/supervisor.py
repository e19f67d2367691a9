"""Runs the roles as child processes where systemd does not: on a desk, in a demonstration, in a test.

What systemd does for an installation, in its own terms: a role that dies is started again after a bounded,
growing pause; one that stays silent on its notification socket longer than the watchdog allows is killed
and started again (the same `READY=1` and `WATCHDOG=1` that the units use, see sd_notify(3), so that a full
runtime folder cannot make a healthy recorder look hung, I11); roles never outlive their supervisor. One
thread, no polling: it sleeps until a child ends, a message or a signal comes, or a deadline passes.
"""

from __future__ import annotations

import ctypes
import os
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from agent import board
from agent.clock import Clock
from agent.locks import take_lock
from agent.log import get_logger
from agent.notifications import Notification, NotificationSocket
from agent.paths import Paths
from agent.role import REPORT_INTERVAL_S

log = get_logger(__name__)

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


STOPPED_LAST = ("ledger", "archive", "sync")
"""In this order, after all others ended: what those state while ending is still signed, then copied and
delivered."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds; the defaults are those of the systemd units."""

    start: float = 300.0
    """A role must say READY within this (a Pi loads models from an SD card, and reads the last segment)."""
    watchdog: float = 60.0
    """Silence longer than this is a hang: 30 times the interval at which roles report."""
    watchdogs: Mapping[str, float] = field(default_factory=lambda: {"recorder": 180.0})
    """Roles that may be silent for longer: a disk that stalls holds the recorder up, and its packets wait."""
    stop: float = 25.0
    """Time to close segments after SIGTERM; then SIGKILL."""
    first_pause: float = 1.0
    longest_pause: float = 60.0
    steady: float = 60.0
    """A role that ran this long starts again with the first pause."""

    def watchdog_of(self, role: str) -> float:
        return self.watchdogs.get(role, self.watchdog)


@dataclass(slots=True)
class _Child:
    """One role. `process` is None while it waits for its next start."""

    role: str
    argv: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    pidfd: int = -1
    started: float = 0.0
    beat: float = 0.0
    ready: bool = False
    next_start: float = 0.0
    failures: int = 0
    """Ends in a row without a steady run between them; sets the pause."""
    restarts: int = 0
    last_end: str = ""

    def deadline(self, timing: Timing) -> float:
        """When something must be done about it if nothing is heard, CLOCK_MONOTONIC seconds."""
        if self.process is None:
            return self.next_start
        return self.beat + timing.watchdog_of(self.role) if self.ready else self.started + timing.start


class Supervisor:
    """Keeps `programs` (role → command line) running until SIGTERM or SIGINT."""

    def __init__(
        self,
        programs: Mapping[str, Sequence[str]],
        paths: Paths,
        clock: Clock,
        *,
        timing: Timing | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._paths = paths
        self._clock = clock
        self._timing = timing or Timing()
        self._environment = dict(environment if environment is not None else os.environ)
        self._children = [_Child(role, tuple(argv)) for role, argv in programs.items()]
        self._selector = selectors.DefaultSelector()
        self._notifications = NotificationSocket()
        self._wake, self._wake_write = socket.socketpair()
        self._stopping = False
        self._published: dict[str, dict[str, object]] = {}
        self._published_ns = 0

    def run(self) -> None:
        """Start everything, keep it running, return when all have ended after a signal.

        AlreadyRunningError when another supervisor works on the same state folder. Main thread only.
        """
        lock = take_lock(self._paths.state / "supervisor.lock", f"{self._paths.state}")
        try:
            with self._signals():
                self._listen()
                self._loop()
        finally:
            self._kill_all()
            self._selector.close()
            for opened in (self._notifications, self._wake, self._wake_write):
                opened.close()
            os.close(lock)

    def _listen(self) -> None:
        self._environment["NOTIFY_SOCKET"] = self._notifications.address
        self._selector.register(self._notifications, selectors.EVENT_READ, self._hear)
        self._selector.register(self._wake, selectors.EVENT_READ, self._on_signal)

    def _loop(self) -> None:
        while not self._stopping:
            now = time.monotonic()
            for child in self._children:
                if child.deadline(self._timing) <= now:
                    self._act(child, now)
            self._publish()
            due = min((child.deadline(self._timing) for child in self._children), default=now + 3600)
            self._wait(max(0.0, due - time.monotonic()))
        self._stop_all()

    def _wait(self, seconds: float) -> None:
        for key, _ in self._selector.select(seconds):
            action: Callable[[], None] = key.data
            action()

    def _act(self, child: _Child, now: float) -> None:
        """Its deadline passed: start it, or kill it because it is silent (its end is then seen as any)."""
        if child.process is None:
            self._start(child)
            return
        silent = now - (child.beat if child.ready else child.started)
        log.error("role.hung", supervised=child.role, pid=child.process.pid, silent_seconds=round(silent, 1))
        child.beat = child.started = now  # no second kill while the first takes effect
        _kill_group(child.process.pid)

    def _start(self, child: _Child) -> None:
        parent = os.getpid()

        def die_with_parent() -> None:
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != parent:  # it died between fork and prctl
                os._exit(1)

        child.started = child.beat = time.monotonic()
        child.ready = False
        try:
            # A session of its own: Ctrl-C reaches the supervisor alone, which then stops the roles in peace.
            # preexec_fn is safe here because this process has one thread.
            process = subprocess.Popen(
                child.argv,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                preexec_fn=die_with_parent,
                start_new_session=True,
            )
        except OSError as error:
            log.error("role.unstartable", supervised=child.role, error=str(error))  # noqa: TRY400 (no trace needed)
            self._plan_restart(child, f"cannot start: {error}")
            return
        child.process = process
        child.pidfd = os.pidfd_open(process.pid)
        self._selector.register(child.pidfd, selectors.EVENT_READ, lambda: self._ended(child, process))
        log.info("role.started", supervised=child.role, pid=process.pid)

    def _ended(self, child: _Child, process: subprocess.Popen[bytes]) -> None:
        _kill_group(process.pid)  # what it started itself, e.g. an encoder that holds the camera
        code = process.wait()
        self._selector.unregister(child.pidfd)
        os.close(child.pidfd)
        child.process = None
        end = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        if self._stopping:
            log.info("role.stopped", supervised=child.role, end=end)
            return
        if time.monotonic() - child.started >= self._timing.steady:
            child.failures = 0
        self._plan_restart(child, end)

    def _plan_restart(self, child: _Child, end: str) -> None:
        pause = pause_after(child.failures, self._timing)
        child.failures += 1
        child.restarts += 1
        child.last_end = end
        child.next_start = time.monotonic() + pause
        log.warning("role.ended", supervised=child.role, end=end, next_start_in_seconds=pause)

    def _hear(self) -> None:
        now = time.monotonic()
        for notification in self._notifications.receive():
            for child in self._children:
                if child.process is not None and child.process.pid == notification.sender:
                    self._note(child, notification, now)

    def _note(self, child: _Child, notification: Notification, now: float) -> None:
        if b"READY=1" in notification.lines and not child.ready:
            child.ready = True
            log.info("role.ready", supervised=child.role, seconds=round(now - child.started, 2))
        child.beat = now

    def _signals(self) -> _WakeOnSignals:
        self._wake.setblocking(False)
        self._wake_write.setblocking(False)
        return _WakeOnSignals(self._wake_write.fileno())

    def _on_signal(self) -> None:
        with suppress(BlockingIOError):
            while self._wake.recv(64):
                pass
        log.info("supervisor.stopping")
        self._stopping = True

    def _stop_all(self) -> None:
        last = [[child] for role in STOPPED_LAST for child in self._children if child.role == role]
        self._stop([child for child in self._children if child.role not in STOPPED_LAST])
        for stage in last:
            self._stop(stage)
        self._kill_all()
        self._publish()

    def _stop(self, stage: Sequence[_Child]) -> None:
        """SIGTERM to all of `stage`; return when they have ended or the time for it is over."""
        for _, process in self._running(stage):
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + self._timing.stop
        while self._running(stage) and (left := deadline - time.monotonic()) > 0:
            self._wait(left)
        for child, _ in self._running(stage):
            log.error("role.did-not-stop", supervised=child.role, waited_seconds=self._timing.stop)

    def _kill_all(self) -> None:
        for child, process in self._running():
            _kill_group(process.pid)
            self._stopping = True
            self._ended(child, process)

    def _running(self, among: Sequence[_Child] | None = None) -> list[tuple[_Child, subprocess.Popen[bytes]]]:
        children = self._children if among is None else among
        return [(child, child.process) for child in children if child.process is not None]

    def _publish(self) -> None:
        """Put the state on the board: at each change, and at least as often as roles do."""
        roles = {child.role: _describe(child) for child in self._children}
        stamp = self._clock.now()
        if roles == self._published and stamp.monotonic_ns < self._published_ns + REPORT_INTERVAL_S * 1e9:
            return
        self._published, self._published_ns = roles, stamp.monotonic_ns
        late = [child.role for child in self._children if child.process is None and not self._stopping]
        state = "waiting" if late else "running" if all(c.ready for c in self._children) else "starting"
        waiting_zh = f"等待重启：{'、'.join(late)}" if late else ""
        waiting_en = f"waiting to restart: {', '.join(late)}" if late else ""
        content = {
            "role": "supervisor",
            "state": state,
            "message": {"zh": waiting_zh, "en": waiting_en},
            "pid": os.getpid(),
            "at_us": stamp.wall_us,
            "monotonic_ns": stamp.monotonic_ns,
            "boot_id": stamp.boot_id,
            "detail": {"roles": roles},
        }
        try:
            board.write_json(self._paths.status / "supervisor.json", content)
        except OSError as error:  # the roles matter more than what is said about them
            log.warning("status.unwritable", error=str(error))


class _WakeOnSignals:
    """While entered, SIGTERM and SIGINT do nothing but make `descriptor` readable at its other end."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __enter__(self) -> None:
        self._before = {
            number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)
        }
        self._wakeup_before = signal.set_wakeup_fd(self._descriptor)

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(self._wakeup_before)
        for number, handler in self._before.items():
            signal.signal(number, handler)


def pause_after(failures: int, timing: Timing) -> float:
    """Seconds until the next start after `failures` earlier ones in a row: doubled each time, bounded."""
    return min(timing.first_pause * 2.0 ** min(failures, 30), timing.longest_pause)


def _kill_group(leader: int) -> None:
    """SIGKILL to a role and all that it started. The leader is not reaped yet, so its id is nobody else's."""
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def _describe(child: _Child) -> dict[str, object]:
    return {
        "pid": child.process.pid if child.process else None,
        "ready": child.ready,
        "restarts": child.restarts,
        "last_end": child.last_end,
    }

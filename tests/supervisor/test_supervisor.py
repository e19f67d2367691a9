"""Real supervisors over real processes, killed and hung in earnest."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from agent.paths import Paths
from agent.supervisor import Timing, pause_after
from tests.waiting import wait_until

HERE = Path(__file__).parent
FAST = {
    "start": 20.0,
    "watchdog": 20.0,
    "stop": 20.0,
    "first_pause": 0.1,
    "longest_pause": 0.4,
    "steady": 60.0,
}

Start = Callable[..., "Desk"]


class Desk:
    """One supervisor process with tiny roles named after their behaviour."""

    def __init__(self, paths: Paths, behaviours: tuple[str, ...], timing: dict[str, float]) -> None:
        self.paths = paths
        self.folder = paths.state.parent
        programs = {
            name: [sys.executable, str(HERE / "tiny_role.py"), name, str(self.diary(name))]
            if name != "absent"
            else [str(HERE / "no-such-program")]
            for name in behaviours
        }
        specification = json.dumps({"programs": programs, "timing": FAST | timing})
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.supervisor.desk", str(self.folder), specification],
            cwd=HERE.parent.parent,
            stderr=subprocess.PIPE,
            text=True,
        )

    def diary(self, name: str) -> Path:
        return self.folder / f"{name}.diary"

    def starts(self, name: str) -> list[int]:
        """Process ids of every start of a role so far."""
        diary = self.diary(name)
        return [int(line) for line in diary.read_text().split()] if diary.exists() else []

    def status(self) -> dict[str, Any]:
        path = self.paths.status / "supervisor.json"
        content: dict[str, Any] = json.loads(path.read_bytes()) if path.exists() else {}
        return content

    def role(self, name: str) -> dict[str, Any]:
        role: dict[str, Any] = self.status().get("detail", {}).get("roles", {}).get(name, {})
        return role

    def wait_ready(self, name: str) -> int:
        wait_until(lambda: self.role(name).get("ready"), 20, f"{name} ready")
        return self.starts(name)[-1]

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        self.process.send_signal(number)
        _, log = self.process.communicate(timeout=30)
        return self.process.returncode, log


@pytest.fixture
def start(paths: Paths) -> Iterator[Start]:
    desks: list[Desk] = []

    def begin(*behaviours: str, **timing: float) -> Desk:
        desks.append(Desk(paths, behaviours, timing))
        return desks[-1]

    yield begin
    for desk in desks:
        if desk.process.poll() is None:
            desk.end(signal.SIGKILL)


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_a_killed_role_is_back(start: Start) -> None:
    desk = start("good")
    first = desk.wait_ready("good")
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: len(desk.starts("good")) == 2, 10, "a second start")
    assert desk.wait_ready("good") != first
    assert desk.role("good")["last_end"] == "signal SIGKILL"


def test_one_dying_role_does_not_touch_the_others(start: Start) -> None:
    desk = start("good", "crash")
    first = desk.wait_ready("good")
    wait_until(lambda: len(desk.starts("crash")) >= 5, 20, "five starts of the crashing role")
    assert desk.starts("good") == [first]
    code, log = desk.end()
    assert code == 0
    pauses = [json.loads(line)["next_start_in_seconds"] for line in log.splitlines() if "role.ended" in line]
    assert pauses[:4] == [0.1, 0.2, 0.4, 0.4], "the pause doubles, is bounded, and is said"


def test_pauses_stay_bounded_for_ever() -> None:
    timing = Timing()
    assert [pause_after(failures, timing) for failures in (0, 1, 5, 6, 10_000)] == [1, 2, 32, 60, 60]


def test_a_silent_role_is_killed_and_back(start: Start) -> None:
    desk = start("hang", watchdog=0.5)
    wait_until(lambda: len(desk.starts("hang")) >= 2, 20, "a restart of the silent role")
    _, log = desk.end()
    assert "role.hung" in log


def test_a_stopped_process_counts_as_silent(start: Start) -> None:
    desk = start("good", watchdog=1.0)
    first = desk.wait_ready("good")
    os.kill(first, signal.SIGSTOP)
    wait_until(lambda: len(desk.starts("good")) == 2, 20, "a restart of the stopped role")
    wait_until(lambda: not alive(first), 5, "the stopped process is gone")


def test_a_role_that_never_gets_ready_is_started_again(start: Start) -> None:
    desk = start("mute", start=0.5)
    wait_until(lambda: len(desk.starts("mute")) >= 2, 20, "a restart of the role that never said READY")


def test_sigterm_stops_roles_in_peace(start: Start) -> None:
    desk = start("good")
    pid = desk.wait_ready("good")
    code, _ = desk.end()
    assert code == 0
    assert not alive(pid)
    assert desk.diary("good").with_suffix(".stopped").exists(), "the role got SIGTERM, not SIGKILL"


def test_a_role_deaf_to_sigterm_is_killed_after_the_bound(start: Start) -> None:
    desk = start("deaf", stop=0.5)
    pid = desk.wait_ready("deaf")
    code, log = desk.end()
    assert code == 0
    assert "role.did-not-stop" in log
    assert not alive(pid)


def test_a_killed_supervisor_leaves_no_orphan(start: Start) -> None:
    desk = start("good", "deaf")
    pids = [desk.wait_ready("good"), desk.wait_ready("deaf")]
    desk.end(signal.SIGKILL)
    wait_until(lambda: not any(alive(pid) for pid in pids), 5, "roles die with their supervisor")


def test_what_a_role_started_goes_with_it(start: Start) -> None:
    desk = start("parent")
    role = desk.wait_ready("parent")
    encoder = int(desk.diary("parent").with_suffix(".child").read_text())
    assert alive(encoder)
    os.kill(role, signal.SIGKILL)
    wait_until(lambda: not alive(encoder), 10, "the encoder of the dead role is gone")


def test_a_second_supervisor_refuses(start: Start) -> None:
    desk = start("good")
    desk.wait_ready("good")
    second = start("good")
    _, log = second.process.communicate(timeout=20)
    assert second.process.returncode == 1
    assert str(desk.process.pid) in log
    assert "已在运行" in log
    assert len(desk.starts("good")) == 1


def test_the_folder_is_free_again_after_a_kill(start: Start) -> None:
    first = start("good")
    first.wait_ready("good")
    first.end(signal.SIGKILL)
    start("good")
    wait_until(lambda: len(first.starts("good")) == 2, 20, "the next supervisor starts its roles")


def test_a_program_that_cannot_be_started_is_said_and_tried_again(start: Start) -> None:
    desk = start("absent", "good")
    desk.wait_ready("good")
    wait_until(lambda: desk.role("absent").get("restarts", 0) >= 2, 10, "it is tried again")
    code, log = desk.end()
    assert code == 0
    assert "role.unstartable" in log


def test_strangers_cannot_feed_the_watchdog(start: Start) -> None:
    """A message from another process does not count: the kernel names the sender."""
    desk = start("hang", watchdog=1.0)
    first = desk.wait_ready("hang")
    address = psutil.Process(first).environ()["NOTIFY_SOCKET"]
    script = "import sdnotify, time\nwhile 1: sdnotify.SystemdNotifier().notify('WATCHDOG=1'); time.sleep(.1)"
    feeder = subprocess.Popen([sys.executable, "-c", script], env=os.environ | {"NOTIFY_SOCKET": address})
    try:
        wait_until(lambda: len(desk.starts("hang")) >= 2, 20, "the hung role is restarted all the same")
    finally:
        feeder.kill()
        feeder.wait()

"""One node with a door camera and an open session, for benchmarks: its folders, rows, people and its process.

Rows are made as the product's own commands make them, without their checks of time and password.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent import board
from agent.checkin.consent import Consent
from agent.checkin.enrolment import EnrolmentRefusedError, enrol
from agent.checkin.thresholds import CheckinThresholds
from agent.clock import SystemClock
from agent.paths import Paths
from agent.store.database import Store
from agent.store.vault import Vault
from models.faces import FaceEngine
from models.images import BGRImage

REPOSITORY = Path(__file__).resolve().parent.parent
MODELS = Path(os.environ.get("CLASSROOM_AGENT_MODELS", Path(sys.prefix) / "share/classroom-agent/models"))
"""Where `make setup` puts the fast engine's files."""
ROOM, CLASS, SESSION = "R", "C", "S"
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class DoorNode:
    """A node in `folder`; `clip` is what its door camera sees."""

    folder: Path
    clip: Path
    engine: str = "auto"

    @property
    def paths(self) -> Paths:
        return Paths(self.folder / "state", self.folder / "video", self.folder / "runtime")

    @property
    def settings(self) -> Path:
        return self.folder / "agent.toml"

    def build(self) -> Store:
        """Settings, folders, a class with an open session; the database, open."""
        for folder in (self.paths.state, self.paths.keys, self.paths.photos, self.paths.video):
            folder.mkdir(parents=True, mode=0o700)
        self.settings.write_text(
            f"""[node]
institution = "bench"
room = "{ROOM}"
node = "n1"
environment = "demonstration"

[storage]
state = "state"
video = "video"
runtime = "runtime"
require_volume_marker = false

[cameras.door]
driver = "file"
path = {json.dumps(str(self.clip))}
loop = false

[checkin]
engine = "{self.engine}"
models_folder = {json.dumps(str(MODELS))}

[log]
level = "WARNING"
""",
            encoding="utf-8",
        )
        store = Store(self.paths.database)
        store.insert(
            "class",
            dict.fromkeys(("title", "occupation", "term_number", "approval", "city", "source_sha256"), "")
            | {"id": CLASS, "opening_day": "2026-11-21", "planned_hours": 1, "imported_us": 0},
        )
        now_us = SystemClock().now().wall_us
        store.insert(
            "session",
            {
                "id": SESSION,
                "class_id": CLASS,
                "room": ROOM,
                "kind": "theory",
                "class_hours": 1,
                "planned_start_us": now_us,
                "planned_end_us": now_us + 3_600_000_000,
                "state": "open",
                "opened_us": now_us,
            },
        )
        return store

    def enrol(
        self, store: Store, engine: FaceEngine, photos: Sequence[BGRImage], role: str = "trainee"
    ) -> str:
        """A person of the class with these photos; the person's id. EnrolmentRefusedError where enrolment
        refused them."""
        person = str(uuid.uuid4())
        store.insert("person", {"id": person, "name": "-", "created_us": 0})
        store.insert("enrolment", {"class_id": CLASS, "person_id": person, "role": role})
        clock, consent = SystemClock(), Consent("bench", "bench")
        try:
            enrol(
                store,
                Vault(self.paths.keys),
                engine,
                clock.now(),
                person,
                photos,
                consent,
                CheckinThresholds(),
                simulated=True,
            )
        except EnrolmentRefusedError:
            store.execute("DELETE FROM enrolment WHERE person_id = ?", (person,))
            raise
        return person

    @property
    def status(self) -> dict[str, Any]:
        """What the role last said of itself."""
        return board.read_json(self.paths.status / "checkin.json") or {}

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """The check-in role in its own process, ready for pictures; its log is `checkin.log`."""
        command = [sys.executable, "-m", "agent", "--config", str(self.settings), "run", "checkin"]
        with (self.folder / "checkin.log").open("ab") as log:
            process = subprocess.Popen(command, cwd=REPOSITORY, stdout=log, stderr=log)
        try:
            self.wait(process, lambda: self.status.get("state") == "running", 60)
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def wait(self, process: subprocess.Popen[bytes], until: Callable[[], bool], seconds: float) -> None:
        """SystemExit with the role's log when it ends or takes longer."""
        deadline = time.monotonic() + seconds
        while not until():
            if process.poll() is not None or time.monotonic() > deadline:
                tail = (self.folder / "checkin.log").read_text(encoding="utf-8", errors="replace")[-1500:]
                raise SystemExit(f"checkin: {process.poll()}, {self.status}\n{tail}")
            time.sleep(0.05)


def cpu_seconds(process: subprocess.Popen[bytes]) -> float:
    """User and system time of all threads of a running process so far."""
    fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS

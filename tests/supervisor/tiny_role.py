"""A real process that behaves as a role can behave: `tiny_role.py good|crash|hang|deaf|mute|parent FILE`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import sdnotify


def main(behaviour: str, diary: Path) -> int:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set() if behaviour != "deaf" else None)
    with diary.open("a", encoding="ascii") as lines:
        lines.write(f"{os.getpid()}\n")
    if behaviour == "crash":
        return 7
    if behaviour == "parent":
        encoder = subprocess.Popen(["sleep", "600"])
        diary.with_suffix(".child").write_text(str(encoder.pid), encoding="ascii")
    notifier = sdnotify.SystemdNotifier()
    if behaviour != "mute":
        notifier.notify("READY=1")
    while not stop.wait(0.05):
        if behaviour not in ("hang", "mute"):
            notifier.notify("WATCHDOG=1")
    diary.with_suffix(".stopped").touch()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))

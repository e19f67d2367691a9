"""Feeds hostile rosters and photos to the product in a process with bounds, and watches it.

`python -m tests.checkin.fuzz FOLDER FIRST COUNT`: seeds FIRST to FIRST + COUNT - 1. Prints a line of JSON.
Any exception but a refusal, any file or program that is opened because of an input, and any changed row of a
refused roster ends it with a trace that names the seed.
"""

from __future__ import annotations

import json
import re
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agent.checkin.photo_file import PhotoFileError, PhotoReader
from agent.classes.importing import import_class
from agent.classes.problems import ClassFileError
from agent.classes.reading import RosterFile, SourceFile, read_class_bytes
from agent.clock import SystemClock
from agent.policy import PolicyError, load_policies
from agent.store.database import Store
from agent.store.vault import Vault
from tests.checkin import hostile

MEMORY_BYTES = 1 << 30
LONGEST_S = 20.0
NEVER = ("os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.symlink", "os.remove", "socket.connect")


class Watch:
    """An audit hook: what the process opens, runs and removes while it looks at an input (PEP 578)."""

    def __init__(self, folder: Path) -> None:
        self.seed: int | None = None
        self.effects: list[str] = []
        self._folder = str(folder)
        sys.addaudithook(self._see)

    def _see(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.seed is None:
            return
        is_decoder = event == "subprocess.Popen" and "agent.checkin.photo_worker" in arguments[1]
        if event in NEVER or (event == "subprocess.Popen" and not is_decoder):
            self.effects.append(f"seed {self.seed}: {event} {arguments!r:.200}")
        if event == "open" and isinstance(arguments[0], str | bytes):
            path = arguments[0] if isinstance(arguments[0], str) else arguments[0].decode(errors="replace")
            writes = isinstance(arguments[2], int) and arguments[2] & 0b11
            outside = writes and not path.startswith(self._folder) and path != "/dev/null"
            rest = path.removeprefix(self._folder)
            if outside or any(word in rest for word in ("hostile", "passwd", "..", "evil", "DROP")):
                self.effects.append(f"seed {self.seed}: opened {path[:200]!r}")


def main(folder: Path, first: int, count: int) -> dict[str, Any]:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES * 3, MEMORY_BYTES * 3))
    good = (folder / "good.xlsx").read_bytes()
    policies, clock, taken = load_policies(), SystemClock(), {"rosters": 0, "photos": 0}
    longest, watch = 0.0, Watch(folder)
    with Store(folder / "agent.sqlite") as store, PhotoReader(patience_s=LONGEST_S) as reader:
        vault, before = Vault(folder), _rows(store)
        for seed in range(first, first + count):
            began, watch.seed = time.monotonic(), seed
            with _named(seed):
                try:
                    source = _source(seed, good)
                    with store.transaction():
                        import_class(
                            store, vault, clock.now(), source.document,
                            room="room-101", source_sha256=source.sha256, simulated=True, policies=policies,
                        )  # fmt: skip
                    taken["rosters"] += 1
                    before = _rows(store)
                except (ClassFileError, PolicyError):
                    assert _rows(store) == before, f"seed {seed}: half a roster"
                try:
                    image = reader.read(hostile.photo(seed))
                    assert image.ndim == 3 and max(image.shape) <= 2000, f"seed {seed}"
                    taken["photos"] += 1
                except PhotoFileError:
                    pass
            longest = max(longest, time.monotonic() - began)
        watch.seed = None
    assert not watch.effects, watch.effects
    usage = [_most_kib(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss]
    return {"inputs": 2 * count, "longest_s": round(longest, 3), "rss_mib": [u >> 10 for u in usage], **taken}


@contextmanager
def _named(seed: int) -> Iterator[None]:
    """Whatever is raised meanwhile says by which seed it can be had again."""
    try:
        yield
    except Exception as error:
        error.add_note(f"seed {seed}")
        raise


def _most_kib() -> int:
    """Most memory that this program held. getrusage would say the test's process, if that held more before it
    became this one: its figure outlives exec."""
    return int(re.findall(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)[0])


def _source(seed: int, good: bytes) -> SourceFile:
    """TOML, XLSX and CSV in turn, read as an upload. ClassFileError."""
    if seed % 3 == 0:
        return read_class_bytes(hostile.roster_toml(seed), "upload", "toml")
    if seed % 3 == 1:
        return read_class_bytes(hostile.roster_xlsx(seed, good), "upload", "xlsx")
    roster = RosterFile(hostile.roster_csv(seed), "upload.csv")
    return read_class_bytes(hostile.CLASS_TOML, "upload", "toml", roster)


def _rows(store: Store) -> dict[str, int]:
    tables = [row[0] for row in store.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    return {name: store.one(f"SELECT count(*) FROM {name}")[0] for name in tables}  # noqa: S608 (own words)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))) + "\n")

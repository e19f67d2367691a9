"""An installation with second copies: real folders, a real database, the test's clock."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

from agent.archive.bucket import TokenBucket
from agent.archive.copies import Copier
from agent.archive.log_copies import LogCopier
from agent.archive.worker import StoppedError
from agent.paths import Paths
from agent.settings import CopySettings, Settings
from agent.store import footage_facts
from agent.store.database import Row, Store
from tests.clocks import ManualClock
from tests.evidence.logs import NODE


def node_settings(paths: Paths, copies: Sequence[CopySettings] = ()) -> Settings:
    return Settings.model_validate(
        {
            "node": {
                "institution": NODE.institution,
                "room": NODE.room,
                "node": NODE.node,
                "environment": "demonstration",
            },
            "storage": {
                "state": paths.state,
                "video": paths.video,
                "runtime": paths.runtime,
                "require_volume_marker": False,
            },
            "cameras": {},
            "copies": [copy.model_dump() for copy in copies],
        }
    )


def copy_settings(folder: Path, name: str = "nas", **values: object) -> CopySettings:
    folder.mkdir(exist_ok=True)
    given = {
        "name": name,
        "folder": folder,
        "custodian": "institution",
        "require_volume_marker": False,
        "limit_kib_per_second": 1_000_000,
    }
    return CopySettings.model_validate({**given, **values})


@dataclass
class FreePace:
    """Never in the way; counts, and may be told to stop the work after so many beats, as a kill would."""

    beats: int = 0
    waited: float = 0.0
    stop_after: int | None = None

    def beat(self) -> None:
        self.beats += 1
        if self.stop_after is not None and self.beats > self.stop_after:
            raise StoppedError

    def wait(self, seconds: float) -> None:
        self.waited += seconds


@dataclass
class Place:
    """Folders of a node and of its copy."""

    paths: Paths
    store: Store
    clock: ManualClock
    copy: CopySettings
    run: str = field(default_factory=lambda: str(uuid4()))
    made: int = 0

    @property
    def settings(self) -> Settings:
        return node_settings(self.paths, [self.copy])

    def segment(self, size: int = 300_000, content: bytes | None = None) -> Row:
        """A closed segment: its file, its row and its fact. Random bytes: nothing here looks into them."""
        data = os.urandom(size) if content is None else content
        sequence, self.made = self.made, self.made + 1
        path = f"segments/{self.run}/{sequence:06d}.mp4"
        file = self.paths.video / path
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(data)
        self.clock.advance(300)
        now = self.clock.now()
        with self.store.transaction():
            footage_facts.insert_run(self.store, now, NODE.room, _run(self.run))
            row = _segment(self.run, sequence, path, data, now.wall_us)
            footage_facts.insert_segment(self.store, now, NODE.room, row)
        return self.row(sequence)

    def row(self, sequence: int) -> Row:
        found = self.store.row(
            "SELECT segment.*, run.simulated FROM segment JOIN run ON run.id = run_id"
            " WHERE run_id = ? AND sequence = ?",
            (self.run, sequence),
        )
        assert found is not None
        return found

    def copier(self, bucket: TokenBucket | None = None) -> Copier:
        rate = self.copy.limit_kib_per_second << 10
        return Copier(self.copy, self.settings.storage, self.clock, bucket or TokenBucket(rate))

    def copy_all(self) -> None:
        self.copier().work(self.store, FreePace())

    def log_copier(self, root: Path | None = None, name: str = "nas") -> LogCopier:
        return LogCopier(name, root or self.copy.folder, lambda: None, self.clock)

    def copied(self) -> set[int]:
        rows = self.store.rows("SELECT sequence FROM segment_copy WHERE copy = ?", (self.copy.name,))
        return {row["sequence"] for row in rows}

    def target(self, sequence: int) -> Path:
        return self.copy.folder / f"segments/{self.run}/{sequence:06d}.mp4"

    def source(self, sequence: int) -> Path:
        return self.paths.video / f"segments/{self.run}/{sequence:06d}.mp4"

    def facts(self, kind: str) -> list[Row]:
        return self.store.rows("SELECT * FROM fact WHERE type = ? ORDER BY id", (kind,))


def _run(run: str) -> footage_facts.RunRow:
    assert UUID(run)
    return footage_facts.RunRow(
        id=run,
        camera="rear",
        driver="file",
        simulated=True,
        codec="h264",
        width=1280,
        height=720,
        time_base_denominator=90_000,
        boot_id="00000000-0000-4000-8000-000000000001",
    )


def _segment(run: str, sequence: int, path: str, data: bytes, start_us: int) -> footage_facts.SegmentRow:
    ticks = 300 * 90_000
    return footage_facts.SegmentRow(
        run_id=run,
        sequence=sequence,
        path=path,
        start_ticks=sequence * ticks,
        end_ticks=(sequence + 1) * ticks,
        start_us=start_us,
        end_us=start_us + 300_000_000,
        monotonic_start_ns=1,
        clock_state="synchronised",
        size=len(data),
        sha256=hashlib.sha256(data).digest(),
        previous_sha256=None,
        fragments=hashlib.sha256(data).digest(),
        gops=b"",
        end_reason="rotation",
    )

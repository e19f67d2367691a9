"""The recorder and the page on three years of footage: start-up to the first recorded frame, and the queries.

    python -m bench.index [--segments 105000] [--records 300000] [--folder FOLDER] [--keep]

Builds an index as full as after three years (rows of the size that five minutes of video have, files that are
empty stand-ins, since no indexed file is read at a start), starts the real recorder on it and asks what the
page asks. Prints one JSON object; each figure stands beside its limit.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

from agent.paths import Paths
from agent.recording.continuity import coverage
from agent.recording.scan import NotASegmentError, read_header, scan_segment
from agent.recording.segment_writer import segment_path
from agent.store import footage, overview
from agent.store.database import Store, Value
from agent.store.playback import segments_to_play
from tests import synthetic
from tests.recording.process import RecorderProcess
from tests.waiting import wait_until
from tests.weight import weigh_as_its_unit

SEGMENTS = 105_000
"""Three years of eight hours a day in segments of five minutes."""
RECORDS = 300_000
SEGMENT_US = 300_000_000
IN_A_RUN, RUNS_A_DAY = 24, 4
DAY_US = 86_400_000_000
BEGAN_US = 1_700_006_400_000_000
TICKS = 90_000
FRAGMENTS, GOPS = 600, 150

START_LIMIT_S = 3.0
TIMELINE_LIMIT_MS = 20.0


@dataclass(frozen=True)
class Span:
    """One segment of the three years."""

    number: int

    @property
    def sequence(self) -> int:
        return self.number % IN_A_RUN

    @property
    def run_number(self) -> int:
        return self.number // IN_A_RUN

    @property
    def run(self) -> str:
        return str(UUID(int=(0x4000 << 64) + (0x8 << 60) + self.run_number))

    @property
    def start_us(self) -> int:
        day, run = divmod(self.run_number, RUNS_A_DAY)
        # Two hours a run, ten seconds without the camera between them.
        return (
            BEGAN_US + day * DAY_US + run * (IN_A_RUN * SEGMENT_US + 10_000_000) + self.sequence * SEGMENT_US
        )


def build(paths: Paths, segments: int, records: int) -> None:
    """Fill the database and the video folder of a fresh installation."""
    with Store(paths.database) as store:
        store.execute("PRAGMA synchronous = OFF")
        spans = [Span(number) for number in range(segments)]
        for table, rows in (
            ("run", (_run(span) for span in spans if span.sequence == 0)),
            ("segment", (_segment(span) for span in spans)),
            ("gap", (_gap(span) for span in spans if span.sequence == 0 and span.number)),
            ("fact", (_fact(span) for span in spans)),
            ("record", (_record(number) for number in range(1, records + 1))),
        ):
            _insert(store, table, rows)
        store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for span in spans:
        file = paths.video / segment_path(span.run, span.sequence)
        if span.sequence == 0:
            file.parent.mkdir(parents=True)
        os.close(os.open(file, os.O_CREAT | os.O_WRONLY, 0o640))


def _insert(store: Store, table: str, rows: Iterator[dict[str, Value]]) -> None:
    with store.transaction():
        while some := list(islice(rows, 2000)):
            names = ", ".join(some[0])
            marks = ", ".join(f":{name}" for name in some[0])
            statement = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608 (own words)
            for row in some:
                store.execute(statement, row)


def _run(span: Span) -> dict[str, Value]:
    return {
        "id": span.run,
        "camera": "rear",
        "room": "r101",
        "driver": "rtsp",
        "simulated": 0,
        "codec": "h264",
        "width": 1280,
        "height": 720,
        "time_base_denominator": TICKS,
        "boot_id": str(UUID(int=1)),
    }


def _segment(span: Span) -> dict[str, Value]:
    start = span.sequence * SEGMENT_US * TICKS // 1_000_000
    return {
        "run_id": span.run,
        "sequence": span.sequence,
        "path": str(segment_path(span.run, span.sequence)),
        "start_ticks": start,
        "end_ticks": start + SEGMENT_US * TICKS // 1_000_000,
        "start_us": span.start_us,
        "end_us": span.start_us + SEGMENT_US,
        "monotonic_start_ns": span.start_us * 1000,
        "clock_state": "synchronised",
        "bytes": 75_000_000,
        "sha256": span.number.to_bytes(32),
        "previous_sha256": (span.number - 1).to_bytes(32) if span.number else None,
        "end_reason": "rotation",
        "stated_us": span.start_us + SEGMENT_US,
        "gops": bytes(8 * GOPS),
        "fragments": bytes(32 * FRAGMENTS),
    }


def _gap(span: Span) -> dict[str, Value]:
    before = Span(span.number - 1)
    return {
        "id": str(UUID(int=span.run_number)),
        "camera": "rear",
        "reason": "camera" if span.run_number % RUNS_A_DAY else "operator",
        "start_us": before.start_us + SEGMENT_US,
        "end_us": span.start_us,
        "run_before": before.run,
        "run_after": span.run,
        "detail": "no packets from the camera",
    }


def _fact(span: Span) -> dict[str, Value]:
    data = {
        "run": span.run,
        "sequence": span.sequence,
        "sha256": span.number.to_bytes(32).hex(),
        "room": "r101",
    }
    return {
        "type": "recording.segment-closed",
        "subject": f"segment/{span.run}/{span.sequence}",
        "simulated": 0,
        "at_us": span.start_us,
        "monotonic_ns": span.start_us * 1000,
        "boot_id": str(UUID(int=1)),
        "clock_state": "synchronised",
        "data": json.dumps(data | {"more": "x" * 300}),
    }


def _record(number: int) -> dict[str, Value]:
    return {
        "sequence": number,
        "id": str(UUID(int=number)),
        "type": "recording.segment-closed",
        "time_us": BEGAN_US + number,
        "sha256": number.to_bytes(32),
        "jws": bytes(1200),
    }


def measure_start(paths: Paths, clip: Path) -> dict[str, Any]:
    """Start the recorder as an installation does, until the first frame is durable and the sweep is done."""
    process = RecorderProcess(paths, f'driver = "file"\npath = "{clip}"', wrapper=("setsid",))
    old = set(paths.segments.iterdir())
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began_ns = time.monotonic_ns()
    process.start()
    try:
        assert process.process is not None  # noqa: S101 (started just now)
        pid = process.process.pid
        wait_until(lambda: os.getsid(pid) == pid, 10, "a session of its own")
        weigh_as_its_unit(pid)
        file = wait_until(lambda: _first_footage(paths, old), 60, "a first durable frame")
        durable_ns = time.monotonic_ns()
        assert file is not None  # noqa: S101 (waited for)
        first_ns = read_header(file).monotonic_start_ns
        wait_until(lambda: _is_indexed(paths, file.parent.name), 300, "the run in the index")
        swept_ns = time.monotonic_ns()
    finally:
        if process.process is not None:
            process.stop()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "first_recorded_frame_s": round((first_ns - began_ns) / 1e9, 2),
        "first_durable_fragment_s": round((durable_ns - began_ns) / 1e9, 2),
        "index_in_step_s": round((swept_ns - began_ns) / 1e9, 2),
        "cpu_s": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2),
        "limit_s": START_LIMIT_S,
        "ratio_to_limit": round((first_ns - began_ns) / 1e9 / START_LIMIT_S, 2),
    }


def _first_footage(paths: Paths, old: set[Path]) -> Path | None:
    # The folder of all runs is listed once a look: cheap beside what is measured.
    for run in set(paths.segments.iterdir()) - old:
        file = run / "000000.mp4"
        try:
            if scan_segment(file).fragments:
                return file
        except (FileNotFoundError, NotASegmentError):
            continue
    return None


def _is_indexed(paths: Paths, run: str) -> bool:
    with Store(paths.database) as store:
        return store.row("SELECT 1 FROM run WHERE id = ?", (run,)) is not None


def measure_queries(paths: Paths, segments: int) -> dict[str, Any]:
    """What the page asks for one day, on fifty days, each with a new connection."""
    days = max(1, segments // (IN_A_RUN * RUNS_A_DAY) - 1)
    timeline: list[float] = []
    covered: list[float] = []
    for number in range(50):
        start_us = BEGAN_US + number * days // 50 * DAY_US
        with Store(paths.database) as store:
            began = time.perf_counter()
            segments_to_play(store, "rear", start_us, start_us + DAY_US)
            overview.gaps_between(store, "rear", start_us, start_us + DAY_US)
            timeline.append((time.perf_counter() - began) * 1000)
            began = time.perf_counter()
            rows = footage.segments_between(store, "rear", start_us, start_us + DAY_US)
            gaps = footage.gaps_between(store, "rear", start_us, start_us + DAY_US)
            found = coverage(rows, gaps, rows[0]["start_us"], rows[-1]["end_us"])
            covered.append((time.perf_counter() - began) * 1000)
            assert found.unexplained == ()  # noqa: S101 (a bench that measures nonsense is worse than none)
    return {
        "timeline_of_a_day_ms": _spread(timeline),
        "coverage_of_a_day_ms": _spread(covered),
        "limit_ms": TIMELINE_LIMIT_MS,
        "ratio_to_limit": round(max(timeline) / TIMELINE_LIMIT_MS, 2),
    }


def _spread(values: list[float]) -> dict[str, float]:
    return {"median": round(statistics.median(values), 1), "worst": round(max(values), 1)}


def measure(folder: Path, segments: int, records: int) -> dict[str, Any]:
    paths = Paths(folder / "state", folder / "video", folder / "runtime")
    for path in (paths.state, paths.segments, paths.status):
        path.mkdir(parents=True)
    began = time.monotonic()
    build(paths, segments, records)
    built_s = time.monotonic() - began
    subprocess.run(["sync", "-f", str(folder)], check=True)  # what was built must not be written meanwhile
    clip = synthetic.clip(folder / "clip.mp4", seconds=10, fps=25, gop=25)
    return {
        "segments": segments,
        "records": records,
        "database_mib": round(paths.database.stat().st_size / 2**20),
        "built_s": round(built_s),
        "start_without_journal": measure_start(paths, clip),
        "start": measure_start(paths, clip),
        "queries": measure_queries(paths, segments),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--segments", type=int, default=SEGMENTS)
    parser.add_argument("--records", type=int, default=RECORDS)
    parser.add_argument("--folder", type=Path, help="where to build (default: the temporary folder)")
    parser.add_argument("--keep", action="store_true", help="leave what was built")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="three-years-", dir=arguments.folder))
    try:
        print(json.dumps(measure(folder, arguments.segments, arguments.records), indent=2))
    finally:
        if not arguments.keep:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()

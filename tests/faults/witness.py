"""What every fault must leave standing: what was durable, right hashes, each second video or a reason.

One `Witness` accompanies one volume through all that happens to it, and is asked at the end.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.clock import SystemClock
from agent.paths import Paths
from agent.recording.continuity import Coverage, coverage
from agent.recording.header import SegmentHeader
from agent.recording.scan import NotASegmentError, Scan, scan_segment
from agent.recording.verify import verify_segment
from agent.store import footage
from agent.store.database import Row, Store
from tests.waiting import wait_until


@dataclass(frozen=True)
class Durable:
    """The end of what is on the disk."""

    header: SegmentHeader
    """Of the segment that ends there."""
    until_ns: int
    """CLOCK_MONOTONIC of the last whole frame's end."""


class Witness:
    """Remembers every file that it ever saw, and how much of it was durable then."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        self._seen: dict[Path, tuple[int, bytes]] = {}
        """File → length and SHA-256 of its whole fragments, when it was looked at last."""

    def files(self) -> list[Path]:
        """All segment files, in the order in which they were written last."""
        return sorted(self.paths.segments.glob("*/*.mp4"), key=lambda path: path.stat().st_mtime_ns)

    def look(self, among: list[Path] | None = None) -> Durable | None:
        """Take in what is new, hold what was known against what is there. Where the footage ends now, that of
        the files `among` in their order where they are given; None without footage."""
        for file, (length, digest) in self._seen.items():
            with file.open("rb") as opened:
                assert hashlib.sha256(opened.read(length)).digest() == digest, (
                    f"{file}: durable footage changed"
                )
        for file in reversed(self.files() if among is None else among):
            scan = scan_of(file)
            known = self._seen.get(file, (0, b""))[0]
            length = scan.hashes.size if scan else 0
            assert length >= known, f"{file}: {known} bytes were durable, {length} are left"
            self._seen[file] = (length, scan.hashes.sha256 if scan else hashlib.sha256().digest())
            if scan and scan.fragments:
                first, last = scan.fragments[0], scan.fragments[-1]
                media = last.decode_time + last.duration - first.decode_time
                seconds = media / scan.header.ticks_per_second
                return Durable(scan.header, scan.header.monotonic_start_ns + round(seconds * 1e9))
        return None

    @staticmethod
    def first_frame_ns(files: list[Path]) -> int | None:
        """CLOCK_MONOTONIC when the first frame of `files` arrived, durable or not; None without a header."""
        scans = [scan for file in files if (scan := scan_of(file))]
        return min((scan.header.monotonic_start_ns for scan in scans), default=None)

    def check(self, *, seconds: float = 30, chained: bool = True, covered: bool = True) -> Story:
        """AssertionError unless everything holds, the index complete within `seconds`. `chained`: each
        segment names the hash of the one before, which a file that could not be read in between breaks.
        `covered`: no second of the day is unexplained, which a clock that was set back makes meaningless."""
        self.look()
        holding = {file for file in self.files() if (scan := scan_of(file)) and scan.fragments}
        with Store(self.paths.database) as store:
            wait_until(lambda: len(_segments(store)) >= len(holding), seconds, "all footage in the index")
            rows = _segments(store)
            gaps = footage.gaps_between(store, "rear", 0, 2**62)
            runs = {row["id"]: row for row in store.rows("SELECT * FROM run")}
            facts = store.rows("SELECT data FROM fact WHERE type = 'recording.segment-closed'")
            assert store.row("PRAGMA integrity_check")[0] == "ok"  # type: ignore[index]
        assert {self.paths.video / row["path"] for row in rows} == holding
        for row in rows:
            verdict = verify_segment(self.paths.video / row["path"], row["sha256"], row["fragments"])
            assert verdict.is_intact, (row["path"], verdict)
        stated = [json.loads(row["data"]) for row in facts]
        told = sorted((fact["run"], fact["sequence"], fact["sha256"]) for fact in stated)
        assert told == sorted((row["run_id"], row["sequence"], row["sha256"].hex()) for row in rows)
        if chained:
            links = {row["previous_sha256"] for row in rows} - {row["sha256"] for row in rows}
            assert links <= {None}, "a segment names one before it that is not there"
        story = Story(rows, gaps, runs)
        assert not covered or story.coverage.unexplained == (), story.around_the_unexplained()
        return story


class Story:
    """Segments and gaps of a volume, all of them."""

    def __init__(self, segments: list[Row], gaps: list[Row], runs: Mapping[str, Row]) -> None:
        self.segments = segments
        self.gaps = gaps
        self._runs = runs
        start = min((row["start_us"] for row in [*segments, *gaps]), default=0)
        now = SystemClock().now().wall_us
        self.coverage: Coverage = coverage(segments, gaps, start, max(now, start + 1))

    @property
    def reasons(self) -> list[str]:
        return [gap["reason"] for gap in self.gaps]

    @property
    def runs(self) -> list[str]:
        """In the order in which they were recorded."""
        ordered = sorted(self.segments, key=lambda row: row["monotonic_start_ns"])
        return list(dict.fromkeys(row["run_id"] for row in ordered))

    @property
    def run_rows(self) -> list[Row]:
        """What the index says of `runs`, in their order."""
        return [self._runs[run] for run in self.runs]

    def around_the_unexplained(self) -> str:
        """What stands just before and after each second that is neither video nor gap."""
        known = [("video", f"{r['run_id'][:8]}/{r['sequence']} {r['end_reason']}", r) for r in self.segments]
        known += [("gap", gap["reason"], gap) for gap in self.gaps]
        lines = []
        for start, end in self.coverage.unexplained:
            lines.append(f"unexplained: {start}..{end}, {(end - start) / 1e6} s")
            for kind, name, row in sorted(known, key=lambda item: int(item[2]["start_us"])):
                if row["start_us"] <= end + 5_000_000 and (row["end_us"] or end) >= start - 5_000_000:
                    lines.append(f"  {row['start_us']}..{row['end_us']} {kind} {name}")
        return "\n".join(lines)


def scan_of(file: Path) -> Scan | None:
    """What stands in `file`; None when it does not begin with a header of ours."""
    try:
        return scan_segment(file)
    except NotASegmentError:
        return None


def _segments(store: Store) -> list[Row]:
    return footage.segments_between(store, "rear", 0, 2**62)

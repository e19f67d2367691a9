"""What is stated of a recording, and how it comes into the index: each statement a transaction of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.clock import Clock
from agent.recording.camera_health import HealthStatement
from agent.recording.gaps import Gap
from agent.recording.header import SegmentHeader
from agent.recording.segment_writer import ClosedSegment
from agent.store import footage, footage_facts
from agent.store.cameras import state_camera_fact
from agent.store.database import Store
from agent.store.facts import FactType


@dataclass(frozen=True, slots=True)
class ClockStep:
    """The wall clock was set while recording."""

    old_us: int
    new_us: int
    run_before: str | None
    run_after: str | None
    simulated: bool

    def as_data(self) -> dict[str, Any]:
        return {
            "old_us": self.old_us,
            "new_us": self.new_us,
            "run_before": self.run_before,
            "run_after": self.run_after,
        }


Entry = SegmentHeader | ClosedSegment | Gap | ClockStep | HealthStatement
"""A header states that its run began."""


class IndexWriter:
    """Statements of one connection. sqlite3.Error when one cannot be committed."""

    def __init__(self, store: Store, clock: Clock, room: str) -> None:
        self.store = store
        self._clock = clock
        self._room = room
        self.refused_files = 0
        """Files that the last sweep had to pass over."""

    def put(self, entry: Entry) -> bool:
        """Commit one statement; False when it stood already."""
        now = self._clock.now()
        with self.store.transaction():
            match entry:
                case SegmentHeader():
                    return footage_facts.insert_run(self.store, now, entry.origin.room, _run_row(entry))
                case ClosedSegment():
                    room = entry.header.origin.room  # the file's word: the settings may name another by now
                    footage_facts.insert_run(self.store, now, room, _run_row(entry.header))
                    return footage_facts.insert_segment(self.store, now, room, _segment_row(entry))
                case Gap():
                    return footage_facts.put_gap(
                        self.store, now, self._room, _gap_row(entry), simulated=entry.simulated
                    )
                case ClockStep():
                    footage_facts.state_clock_step(
                        self.store, now, self._room, entry.as_data(), simulated=entry.simulated
                    )
                    return True
                case HealthStatement():
                    state_camera_fact(
                        self.store,
                        now,
                        self._room,
                        FactType.CAMERA_HEALTH_CHANGED,
                        entry.as_data(),
                        simulated=entry.simulated,
                    )
                    return True

    def put_without_footage(self, run: str, sequence: int, size: int, modified_ns: int) -> None:
        """Remember a file that holds no whole fragment, so that no later sweep reads it again."""
        with self.store.transaction():
            footage.put_file_without_footage(
                self.store, self._clock.now(), run, sequence, size=size, modified_ns=modified_ns
            )

    def rebuilt(self, segments: int, gaps: int) -> None:
        with self.store.transaction():
            footage_facts.state_index_rebuilt(self.store, self._clock.now(), segments, gaps)


def _run_row(header: SegmentHeader) -> footage_facts.RunRow:
    return footage_facts.RunRow(
        id=header.run,
        camera=header.origin.camera,
        driver=header.origin.driver,
        simulated=header.origin.simulated,
        codec=header.codec,
        width=header.width,
        height=header.height,
        time_base_denominator=header.ticks_per_second,
        boot_id=header.boot_id,
    )


def _segment_row(closed: ClosedSegment) -> footage_facts.SegmentRow:
    header = closed.header
    previous = header.previous_segment_sha256
    return footage_facts.SegmentRow(
        run_id=header.run,
        sequence=header.sequence,
        path=str(closed.path),
        start_ticks=closed.start_ticks,
        end_ticks=closed.end_ticks,
        start_us=header.wall_start_us,
        end_us=closed.end_us,
        monotonic_start_ns=header.monotonic_start_ns,
        clock_state=header.clock_state,
        size=closed.hashes.size,
        sha256=closed.hashes.sha256,
        previous_sha256=bytes.fromhex(previous) if previous else None,
        gops=closed.gops,
        fragments=b"".join(closed.hashes.fragments),
        end_reason=closed.end_reason,
    )


def _gap_row(gap: Gap) -> footage_facts.GapRow:
    return footage_facts.GapRow(
        id=gap.id,
        camera=gap.camera,
        reason=gap.reason,
        start_us=gap.start_us,
        end_us=gap.end_us,
        run_before=gap.run_before,
        run_after=gap.run_after,
        detail=gap.detail,
    )

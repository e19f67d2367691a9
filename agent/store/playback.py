"""What a player needs of the index: segments where they truly lie, with their groups of pictures.

A segment that was stamped by a clock not yet right lies where the correction of its boot puts it (I8), on the
time line and in the playlist alike; its row keeps its stamps, and both times are told.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from agent.store.clock import Corrections
from agent.store.database import Row, Store
from agent.store.footage import LONGEST_SEGMENT_US
from agent.store.true_footage import corrected_segments_between


class PlayRow(NamedTuple):
    """A closed segment with its run's stream, in true time. `path` is relative to the video folder."""

    run_id: str
    sequence: int
    path: str
    start_ticks: int
    end_ticks: int
    start_us: int
    end_us: int
    size: int
    expired_us: int | None
    gops: bytes
    """8 bytes a group of pictures (agent/recording/gops.py)."""
    fragment_count: int
    ticks_per_second: int
    simulated: bool
    add_us: int
    """True time less the row's own stamps; 0 without a correction."""
    uncertainty_us: int | None
    """Of the true time; None without a correction."""


def segments_to_play(store: Store, camera: str, start_us: int, end_us: int) -> list[PlayRow]:
    """Segments of a camera that truly touch [start_us, end_us), in order of time, expired ones included."""
    # Both bounds on start_us, as in footage.py: an index over two times serves a range of one only.
    stated = store.rows(
        f"SELECT {_COLUMNS} FROM segment JOIN run ON run.id = segment.run_id"  # noqa: S608 (own words)
        " WHERE run.camera = ? AND segment.start_us > ? AND segment.start_us < ? AND segment.end_us > ?"
        " ORDER BY segment.start_us, segment.sequence",
        (camera, start_us - LONGEST_SEGMENT_US, end_us, start_us),
    )
    moved = corrected_segments_between(store, camera, start_us, end_us, _COLUMNS)
    placed = _placed(store, [*stated, *moved])
    return [row for row in placed if row.start_us < end_us and row.end_us > start_us]


def segment_to_play(store: Store, run_id: str, sequence: int) -> PlayRow | None:
    """One segment by its identity."""
    rows = store.rows(
        f"SELECT {_COLUMNS} FROM segment JOIN run ON run.id = segment.run_id"  # noqa: S608 (own words)
        " WHERE segment.run_id = ? AND segment.sequence = ?",
        (run_id, sequence),
    )
    return next(iter(_placed(store, rows)), None)


_COLUMNS = (
    "segment.run_id, segment.sequence, segment.path, segment.start_ticks, segment.end_ticks,"
    " segment.start_us, segment.end_us, segment.bytes AS size, segment.expired_us, segment.gops,"
    " length(segment.fragments) / 32 - 1 AS fragment_count,"
    " run.time_base_denominator AS ticks_per_second, run.simulated, run.boot_id, segment.monotonic_start_ns"
)


def _placed(store: Store, rows: Iterable[Row]) -> list[PlayRow]:
    known = {(row["run_id"], row["sequence"]): row for row in rows}
    corrections = Corrections.of(store, {row["boot_id"] for row in known.values()})
    placed = [_row(row, corrections) for row in known.values()]
    return sorted(placed, key=lambda row: (row.start_us, row.sequence))


def _row(row: Row, corrections: Corrections) -> PlayRow:
    # By position: a day's playlist reads 288 rows, and names cost more than the query.
    *columns, simulated, boot_id, monotonic_ns = row
    correct = corrections.at(boot_id, monotonic_ns)
    if correct is None:
        return PlayRow._make((*columns, bool(simulated), 0, None))
    add_us = correct.wall_us - row["start_us"]
    columns[5:7] = [row["start_us"] + add_us, row["end_us"] + add_us]
    return PlayRow._make((*columns, bool(simulated), add_us, correct.uncertainty_us))

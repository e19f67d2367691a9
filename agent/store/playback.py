"""What a player needs of the index: segments with the places of their groups of pictures."""

from __future__ import annotations

from dataclasses import dataclass

from agent.store.database import Row, Store
from agent.store.footage import LONGEST_SEGMENT_US


@dataclass(frozen=True, slots=True)
class PlayRow:
    """A closed segment with its run's stream. `path` is relative to the video folder."""

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


def segments_to_play(store: Store, camera: str, start_us: int, end_us: int) -> list[PlayRow]:
    """Segments of a camera that touch [start_us, end_us), in order of time, expired ones included."""
    # Both bounds on start_us, as in footage.py: an index over two times serves a range of one only.
    rows = store.rows(
        f"SELECT {_COLUMNS} FROM segment JOIN run ON run.id = segment.run_id"  # noqa: S608 (own words)
        " WHERE run.camera = ? AND segment.start_us > ? AND segment.start_us < ? AND segment.end_us > ?"
        " ORDER BY segment.start_us, segment.sequence",
        (camera, start_us - LONGEST_SEGMENT_US, end_us, start_us),
    )
    return [_row(row) for row in rows]


def segment_to_play(store: Store, run_id: str, sequence: int) -> PlayRow | None:
    """One segment by its identity."""
    row = store.row(
        f"SELECT {_COLUMNS} FROM segment JOIN run ON run.id = segment.run_id"  # noqa: S608 (own words)
        " WHERE segment.run_id = ? AND segment.sequence = ?",
        (run_id, sequence),
    )
    return None if row is None else _row(row)


_COLUMNS = (
    "segment.run_id, segment.sequence, segment.path, segment.start_ticks, segment.end_ticks,"
    " segment.start_us, segment.end_us, segment.bytes AS size, segment.expired_us, segment.gops,"
    " length(segment.fragments) / 32 - 1 AS fragment_count,"
    " run.time_base_denominator AS ticks_per_second, run.simulated"
)


def _row(row: Row) -> PlayRow:
    # By position: a day's playlist reads 288 rows, and names cost more than the query.
    return PlayRow(*(*row[:-1], bool(row[-1])))

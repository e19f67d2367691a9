"""Runs, segments and gaps in the index, read: by time, by run, by the chain of hashes, by what is missing."""

from __future__ import annotations

from typing import Final

from agent.clock import Stamp
from agent.store.database import Row, Store

CAMERA: Final = "rear"
"""Whose footage is the recording of a lesson."""
LONGEST_SEGMENT_US = 2 * 3_600_000_000
"""No segment lasts longer: the settings allow an hour (`recording.segment_seconds`), and it is closed at the
next key frame after that. `end_us` follows `start_us` by the segment's ticks, so a clock that was set
stretches none."""


def indexed_segments(store: Store) -> dict[str, set[int]]:
    """Run → sequence of every segment that the index knows, expired ones included."""
    found: dict[str, set[int]] = {}
    for run, sequence in store.execute("SELECT run_id, sequence FROM segment"):
        found.setdefault(run, set()).add(sequence)
    return found


def files_without_footage(store: Store) -> dict[tuple[str, int], tuple[int, int]]:
    """(run, sequence) → (bytes, modified_ns) of the files that were found to hold no whole fragment."""
    return {
        (row["run_id"], row["sequence"]): (row["bytes"], row["modified_ns"])
        for row in store.rows("SELECT * FROM file_without_footage")
    }


def put_file_without_footage(
    store: Store, stamp: Stamp, run: str, sequence: int, *, size: int, modified_ns: int
) -> None:
    """Remember that the file, of this size and time of writing, holds no whole fragment."""
    store.execute(
        "INSERT INTO file_without_footage (run_id, sequence, bytes, modified_ns, seen_us)"
        " VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET bytes = excluded.bytes,"
        " modified_ns = excluded.modified_ns, seen_us = excluded.seen_us",
        (run, sequence, size, modified_ns, stamp.wall_us),
    )


def gap_after_run(store: Store, run: str) -> Row | None:
    """The gap that began when `run` ended."""
    return store.row("SELECT * FROM gap WHERE run_before = ? ORDER BY start_us LIMIT 1", (run,))


def first_segment_after(store: Store, camera: str, start_us: int) -> Row | None:
    """The first segment that begins at or after `start_us`, with `simulated` and `boot_id` of its run."""
    return store.row(
        "SELECT segment.*, run.simulated, run.boot_id FROM segment JOIN run ON run.id = segment.run_id"
        " WHERE run.camera = ? AND segment.start_us >= ? ORDER BY segment.start_us LIMIT 1",
        (camera, start_us),
    )


def first_segment_after_gap(store: Store, gap: Row) -> Row | None:
    """The first footage after a gap, as `first_segment_after` gives it, by the chain of hashes: the run that
    follows the run before the gap.

    Only where the chain is broken (a file that the disk did not give back) among runs that were stated later:
    by the monotonic clock in the same boot, by the wall clock, which may have been set since, in others.
    """
    before = store.row(
        "SELECT segment.sha256, segment.monotonic_start_ns, run.boot_id, run.rowid AS place FROM segment"
        " JOIN run ON run.id = segment.run_id WHERE run_id = ? ORDER BY sequence DESC LIMIT 1",
        (gap["run_before"],),
    )
    if before is None:
        return first_segment_after(store, gap["camera"], gap["start_us"])
    following = store.row(
        "SELECT segment.*, run.simulated, run.boot_id FROM segment JOIN run ON run.id = segment.run_id"
        " WHERE segment.sequence = 0 AND segment.previous_sha256 = ? AND run.camera = ?",
        (before["sha256"], gap["camera"]),
    )
    return following or store.row(
        "SELECT segment.*, run.simulated, run.boot_id"
        " FROM run JOIN segment ON segment.run_id = run.id AND segment.sequence = 0"
        " WHERE run.camera = ? AND run.rowid > ? AND CASE WHEN run.boot_id = ?"
        " THEN segment.monotonic_start_ns > ? ELSE segment.start_us >= ? END"
        " ORDER BY run.boot_id <> ?, segment.start_us LIMIT 1",
        (
            gap["camera"],
            before["place"],
            before["boot_id"],
            before["monotonic_start_ns"],
            gap["start_us"],
            before["boot_id"],
        ),
    )


def segments_between(store: Store, camera: str, start_us: int, end_us: int) -> list[Row]:
    """Segments that touch [start_us, end_us), in order of time, with `ticks_per_second`, `simulated`,
    `boot_id` and `room` of their run."""
    return _segments_between(store, "segment.*", camera, start_us, end_us)


def segment_places_between(store: Store, camera: str, start_us: int, end_us: int) -> list[Row]:
    """`segments_between` without hashes: the fragments' alone are 19 KB a segment, and the page asks each
    second."""
    return _segments_between(store, _PLACE, camera, start_us, end_us)


_PLACE = (
    "segment.run_id, segment.sequence, segment.path, segment.start_ticks, segment.end_ticks,"
    " segment.start_us, segment.end_us, segment.bytes, segment.expired_us"
)
_OF_RUN = "run.time_base_denominator AS ticks_per_second, run.simulated, run.boot_id, run.room"


def _segments_between(store: Store, columns: str, camera: str, start_us: int, end_us: int) -> list[Row]:
    # An index over two times serves a range of one of them only: without the lower bound on start_us every
    # segment ever recorded before `end_us` would be read.
    return store.rows(
        f"SELECT {columns}, {_OF_RUN} FROM segment JOIN run ON run.id = segment.run_id"  # noqa: S608 (own words)
        " WHERE run.camera = ? AND segment.start_us > ? AND segment.start_us < ? AND segment.end_us > ?"
        " ORDER BY segment.start_us, segment.sequence",
        (camera, start_us - LONGEST_SEGMENT_US, end_us, start_us),
    )


def gaps_between(store: Store, camera: str, start_us: int, end_us: int) -> list[Row]:
    """Gaps that touch [start_us, end_us), those that still last included, in order of time."""
    return store.rows(
        "SELECT * FROM gap WHERE camera = ? AND end_us > ? AND start_us < ?"
        " UNION ALL SELECT * FROM gap WHERE camera = ? AND end_us IS NULL AND start_us < ?"
        " ORDER BY start_us",
        (camera, start_us, end_us, camera, end_us),
    )


def beginnings(store: Store, camera: str) -> list[Row]:
    """The segments that name no footage before them, with `boot_id` of their run: the first of the first
    disk, and of each that had no history."""
    return store.rows(
        "SELECT segment.run_id, segment.sequence, segment.start_us, segment.end_us,"
        " segment.monotonic_start_ns, run.boot_id FROM segment JOIN run ON run.id = segment.run_id"
        " WHERE segment.sequence = 0 AND segment.previous_sha256 IS NULL AND run.camera = ?",
        (camera,),
    )


def is_any(store: Store, camera: str) -> bool:
    """Whether any footage of the camera is or was in the index."""
    found = "SELECT 1 FROM segment JOIN run ON run.id = segment.run_id WHERE run.camera = ? LIMIT 1"
    return store.row(found, (camera,)) is not None


def first_gap_us(store: Store, camera: str) -> int | None:
    """When the first gap begins, by the stamps; None: there is none."""
    row = store.row("SELECT min(start_us) AS start_us FROM gap WHERE camera = ?", (camera,))
    return None if row is None or row["start_us"] is None else int(row["start_us"])


def open_gaps(store: Store, camera: str) -> list[Row]:
    """Gaps that have not ended, oldest first."""
    return store.rows("SELECT * FROM gap WHERE camera = ? AND end_us IS NULL ORDER BY start_us", (camera,))

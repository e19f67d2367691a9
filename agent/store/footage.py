"""Runs, segments and gaps: the index of the footage, each row with its fact in the same transaction.

Every insertion may be repeated without doubling anything: the recorder, and recovery after it, state what
the files say until it stands.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.clock import ClockState, Stamp
from agent.store.database import Row, Store
from agent.store.facts import Fact, FactType, state_fact

LONGEST_SEGMENT_US = 2 * 3_600_000_000
"""No segment lasts longer: the settings allow an hour (`recording.segment_seconds`), and it is closed at the
next key frame after that. `end_us` follows `start_us` by the segment's ticks, so a clock that was set
stretches none."""


@dataclass(frozen=True, slots=True)
class RunRow:
    """A row of `run`."""

    id: str
    camera: str
    driver: str
    simulated: bool
    codec: str
    width: int
    height: int
    time_base_denominator: int
    boot_id: str


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """A row of `segment`. `gops` holds 8 bytes a group of pictures (agent/recording/gops.py), `fragments` 32
    bytes a fragment, entry 0 the header's."""

    run_id: str
    sequence: int
    path: str
    start_ticks: int
    end_ticks: int
    start_us: int
    end_us: int
    monotonic_start_ns: int
    clock_state: ClockState
    size: int
    sha256: bytes
    previous_sha256: bytes | None
    gops: bytes
    fragments: bytes
    end_reason: str


@dataclass(frozen=True, slots=True)
class GapRow:
    """A row of `gap`; `end_us` is None while it lasts."""

    id: str
    camera: str
    reason: str
    start_us: int
    end_us: int | None
    run_before: str | None
    run_after: str | None
    detail: str


def insert_run(store: Store, stamp: Stamp, room: str, run: RunRow) -> bool:
    """State that a run in `room` began; False when the index knows it."""
    if store.row("SELECT 1 FROM run WHERE id = ?", (run.id,)):
        return False
    store.insert(
        "run",
        {
            "id": run.id,
            "room": room,
            "camera": run.camera,
            "driver": run.driver,
            "simulated": int(run.simulated),
            "codec": run.codec,
            "width": run.width,
            "height": run.height,
            "time_base_denominator": run.time_base_denominator,
            "boot_id": run.boot_id,
        },
    )
    data = {
        "run": run.id,
        "camera": run.camera,
        "driver": run.driver,
        "codec": run.codec,
        "width": run.width,
        "height": run.height,
        "ticks_per_second": run.time_base_denominator,
        "boot_id": run.boot_id,
    }
    _state(
        store, stamp, room, FactType.RUN_STARTED, f"run/{run.id}", run.simulated, data, (stamp.wall_us, None)
    )
    return True


def insert_segment(store: Store, stamp: Stamp, room: str, segment: SegmentRow) -> bool:
    """State that a segment is closed, after its file and folder are synced (I2); False when the index knows
    it. sqlite3.IntegrityError when its run is unknown."""
    known = "SELECT 1 FROM segment WHERE run_id = ? AND sequence = ?"
    if store.row(known, (segment.run_id, segment.sequence)):
        return False
    store.insert(
        "segment",
        {
            "run_id": segment.run_id,
            "sequence": segment.sequence,
            "path": segment.path,
            "start_ticks": segment.start_ticks,
            "end_ticks": segment.end_ticks,
            "start_us": segment.start_us,
            "end_us": segment.end_us,
            "monotonic_start_ns": segment.monotonic_start_ns,
            "clock_state": segment.clock_state,
            "bytes": segment.size,
            "sha256": segment.sha256,
            "previous_sha256": segment.previous_sha256,
            "gops": segment.gops,
            "fragments": segment.fragments,
            "end_reason": segment.end_reason,
            "stated_us": stamp.wall_us,
        },
    )
    run = store.row(
        "SELECT camera, simulated, time_base_denominator FROM run WHERE id = ?", (segment.run_id,)
    )
    assert run is not None  # noqa: S101 (the foreign key holds)
    data = {
        "run": segment.run_id,
        "sequence": segment.sequence,
        "camera": run["camera"],
        "start_ticks": segment.start_ticks,
        "end_ticks": segment.end_ticks,
        "ticks_per_second": run["time_base_denominator"],
        "start_us": segment.start_us,
        "end_us": segment.end_us,
        "clock_state": segment.clock_state,
        "bytes": segment.size,
        "sha256": segment.sha256.hex(),
        "previous_sha256": segment.previous_sha256.hex() if segment.previous_sha256 else None,
        # The list itself stays beside the record (600 hashes a segment); this binds it.
        "fragments": len(segment.fragments) // 32,
        "fragments_sha256": hashlib.sha256(segment.fragments).hexdigest(),
        "end_reason": segment.end_reason,
    }
    _state(
        store,
        stamp,
        room,
        FactType.SEGMENT_CLOSED,
        f"segment/{segment.run_id}/{segment.sequence}",
        bool(run["simulated"]),
        data,
        (segment.start_us, segment.end_us),
    )
    return True


def put_gap(store: Store, stamp: Stamp, room: str, gap: GapRow, *, simulated: bool) -> bool:
    """State that a gap began, or that it ended (`end_us` set); False when the index knows that much."""
    known = store.row("SELECT end_us FROM gap WHERE id = ?", (gap.id,))
    if known is not None and (known["end_us"] is not None or gap.end_us is None):
        return False
    if known is None:
        store.insert(
            "gap",
            {
                "id": gap.id,
                "camera": gap.camera,
                "reason": gap.reason,
                "start_us": gap.start_us,
                "end_us": gap.end_us,
                "run_before": gap.run_before,
                "run_after": gap.run_after,
                "detail": gap.detail,
            },
        )
    else:
        store.execute(
            "UPDATE gap SET end_us = ?, run_after = ? WHERE id = ?", (gap.end_us, gap.run_after, gap.id)
        )
    data = {
        "gap": gap.id,
        "camera": gap.camera,
        "reason": gap.reason,
        "start_us": gap.start_us,
        "end_us": gap.end_us,
        "run_before": gap.run_before,
        "run_after": gap.run_after,
        "detail": gap.detail,
    }
    kind = FactType.GAP_BEGAN if gap.end_us is None else FactType.GAP_ENDED
    _state(store, stamp, room, kind, f"gap/{gap.id}", simulated, data, (gap.start_us, gap.end_us))
    return True


def state_clock_step(
    store: Store, stamp: Stamp, room: str, data: Mapping[str, Any], *, simulated: bool
) -> None:
    """State that the wall clock was stepped; `data` maps the old time to the new one."""
    _state(store, stamp, room, FactType.CLOCK_STEPPED, "node", simulated, data, (stamp.wall_us, None))


def state_index_rebuilt(store: Store, stamp: Stamp, segments: int, gaps: int) -> None:
    """State that the index was completed from the files themselves."""
    data = {"segments": segments, "gaps": gaps}
    state_fact(store, stamp, Fact(FactType.INDEX_REBUILT, "node", simulated=False, data=data))


def indexed_segments(store: Store) -> dict[str, set[int]]:
    """Run → sequence of every segment that the index knows, expired ones included."""
    # By an index that holds both: the table itself is a hundred times as long.
    found: dict[str, set[int]] = {}
    for run, sequence in store.execute("SELECT run_id, sequence FROM segment INDEXED BY segment_by_time"):
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
    """The first segment that begins at or after `start_us`."""
    return store.row(
        "SELECT segment.* FROM segment JOIN run ON run.id = segment.run_id"
        " WHERE run.camera = ? AND segment.start_us >= ? ORDER BY segment.start_us LIMIT 1",
        (camera, start_us),
    )


def first_segment_after_gap(store: Store, gap: Row) -> Row | None:
    """The first footage after a gap, by the chain of hashes: the run that follows the run before the gap.

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
        "SELECT segment.* FROM segment JOIN run ON run.id = segment.run_id"
        " WHERE segment.sequence = 0 AND segment.previous_sha256 = ? AND run.camera = ?",
        (before["sha256"], gap["camera"]),
    )
    return following or store.row(
        "SELECT segment.* FROM run JOIN segment ON segment.run_id = run.id AND segment.sequence = 0"
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
    """Segments that touch [start_us, end_us), in order of time, with `ticks_per_second` and `simulated` of
    their run."""
    return _segments_between(store, "segment.*", camera, start_us, end_us)


def segment_places_between(store: Store, camera: str, start_us: int, end_us: int) -> list[Row]:
    """`segments_between` without hashes: the fragments' alone are 19 KB a segment, and the page asks each
    second."""
    return _segments_between(store, _PLACE, camera, start_us, end_us)


def segment_place(store: Store, run_id: str, sequence: int) -> Row | None:
    """One segment as `segment_places_between` gives it."""
    return store.row(
        f"SELECT {_PLACE}, {_OF_RUN} FROM segment JOIN run ON run.id = segment.run_id"  # noqa: S608 (own words)
        " WHERE segment.run_id = ? AND segment.sequence = ?",
        (run_id, sequence),
    )


_PLACE = (
    "segment.run_id, segment.sequence, segment.path, segment.start_ticks, segment.end_ticks,"
    " segment.start_us, segment.end_us, segment.bytes, segment.expired_us"
)
_OF_RUN = "run.time_base_denominator AS ticks_per_second, run.simulated, run.boot_id"


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


def open_gaps(store: Store, camera: str) -> list[Row]:
    """Gaps that have not ended, oldest first."""
    return store.rows("SELECT * FROM gap WHERE camera = ? AND end_us IS NULL ORDER BY start_us", (camera,))


def session_during(store: Store, room: str, start_us: int, end_us: int | None) -> tuple[str, str] | None:
    """(session, class) that was held in `room` during the interval; the one that began last of several."""
    row = store.row(
        "SELECT id, class_id FROM session WHERE room = ? AND state IN ('open', 'closed') AND opened_us < ?"
        " AND coalesce(closed_us, ?) > ? ORDER BY opened_us DESC LIMIT 1",
        (room, start_us + 1 if end_us is None else end_us, start_us + 1, start_us),
    )
    return (row["id"], row["class_id"]) if row else None


def _state(
    store: Store,
    stamp: Stamp,
    room: str,
    kind: FactType,
    subject: str,
    simulated: bool,
    data: Mapping[str, Any],
    interval: tuple[int, int | None],
) -> None:
    session, class_id = session_during(store, room, *interval) or (None, None)
    state_fact(
        store,
        stamp,
        Fact(kind, subject, simulated=simulated, data=data, class_id=class_id, session_id=session),
    )

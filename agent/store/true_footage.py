"""Queries for footage by its corrected time (`agent.store.true_time`)."""

from __future__ import annotations

from agent.store.database import Row, Store
from agent.store.footage import LONGEST_SEGMENT_US

_SEGMENT = "segment.*, run.time_base_denominator AS ticks_per_second, run.simulated, run.boot_id, run.room"
_TRUE_START = "(correction.true_offset_us + segment.monotonic_start_ns / 1000)"
_CORRECTED = (
    # CROSS JOIN keeps SQLite to this order: corrections are few, and without it a look at one day begins
    # with the segments of three years.
    " FROM clock_correction AS correction"
    " CROSS JOIN run ON run.boot_id = correction.boot_id AND run.camera = ?"
    " CROSS JOIN segment ON segment.run_id = run.id"
    " AND segment.monotonic_start_ns >= correction.from_monotonic_ns"
    " AND segment.monotonic_start_ns < correction.until_monotonic_ns"
    # Few corrections touch a day; without this each look would read the segments of all of them.
    " WHERE correction.true_offset_us + correction.until_monotonic_ns / 1000 > ?"
    " AND correction.true_offset_us + correction.from_monotonic_ns / 1000 < ?"
)


def corrected_segments_between(
    store: Store, camera: str, start_us: int, end_us: int, columns: str = _SEGMENT
) -> list[Row]:
    """Segments whose corrected time may touch [start_us, end_us), wherever their stamps put them. `columns`
    are the caller's own words, of segment, run and correction."""
    early_us = start_us - LONGEST_SEGMENT_US
    return store.rows(
        f"SELECT {columns}{_CORRECTED} AND {_TRUE_START} > ? AND {_TRUE_START} < ?",
        (camera, early_us, end_us, early_us, end_us),
    )


def last_end_before(store: Store, camera: str, before_us: int) -> int | None:
    """True end of the last segment that truly begins before `before_us`; None: there is none."""
    stated = store.row(
        "SELECT segment.end_us FROM segment JOIN run ON run.id = segment.run_id"
        " WHERE run.camera = ? AND segment.start_us < ? AND NOT EXISTS (SELECT 1 FROM clock_correction AS c"
        " WHERE c.boot_id = run.boot_id AND segment.monotonic_start_ns >= c.from_monotonic_ns"
        " AND segment.monotonic_start_ns < c.until_monotonic_ns) ORDER BY segment.start_us DESC LIMIT 1",
        (camera, before_us),
    )
    ends = [] if stated is None else [int(stated["end_us"])]
    corrections = store.rows(
        "SELECT * FROM clock_correction WHERE true_offset_us + from_monotonic_ns / 1000 < ?"
        " ORDER BY true_offset_us + from_monotonic_ns / 1000 DESC",
        (before_us,),
    )
    for each in corrections:  # the first with footage: of what each covers nothing lies in another
        row = store.row(
            "SELECT segment.monotonic_start_ns / 1000 + segment.end_us - segment.start_us AS end_us"
            " FROM run CROSS JOIN segment ON segment.run_id = run.id WHERE run.boot_id = ? AND run.camera = ?"
            " AND segment.monotonic_start_ns >= ? AND segment.monotonic_start_ns < ?"
            " AND segment.monotonic_start_ns / 1000 < ? ORDER BY segment.monotonic_start_ns DESC LIMIT 1",
            (
                each["boot_id"],
                camera,
                each["from_monotonic_ns"],
                each["until_monotonic_ns"],
                before_us - each["true_offset_us"],
            ),
        )
        if row is not None:
            ends.append(int(each["true_offset_us"]) + int(row["end_us"]))
            break
    return max(ends, default=None)


def has_corrections(store: Store) -> bool:
    """Whether any footage may lie elsewhere than its stamps say."""
    return store.row("SELECT 1 FROM clock_correction LIMIT 1") is not None


def gaps_beside_corrected(store: Store, camera: str, start_us: int, end_us: int) -> list[Row]:
    """Gaps of [start_us, end_us) that stand beside a run with corrected footage."""
    early_us = start_us - LONGEST_SEGMENT_US
    return store.rows(
        f"SELECT gap.* FROM gap WHERE gap.camera = ? AND (gap.run_before IN (SELECT run.id{_CORRECTED})"  # noqa: S608
        f" OR gap.run_after IN (SELECT run.id{_CORRECTED}))",
        (camera, camera, early_us, end_us, camera, early_us, end_us),
    )


def last_of_run(store: Store, run_id: str | None) -> list[Row]:
    """The last segment of a run; empty when there is none."""
    return store.rows(
        f"SELECT {_SEGMENT} FROM segment JOIN run ON run.id = segment.run_id"  # noqa: S608 (own words)
        " WHERE segment.run_id = ? ORDER BY segment.sequence DESC LIMIT 1",
        (run_id,),
    )


def first_after_gap(store: Store, gap: Row) -> list[Row]:
    """The first segment after a gap: of the run that ended it, else of the run that ended a later gap after
    the same footage; empty while there is none."""
    return store.rows(
        f"SELECT {_SEGMENT} FROM segment JOIN run ON run.id = segment.run_id"  # noqa: S608 (own words)
        " WHERE segment.sequence = 0 AND segment.run_id = coalesce(?, (SELECT run_after FROM gap"
        " WHERE run_before IS ? AND run_after IS NOT NULL AND camera = ? LIMIT 1))",
        (gap["run_after"], gap["run_before"], gap["camera"]),
    )

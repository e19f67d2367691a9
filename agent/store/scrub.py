"""How far each place's files were read again, so that a pass over years goes on where it was left."""

from __future__ import annotations

from dataclasses import dataclass

from agent.store.database import Row, Store

Key = tuple[str, int]
START: Key = ("", -1)


@dataclass(frozen=True, slots=True)
class Pass:
    """One reading of everything in a place. `finished_us` None while it lasts."""

    began_us: int
    after: Key
    read_segments: int
    finished_us: int | None


def current_pass(store: Store, place: str) -> Pass | None:
    """The last pass over `place` (with the volume of its disk, where it has one); None before the first."""
    row = store.row("SELECT * FROM scrub WHERE place = ?", (place,))
    if row is None:
        return None
    return Pass(row["began_us"], (row["run_id"], row["sequence"]), row["read_segments"], row["finished_us"])


def put_pass(store: Store, place: str, state: Pass) -> None:
    """Remember it."""
    store.execute(
        "INSERT INTO scrub (place, began_us, run_id, sequence, read_segments, finished_us)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (place) DO UPDATE SET began_us = excluded.began_us,"
        " run_id = excluded.run_id, sequence = excluded.sequence, read_segments = excluded.read_segments,"
        " finished_us = excluded.finished_us",
        (place, state.began_us, *state.after, state.read_segments, state.finished_us),
    )


def own_segments_after(store: Store, after: Key, volume: str | None, limit: int) -> list[Row]:
    """What should lie in the video folder: seen on its present disk, or on none yet."""
    return store.rows(
        "SELECT segment.*, run.simulated FROM segment JOIN run ON run.id = segment.run_id"
        " WHERE (run_id, sequence) > (?, ?) AND expired_us IS NULL AND (volume IS NULL OR volume IS ?)"
        " ORDER BY run_id, sequence LIMIT ?",
        (*after, volume, limit),
    )


def copied_segments_after(store: Store, copy: str, volume: str, after: Key, limit: int) -> list[Row]:
    """What should lie in a copy, on the disk that is there."""
    return store.rows(
        "SELECT segment.*, run.simulated FROM segment_copy AS copied"
        " JOIN segment ON segment.run_id = copied.run_id AND segment.sequence = copied.sequence"
        " JOIN run ON run.id = segment.run_id"
        " WHERE copied.copy = ? AND copied.volume = ? AND copied.expired_us IS NULL"
        " AND (copied.run_id, copied.sequence) > (?, ?)"
        " ORDER BY copied.run_id, copied.sequence LIMIT ?",
        (copy, volume, *after, limit),
    )

"""Measured figures of storage: bytes per recorded hour, hours planned. Each query is bounded."""

from __future__ import annotations

from dataclasses import dataclass

from agent.store.database import Store

RECENT = 288
"""A day of five-minute segments: enough for an average, little to read."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Of the newest segments."""

    segments: int
    bytes: int
    seconds: float
    fragments: int
    """Writes with a sync each: what wears a card besides the footage."""

    @property
    def bytes_per_hour(self) -> float:
        return self.bytes / self.seconds * 3600


def recent_rate(store: Store) -> Rate | None:
    """What the last recorded day took; None before anything was recorded."""
    row = store.row(
        "SELECT count(*) AS n, sum(bytes) AS bytes, sum(ticks) AS seconds, sum(parts) AS parts FROM ("
        " SELECT s.bytes, (s.end_ticks - s.start_ticks) * 1.0 / r.time_base_denominator AS ticks,"
        " length(s.fragments) / 32 AS parts FROM segment s JOIN run r ON r.id = s.run_id"
        " ORDER BY s.start_us DESC LIMIT ?)",
        (RECENT,),
    )
    if row is None or not row["n"] or not row["seconds"]:
        return None
    return Rate(row["n"], row["bytes"], row["seconds"], row["parts"])


def planned_sessions(store: Store, room: str, from_us: int) -> list[tuple[int, int]]:
    """(start, end) of this room's lessons that are not over."""
    rows = store.rows(
        "SELECT planned_start_us, planned_end_us FROM session WHERE room = ? AND planned_end_us > ?"
        " AND state IN ('planned', 'open') ORDER BY planned_start_us",
        (room, from_us),
    )
    return [(row[0], row[1]) for row in rows]


@dataclass(frozen=True, slots=True)
class Shortage:
    """A row of `storage_shortage`."""

    id: int
    foreseen_us: int
    full_us: int
    ended_us: int | None


def shortage(store: Store) -> Shortage | None:
    """The shortage that is foreseen now."""
    row = store.row(
        "SELECT id, foreseen_us, full_us, ended_us FROM storage_shortage WHERE ended_us IS NULL"
        " ORDER BY id DESC LIMIT 1"
    )
    return None if row is None else Shortage(*row)


def begin_shortage(store: Store, at_us: int, full_us: int) -> None:
    """In the caller's transaction."""
    store.execute("INSERT INTO storage_shortage (foreseen_us, full_us) VALUES (?, ?)", (at_us, full_us))


def move_shortage(store: Store, identifier: int, full_us: int) -> None:
    """The day moved by a little."""
    store.execute("UPDATE storage_shortage SET full_us = ? WHERE id = ?", (full_us, identifier))


def end_shortage(store: Store, identifier: int, at_us: int) -> None:
    """The disk suffices again."""
    store.execute("UPDATE storage_shortage SET ended_us = ? WHERE id = ?", (at_us, identifier))

"""What the catching up of counts asks and writes: which pictures were counted, which can never be. Queries
only."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from agent.store.database import Row, Store

Refusal = Literal["altered", "undecodable", "crashed", "unreadable"]
"""`altered`: not the bytes whose hash was signed; `undecodable`: no picture comes of them; `crashed`:
whoever decoded it died, several times; `unreadable`: the disk did not give it, several times."""


REFUSALS: Final[tuple[Refusal, ...]] = ("altered", "undecodable", "crashed", "unreadable")


@dataclass(frozen=True, slots=True)
class DeathRow:
    """How often the counting process ended on a picture."""

    run_id: str
    sequence: int
    ticks: int
    deaths: int
    blamed: int
    """Of those, right after it had counted another."""
    last_us: int
    """When it did last, by the clock of then."""


class CountedPicture(NamedTuple):
    """A counted picture without its boxes."""

    run_id: str
    sequence: int
    pts_ticks: int
    detector: str
    is_caught_up: bool


@dataclass(frozen=True, slots=True)
class Ended:
    """What was stated of a lesson whose catching up came to an end."""

    detector: str
    made: int
    refused: Mapping[str, int]
    """Reason → pictures."""
    left: int


def counted_pictures(store: Store, segments: Iterable[tuple[str, int]]) -> list[CountedPicture]:
    """Of these segments (run, sequence), whatever lesson they were counted for."""
    found: list[CountedPicture] = []
    for run_id, sequence in segments:
        rows = store.rows(
            "SELECT pts_ticks, detector, caught_up_us IS NOT NULL AS is_caught_up FROM head_count"
            " WHERE run_id = ? AND sequence = ? ORDER BY pts_ticks",
            (run_id, sequence),
        )
        found += (
            CountedPicture(run_id, sequence, row["pts_ticks"], row["detector"], bool(row["is_caught_up"]))
            for row in rows
        )
    return found


def refused_pictures(
    store: Store, segments: Iterable[tuple[str, int]]
) -> dict[tuple[str, int, int], Refusal]:
    """(run, sequence, ticks) → why, of these segments."""
    found: dict[tuple[str, int, int], Refusal] = {}
    for run_id, sequence in segments:
        rows = store.rows(
            "SELECT ticks, reason FROM picture_refused WHERE run_id = ? AND sequence = ?", (run_id, sequence)
        )
        found |= {(run_id, sequence, row["ticks"]): row["reason"] for row in rows}
    return found


def insert_refused(
    store: Store, run_id: str, sequence: int, ticks: int, reason: Refusal, now_us: int
) -> None:
    """In the caller's transaction; what stands there stays."""
    store.execute(
        "INSERT INTO picture_refused (run_id, sequence, ticks, reason, refused_us) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (run_id, sequence, ticks, reason, now_us),
    )


def forget_refused(store: Store, run_id: str, sequence: int) -> None:
    """The segment's file is whole again: its pictures are to be tried again. In the caller's transaction."""
    store.execute("DELETE FROM picture_refused WHERE run_id = ? AND sequence = ?", (run_id, sequence))
    store.execute("DELETE FROM recount_death WHERE run_id = ? AND sequence = ?", (run_id, sequence))


def deaths(store: Store) -> list[DeathRow]:
    """Of every picture that was not answered since."""
    return [DeathRow(**dict(row)) for row in store.rows("SELECT * FROM recount_death")]


def keep_death(store: Store, death: DeathRow) -> None:
    """In place of what was known of that picture; nothing where its run is known no more. In a transaction of
    its own."""
    with store.transaction():
        store.execute(
            "INSERT INTO recount_death (run_id, sequence, ticks, deaths, blamed, last_us)"
            " SELECT id, ?, ?, ?, ?, ? FROM run WHERE id = ? ON CONFLICT (run_id, sequence, ticks)"
            " DO UPDATE SET deaths = excluded.deaths, blamed = excluded.blamed, last_us = excluded.last_us",
            (death.sequence, death.ticks, death.deaths, death.blamed, death.last_us, death.run_id),
        )


def forget_death(store: Store, run_id: str, sequence: int, ticks: int) -> None:
    """The picture was answered."""
    with store.transaction():
        store.execute(
            "DELETE FROM recount_death WHERE run_id = ? AND sequence = ? AND ticks = ?",
            (run_id, sequence, ticks),
        )


def newest_segments(store: Store, room: str, limit: int) -> list[Row]:
    """Of the rear camera of `room`, those whose file retention left, the newest first."""
    return store.rows(
        "SELECT segment.run_id, sequence, path, gops, start_ticks FROM segment"
        " JOIN run ON run.id = segment.run_id WHERE run.room = ? AND run.camera = 'rear'"
        " AND segment.expired_us IS NULL ORDER BY segment.start_us DESC LIMIT ?",
        (room, limit),
    )


def fragment_hashes(store: Store, run_id: str, sequence: int) -> bytes:
    """32 bytes a part of the segment's file, as its record binds them; b"" without a row."""
    row = store.row("SELECT fragments FROM segment WHERE run_id = ? AND sequence = ?", (run_id, sequence))
    return b"" if row is None else bytes(row["fragments"])


def accepted_by(store: Store, session_id: str, at_us: int) -> int:
    """How many people the door had accepted in a session by `at_us`, as the clock said then."""
    return store.number(
        "SELECT count(*) FROM check_in WHERE session_id = ? AND outcome = 'accepted' AND at_us <= ?",
        (session_id, at_us),
    )


def stated_end(store: Store, session_id: str) -> Ended | None:
    """The newest statement that the catching up of a lesson has ended."""
    row = store.row(
        "SELECT data FROM fact WHERE type = 'visibility.catch-up-ended' AND session_id = ?"
        " ORDER BY id DESC LIMIT 1",
        (session_id,),
    )
    if row is None:
        return None
    data: dict[str, Any] = json.loads(row["data"])
    return Ended(data["detector"], data["made"], data["refused"], data["left"])


def opened_sessions(store: Store, room: str, ended_after_us: int) -> list[str]:
    """Ids of the lessons of `room` that were opened and planned to end after `ended_after_us`, newest
    first. What was opened by a wrong clock was planned again, and is none."""
    rows = store.rows(
        "SELECT id FROM session WHERE room = ? AND planned_end_us > ? AND state IN ('open', 'closed')"
        " AND opened_us IS NOT NULL AND close_reason IS NOT 'clock_was_wrong' ORDER BY planned_start_us DESC",
        (room, ended_after_us),
    )
    return [row["id"] for row in rows]

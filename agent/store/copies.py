"""What the second copies hold, and what is known to be damaged here: queries beside their rows (R8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from agent.clock import Stamp
from agent.store import catch_up
from agent.store.database import Row, Store
from agent.store.facts import Fact, FactType, state_fact
from agent.store.footage import LONGEST_SEGMENT_US

FACT_SEGMENTS = 100
"""Segments that one fact names: one a segment would double the log."""
STATE_AFTER_US = 3_600_000_000
"""A copied segment is stated after at most so long, when fewer than FACT_SEGMENTS came together."""

Segment = Mapping[str, Any]
"""`run_id`, `sequence`, `path`, `bytes`, `sha256`, `simulated` of a segment, from its row or its record."""
Custodian = Literal["institution", "hr_department"]


@dataclass(frozen=True, slots=True)
class Copy:
    """A second copy as facts name it. `volume` is '' where the settings ask for no marker."""

    name: str
    custodian: Custodian
    volume: str


@dataclass(frozen=True, slots=True)
class Totals:
    """What is to be copied, and what is copied of it; expired and damaged segments are in neither."""

    segments: int
    bytes: int
    copied_segments: int
    copied_bytes: int


_COLUMNS = (
    "segment.run_id, segment.sequence, segment.path, segment.start_us, segment.end_us, segment.bytes,"
    " segment.sha256, run.simulated"
)
_NOT_DAMAGED = (
    "NOT EXISTS (SELECT 1 FROM segment_damage d"
    " WHERE d.run_id = segment.run_id AND d.sequence = segment.sequence)"
)


def uncopied(store: Store, copy: str, after_us: int, limit: int) -> list[Row]:
    """Closed segments that begin at or after `after_us` and that `copy` has not, oldest first; neither
    expired ones nor such as are damaged here."""
    return store.rows(
        f"SELECT {_COLUMNS} FROM segment JOIN run ON run.id = segment.run_id"  # noqa: S608 (own words)
        " WHERE segment.start_us >= ? AND segment.expired_us IS NULL"
        f" AND {_NOT_DAMAGED}"
        " AND NOT EXISTS (SELECT 1 FROM segment_copy c WHERE c.copy = ? AND c.run_id = segment.run_id"
        " AND c.sequence = segment.sequence)"
        " ORDER BY segment.start_us LIMIT ?",
        (after_us, copy, limit),
    )


def held(store: Store, copy: str) -> list[Row]:
    """Segments that `copy` has and that did not expire there, in order of time, with `volume` and
    `verified_us`."""
    return store.rows(
        f"SELECT {_COLUMNS}, c.volume, c.verified_us FROM segment_copy c"  # noqa: S608 (own words)
        " JOIN segment ON segment.run_id = c.run_id AND segment.sequence = c.sequence"
        " JOIN run ON run.id = segment.run_id"
        " WHERE c.copy = ? AND c.expired_us IS NULL ORDER BY segment.start_us",
        (copy,),
    )


def totals(store: Store, copy: str) -> Totals:
    """How far `copy` has come. Reads every segment's row: for a thread that may take a second."""
    row = store.one(
        "SELECT count(*) AS segments, coalesce(sum(bytes), 0) AS bytes, count(c.sequence) AS copied,"  # noqa: S608
        " coalesce(sum(bytes) FILTER (WHERE c.sequence IS NOT NULL), 0) AS copied_bytes FROM segment"
        " LEFT JOIN segment_copy c ON c.copy = ? AND c.run_id = segment.run_id"
        " AND c.sequence = segment.sequence"
        f" WHERE segment.expired_us IS NULL AND {_NOT_DAMAGED}",
        (copy,),
    )
    return Totals(row["segments"], row["bytes"], row["copied"], row["copied_bytes"])


def put_verified(store: Store, stamp: Stamp, copy: Copy, run: str, sequence: int) -> None:
    """`copy` has the segment's very bytes, as just read back from its disk. `state_verified` states it."""
    with store.transaction():
        store.execute(
            "INSERT INTO segment_copy (copy, run_id, sequence, volume, verified_us) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (copy, run_id, sequence) DO UPDATE SET volume = excluded.volume,"
            " verified_us = excluded.verified_us, expired_us = NULL, stated = 0",
            (copy.name, run, sequence, copy.volume, stamp.wall_us),
        )


def state_verified(store: Store, stamp: Stamp, copy: Copy, *, now: bool = False) -> int:
    """State what was verified and not stated yet, once it is enough or old enough, or `now`; how many."""
    unstated = "SELECT 1 FROM segment_copy WHERE copy = ? AND stated = 0 LIMIT 1"
    if store.row(unstated, (copy.name,)) is None:
        return 0  # asked every few seconds: without the write lock
    with store.transaction():
        rows = store.rows(
            "SELECT c.run_id, c.sequence, c.verified_us, segment.sha256, run.simulated FROM segment_copy c"
            " JOIN segment ON segment.run_id = c.run_id AND segment.sequence = c.sequence"
            " JOIN run ON run.id = c.run_id WHERE c.copy = ? AND c.volume = ? AND c.stated = 0"
            " ORDER BY c.verified_us LIMIT ?",
            (copy.name, copy.volume, FACT_SEGMENTS),
        )
        if not rows:
            return 0
        age_us = stamp.wall_us - rows[0]["verified_us"]
        # A clock that was set back makes an age negative: stated at once rather than never.
        if not now and len(rows) < FACT_SEGMENTS and 0 <= age_us < STATE_AFTER_US:
            return 0
        _state_segments(store, stamp, FactType.COPY_VERIFIED, copy, rows)
        for row in rows:
            store.execute(
                "UPDATE segment_copy SET stated = 1 WHERE copy = ? AND run_id = ? AND sequence = ?",
                (copy.name, row["run_id"], row["sequence"]),
            )
    return len(rows)


def copy_is_damaged(store: Store, stamp: Stamp, copy: Copy, segment: Row, found: bytes | None) -> None:
    """What `copy` held of `segment` is gone or has other bytes: stated, and to be copied again."""
    with store.transaction():
        store.execute(
            "DELETE FROM segment_copy WHERE copy = ? AND run_id = ? AND sequence = ?",
            (copy.name, segment["run_id"], segment["sequence"]),
        )
        data = {
            "copy": copy.name,
            "custodian": copy.custodian,
            "volume": copy.volume,
            "run": segment["run_id"],
            "sequence": segment["sequence"],
            "sha256": segment["sha256"].hex(),
            "found": found.hex() if found else None,
        }
        state_fact(store, stamp, _fact(FactType.COPY_DAMAGED, segment, data))


def source_is_damaged(
    store: Store, stamp: Stamp, segment: Row, found: bytes | None, *, stated: bytes | None = None
) -> None:
    """Our own file of `segment` is gone or has other bytes: said once, until it is restored. `stated` is the
    hash of its first record, where the index was rebuilt from an altered file and has another."""
    with store.transaction():
        made = store.execute(
            "INSERT INTO segment_damage (run_id, sequence, found_us) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (segment["run_id"], segment["sequence"], stamp.wall_us),
        )
        if made.rowcount != 1:
            return
        data = {
            "run": segment["run_id"],
            "sequence": segment["sequence"],
            "sha256": (stated or segment["sha256"]).hex(),
            "found": found.hex() if found else None,
        }
        state_fact(store, stamp, _fact(FactType.COPY_SOURCE_DAMAGED, segment, data))


def source_is_whole(store: Store, stamp: Stamp, segment: Row) -> bool:
    """Our own file of `segment`, which was stated as damaged, has its bytes again: stated, and copied again.
    False when it stood as damaged no more."""
    with store.transaction():
        key = (segment["run_id"], segment["sequence"])
        since = store.row("SELECT found_us FROM segment_damage WHERE run_id = ? AND sequence = ?", key)
        if since is None:
            return False
        store.execute("DELETE FROM segment_damage WHERE run_id = ? AND sequence = ?", key)
        catch_up.forget_refused(store, *key)
        data = {
            "run": segment["run_id"],
            "sequence": segment["sequence"],
            "sha256": segment["sha256"].hex(),
            "damaged_since_us": since["found_us"],
        }
        state_fact(store, stamp, _fact(FactType.COPY_SOURCE_WHOLE, segment, data))
    return True


def damaged_after(store: Store, after: tuple[str, int], limit: int) -> list[Row]:
    """The next of the unexpired segments that are known to be damaged here, in the order of their keys."""
    return store.rows(
        f"SELECT {_COLUMNS} FROM segment_damage AS d"  # noqa: S608 (own words)
        " JOIN segment ON segment.run_id = d.run_id AND segment.sequence = d.sequence"
        " JOIN run ON run.id = segment.run_id"
        " WHERE (d.run_id, d.sequence) > (?, ?) AND segment.expired_us IS NULL"
        " ORDER BY d.run_id, d.sequence LIMIT ?",
        (*after, limit),
    )


def damaged(store: Store) -> set[tuple[str, int]]:
    """(run, sequence) of the segments that are known to be damaged here."""
    return {(row[0], row[1]) for row in store.rows("SELECT run_id, sequence FROM segment_damage")}


def restored(store: Store, stamp: Stamp, copy: Copy, segments: Sequence[Segment]) -> None:
    """State that `segments` (at most FACT_SEGMENTS) were brought back from `copy` and are whole here."""
    with store.transaction():
        for segment in segments:
            store.execute(
                "DELETE FROM segment_damage WHERE run_id = ? AND sequence = ?",
                (segment["run_id"], segment["sequence"]),
            )
            catch_up.forget_refused(store, segment["run_id"], segment["sequence"])
        _state_segments(store, stamp, FactType.COPY_RESTORED, copy, segments)


def segments_of_class(store: Store, class_id: str) -> list[Row]:
    """Closed, unexpired segments recorded during the sessions of a class, in order of time."""
    return _segments(store, "session.class_id = ?", (class_id,))


def segments_of_session(store: Store, session: str) -> list[Row]:
    """Closed, unexpired segments recorded during one session, in order of time."""
    return _segments(store, "session.id = ?", (session,))


def all_segments(store: Store) -> list[Row]:
    """Every closed segment that has not expired, in order of time."""
    return store.rows(
        f"SELECT {_COLUMNS} FROM segment JOIN run ON run.id = segment.run_id"  # noqa: S608 (own words)
        " WHERE segment.expired_us IS NULL ORDER BY segment.start_us"
    )


def _segments(store: Store, condition: str, parameters: tuple[str, ...]) -> list[Row]:
    return store.rows(
        f"SELECT DISTINCT {_COLUMNS} FROM session"  # noqa: S608 (own words)
        # The lower bound too: an index over two times serves a range of one of them only.
        " JOIN segment ON segment.start_us > coalesce(session.opened_us, session.planned_start_us) - ?"
        " AND segment.start_us < coalesce(session.closed_us, session.planned_end_us)"
        " AND segment.end_us > coalesce(session.opened_us, session.planned_start_us)"
        " JOIN run ON run.id = segment.run_id AND run.room = session.room"
        f" WHERE {condition} AND session.state IN ('open', 'closed')"
        " AND segment.expired_us IS NULL ORDER BY segment.start_us",
        (LONGEST_SEGMENT_US, *parameters),
    )


def _state_segments(
    store: Store, stamp: Stamp, kind: FactType, copy: Copy, rows: Sequence[Row] | Sequence[Segment]
) -> None:
    data = {
        "copy": copy.name,
        "custodian": copy.custodian,
        "volume": copy.volume,
        "segments": [
            {"run": row["run_id"], "sequence": row["sequence"], "sha256": row["sha256"].hex()} for row in rows
        ],
    }
    simulated = any(row["simulated"] for row in rows)
    state_fact(store, stamp, Fact(kind, f"copy/{copy.name}", simulated=simulated, data=data))


def _fact(kind: FactType, segment: Row, data: dict[str, object]) -> Fact:
    subject = f"segment/{segment['run_id']}/{segment['sequence']}"
    return Fact(kind, subject, simulated=bool(segment["simulated"]), data=data)

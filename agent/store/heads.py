"""Head counts: one row for each key frame that was counted, and the sums that facts are made of."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from agent.store.database import Row, Store

BoxRow = tuple[int, int, int, int, float]
"""left, top, right, bottom in pixels of the recording's picture, and the detector's score."""


@dataclass(frozen=True, slots=True)
class HeadCount:
    """One counted picture of the recording."""

    run_id: str
    sequence: int
    pts_ticks: int
    at_us: int
    """Wall time of the picture, not of the counting."""
    session_id: str | None
    counted: int
    expected: int | None
    """People whom the door had accepted in the session by then; None without a session."""
    detector: str
    simulated: bool
    boxes: tuple[BoxRow, ...]
    caught_up_us: int | None = None
    """When it was counted, if that was not at once but afterwards, from the finished recording."""


@dataclass(frozen=True, slots=True)
class CountSum:
    """Several counts of one session together."""

    last_id: int
    pictures: int
    from_us: int
    until_us: int
    least: int
    most: int
    mean: float
    below_expected: int
    """Pictures with fewer people than expected."""
    above_expected: int
    simulated: bool
    """True when any of them is (I9)."""


def insert_count(store: Store, count: HeadCount) -> bool:
    """Insert in the caller's transaction; False when this very picture was counted by that detector
    before."""
    cursor = store.execute(
        "INSERT INTO head_count (run_id, sequence, pts_ticks, at_us, session_id, counted, expected, detector,"
        " simulated, boxes, caught_up_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            count.run_id,
            count.sequence,
            count.pts_ticks,
            count.at_us,
            count.session_id,
            count.counted,
            count.expected,
            count.detector,
            int(count.simulated),
            json.dumps(count.boxes),
            count.caught_up_us,
        ),
    )
    return bool(cursor.rowcount == 1)


def counts_of(store: Store, session_id: str, *, from_us: int = 0, until_us: int = 2**62) -> list[HeadCount]:
    """Counts of a session in [from_us, until_us), in the order of time."""
    rows = store.rows(
        f"SELECT {_COLUMNS} FROM head_count"  # noqa: S608 (own words)
        " WHERE at_us >= ? AND at_us < ? AND session_id = ? ORDER BY at_us, id",
        (from_us, until_us, session_id),
    )
    return [_head_count(row) for row in rows]


def counts_of_segments(store: Store, segments: Iterable[tuple[str, int]]) -> list[HeadCount]:
    """Counts of these segments (run, sequence), in the order of each run, whatever lesson they were counted
    for: a clock that was corrected since moves footage from lesson to lesson."""
    found: list[HeadCount] = []
    for run_id, sequence in segments:
        rows = store.rows(
            f"SELECT {_COLUMNS} FROM head_count WHERE run_id = ? AND sequence = ?"  # noqa: S608 (own words)
            " ORDER BY pts_ticks",
            (run_id, sequence),
        )
        found += map(_head_count, rows)
    return found


def unstated_sum(store: Store, session_id: str, after_id: int) -> CountSum | None:
    """The counts of a session, made at once, that no fact speaks of yet: those after row `after_id`; None
    without any. What was caught up is stated with the rows themselves."""
    row = store.row(
        "SELECT max(id), count(*), min(at_us), max(at_us), min(counted), max(counted), avg(counted),"
        " total(counted < expected), total(counted > expected), max(simulated) FROM head_count"
        " WHERE id > ? AND session_id = ? AND caught_up_us IS NULL",
        (after_id, session_id),
    )
    if row is None or row[1] == 0:
        return None
    last_id, pictures, from_us, until_us, least, most, mean, below, above, simulated = row
    return CountSum(
        last_id=last_id,
        pictures=pictures,
        from_us=from_us,
        until_us=until_us,
        least=least,
        most=most,
        mean=round(mean, 2),
        below_expected=round(below),
        above_expected=round(above),
        simulated=bool(simulated),
    )


def stated_through(store: Store, session_id: str) -> int:
    """Id of the last count, made at once, that a fact of this session speaks of; 0 before the first."""
    row = store.row(
        "SELECT data ->> 'last_count' AS last_count FROM fact"
        " WHERE type = 'visibility.heads-counted' AND session_id = ? AND NOT data ->> 'caught_up'"
        " ORDER BY id DESC LIMIT 1",
        (session_id,),
    )
    return 0 if row is None else int(row["last_count"])


_COLUMNS = (
    "run_id, sequence, pts_ticks, at_us, session_id, counted, expected, detector, simulated, boxes,"
    " caught_up_us"
)


def _head_count(row: Row) -> HeadCount:
    boxes = tuple((*box,) for box in json.loads(row["boxes"]))
    return HeadCount(**{**dict(row), "simulated": bool(row["simulated"]), "boxes": boxes})


def counted_at(store: Store, session_id: str, *, simulated: bool = True) -> list[tuple[int, int]]:
    """(instant of the picture, heads) of a session's counts, in the order of time; those of pictures that
    no live camera made only if `simulated`."""
    rows = store.rows(
        "SELECT at_us, counted FROM head_count WHERE session_id = ? AND (NOT simulated OR ?)"
        " ORDER BY at_us, id",
        (session_id, simulated),
    )
    return [(row["at_us"], row["counted"]) for row in rows]

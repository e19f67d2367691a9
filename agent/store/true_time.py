"""Footage and gaps where they truly lie, as far as is known, beside what their stamps say (I8).

Rows are never rewritten: a segment that was stamped by a clock not yet right keeps its stamps. Who asks for a
stretch of true time gets it here by the correction of its boot, each row with `stated_start_us` besides, and
each second in one place only: what was stamped into this stretch and belongs elsewhere is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from agent.store import footage, true_footage
from agent.store.clock import Corrections
from agent.store.database import Row, Store

PlacedRow = dict[str, Any]
"""The columns of a row of `segments_between` or `gaps_between`, `start_us` and `end_us` in true time; besides
`stated_start_us`, `stated_end_us` (the row's own words), and for segments `add_us` (0 without a correction)
and `uncertainty_us` (None without one)."""


def segments_between(store: Store, camera: str, start_us: int, end_us: int) -> list[PlacedRow]:
    """Segments that truly touch [start_us, end_us), in order of true time."""
    stated = footage.segments_between(store, camera, start_us, end_us)
    moved = true_footage.corrected_segments_between(store, camera, start_us, end_us)
    placed = placed_segments(store, [*stated, *moved])
    return [row for row in placed if row["start_us"] < end_us and row["end_us"] > start_us]


def gaps_between(store: Store, camera: str, start_us: int, end_us: int) -> list[PlacedRow]:
    """Gaps that truly touch [start_us, end_us), in order of true time: a gap beside footage that was moved
    ends where that begins."""
    found = {row["id"]: row for row in footage.gaps_between(store, camera, start_us, end_us)}
    for row in true_footage.gaps_beside_corrected(store, camera, start_us, end_us):
        found.setdefault(row["id"], row)
    placed = [_placed_gap(store, row) for row in found.values()]
    inside = [
        row
        for row in placed
        if row["start_us"] < end_us and (row["end_us"] is None or row["end_us"] > start_us)
    ]
    return sorted(inside, key=lambda row: int(row["start_us"]))


def placed_segments(store: Store, rows: Sequence[Row]) -> list[PlacedRow]:
    """Rows of segments, with `boot_id` of their runs, where they truly lie, in order of true time."""
    corrections = Corrections.of(store, {row["boot_id"] for row in rows})
    found: dict[tuple[str, int], PlacedRow] = {}
    for row in rows:
        placed = dict(zip(row.keys(), row, strict=True))
        correct = corrections.at(row["boot_id"], row["monotonic_start_ns"])
        add_us = 0 if correct is None else correct.wall_us - row["start_us"]
        placed |= {
            "stated_start_us": row["start_us"],
            "stated_end_us": row["end_us"],
            "start_us": row["start_us"] + add_us,
            "end_us": row["end_us"] + add_us,
            "add_us": add_us,
            "uncertainty_us": None if correct is None else correct.uncertainty_us,
        }
        found[row["run_id"], row["sequence"]] = placed
    return sorted(found.values(), key=lambda row: (row["start_us"], row["monotonic_start_ns"]))


def _placed_gap(store: Store, gap: Row) -> PlacedRow:
    """An edge that is the end or beginning of footage moves with it; any other edge was stamped by the boot
    that noticed it, which is that of the footage after it."""
    placed = dict(zip(gap.keys(), gap, strict=True))
    placed |= {"stated_start_us": gap["start_us"], "stated_end_us": gap["end_us"]}
    before = _one(store, true_footage.last_of_run(store, gap["run_before"]))
    after = _one(store, true_footage.first_after_gap(store, gap))
    start_us = _moved(gap["start_us"], before, "stated_end_us", "end_us", after)
    if gap["end_us"] is None:
        return placed | {"start_us": start_us}
    end_us = _moved(gap["end_us"], after, "stated_start_us", "start_us", after)
    if after is not None and gap["run_after"] == after["run_id"]:
        end_us = after["start_us"]
    floor_us = start_us if before is None else max(start_us, before["end_us"])
    return placed | {"start_us": floor_us, "end_us": max(floor_us, end_us)}


def _moved(edge_us: int, beside: PlacedRow | None, stated: str, true: str, after: PlacedRow | None) -> int:
    if beside is not None and edge_us == beside[stated]:
        return int(beside[true])
    if after is None or edge_us > after["stated_start_us"]:
        return edge_us
    booted_us = after["stated_start_us"] - after["monotonic_start_ns"] // 1000
    return edge_us + int(after["add_us"]) if edge_us >= booted_us else edge_us


def _one(store: Store, rows: Iterable[Row]) -> PlacedRow | None:
    return next(iter(placed_segments(store, list(rows))), None)

"""Runs, segments and gaps come into the index, each row with its fact in the same transaction.

Every insertion may be repeated without doubling anything: the recorder, and recovery after it, state what
the files say until it stands.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from agent.clock import ClockState, Stamp
from agent.store.classes import session_during
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact


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
    store.insert("run", {"room": room, **asdict(run)})
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
    run = store.one(
        "SELECT camera, simulated, time_base_denominator FROM run WHERE id = ?", (segment.run_id,)
    )
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
        store.insert("gap", asdict(gap))
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

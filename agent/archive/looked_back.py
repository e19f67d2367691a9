"""Tampering that nobody looked for when it was, found in the pictures that are counted afterwards: what they
are held against, and row and record of what came of it.

A stretch that fails proves nothing, as one that the watch found (agent.archive.visibility_material)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Final

from agent.clock import Stamp
from agent.log import get_logger
from agent.store import calibration, tamper
from agent.store.classes import Session
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.store.last_view import last_view
from agent.store.true_time import PlacedRow
from agent.visibility.recounting import Recounted, Refused, RoomView, Tampered, Wanted

SECOND_US: Final = 1_000_000
REACH_US: Final = 30_000_000
"""Two stretches of one kind so near are one: a process that begins anew needs two looks to find it again."""

log = get_logger(__name__)


def with_view(store: Store, session: Session, row: PlacedRow, wanted: Wanted) -> Wanted:
    """`wanted`, of the segment `row`, with what its pictures are held against: the reference view that was in
    force when they were taken, else what the camera showed last while nothing was wrong."""
    start_us = int(row["stated_start_us"])
    return replace(wanted, start_us=start_us, view=_view(store, session, start_us))


def _view(store: Store, session: Session, at_us: int) -> RoomView | None:
    reference = calibration.reference_at(store, session.room, at_us)
    if reference is not None:
        return RoomView(reference.id, reference.grey_png)
    kept = last_view(store, session.room)
    # What was kept after the lesson may be the view of a camera that was aimed anew since.
    if kept is None or kept.kept_us > session.planned_end_us:
        return None
    return RoomView(None, kept.grey_png)


def keep_tampered(
    store: Store,
    stamp: Stamp,
    session: Session,
    row: PlacedRow,
    pictures: Sequence[Recounted | Refused],
    *,
    simulated: bool,
) -> None:
    """Row and record of what pictures of one segment show is wrong with the camera, in the caller's
    transaction. What the watch found stands already. `simulated`: the node's own word."""
    touched: dict[int, tuple[tamper.Stretch, Recounted, Tampered]] = {}
    for picture in pictures:
        if isinstance(picture, Refused) or picture.tampered is None:
            continue
        elapsed = picture.pts_ticks - int(row["start_ticks"])
        at_us = int(row["stated_start_us"]) + elapsed * SECOND_US // int(row["ticks_per_second"])
        known = tamper.stretches(store, session.room, at_us, at_us + 1)
        if any(not each.is_found_afterwards for each in known):
            continue
        found = picture.tampered
        kept = tamper.keep_found_afterwards(
            store,
            session.room,
            found.kind,
            min(max(found.since_us, session.planned_start_us), at_us),
            at_us + 1,
            max(stamp.wall_us, at_us + 2),
            REACH_US,
            simulated=simulated or bool(row["simulated"]),
        )
        touched[kept.id] = kept, picture, found
    for kept, picture, found in touched.values():
        _state(store, stamp, session, row, kept, picture, found)


def _state(
    store: Store,
    stamp: Stamp,
    session: Session,
    row: PlacedRow,
    kept: tamper.Stretch,
    picture: Recounted,
    found: Tampered,
) -> None:
    reference = calibration.reference_at(store, session.room, int(row["stated_start_us"]))
    data: Mapping[str, Any] = {
        "camera": "rear",
        "kind": kept.kind,
        "since_us": kept.since_us,
        "until_us": kept.until_us,
        "looks": found.looks,
        "recorded": {"run": row["run_id"], "sequence": row["sequence"], "pts_ticks": picture.pts_ticks},
        "reference": None if reference is None else reference.id,
        "measured": asdict(found)["measured"],
        "caught_up": True,
    }
    fact = Fact(
        FactType.CAMERA_TAMPERED,
        "camera/rear",
        kept.simulated,
        data,
        class_id=session.class_id,
        session_id=session.id,
    )
    state_fact(store, stamp, fact)
    log.warning("catch-up.tampered", session=session.id, kind=kept.kind, since_us=kept.since_us)

"""What came of counting pictures afterwards, as rows and records: of a stretch, and of the end of a
lesson's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import fmean
from typing import Final, Literal

from agent.archive.catch_up_plan import Plan
from agent.archive.looked_back import keep_tampered
from agent.archive.recounter import CounterIdentity
from agent.clock import Stamp
from agent.store import calibration, catch_up, classes, heads
from agent.store.calibration import RoomCalibration
from agent.store.classes import Session
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.store.heads import HeadCount
from agent.store.true_time import PlacedRow
from agent.visibility.recounting import Recounted, Refused

SECOND_US: Final = 1_000_000

EndReason = Literal["done", "too_old"]


def keep(
    store: Store,
    stamp: Stamp,
    session: Session,
    row: PlacedRow,
    counter: CounterIdentity,
    pictures: Sequence[Recounted | Refused],
    *,
    simulated: bool,
) -> None:
    """Rows of one segment's pictures, the record of those counted and of those that show a camera tampered
    with, in one transaction: done again after a crash it adds nothing. `simulated`: the node's own word."""
    fitted = calibration.calibrations_over(
        store, session.room, session.planned_start_us, session.planned_end_us
    )
    with store.transaction():
        made: list[HeadCount] = []
        for picture in pictures:
            if isinstance(picture, Refused):
                catch_up.insert_refused(
                    store, row["run_id"], row["sequence"], picture.ticks, picture.reason, stamp.wall_us
                )
                continue
            count = _count(store, stamp, session, row, counter, picture, fitted, simulated=simulated)
            if heads.insert_count(store, count):
                made.append(count)
        if made:
            _state_counted(store, stamp, session, counter, made)
        keep_tampered(store, stamp, session, row, pictures, simulated=simulated)


def _count(
    store: Store,
    stamp: Stamp,
    session: Session,
    row: PlacedRow,
    counter: CounterIdentity,
    picture: Recounted,
    fitted: Sequence[tuple[int, RoomCalibration]],
    *,
    simulated: bool,
) -> HeadCount:
    """As the watch would have written it, but for `caught_up_us`: by the segment's own stamps, which
    whoever reads it corrects (I8)."""
    elapsed = picture.pts_ticks - int(row["start_ticks"])
    at_us = int(row["stated_start_us"]) + elapsed * SECOND_US // int(row["ticks_per_second"])
    newest = next((each for since_us, each in reversed(fitted) if since_us <= at_us), None)
    own = newest.cut if newest is not None and newest.detector == counter.name else None
    cut = own or counter.cut
    return HeadCount(
        run_id=row["run_id"],
        sequence=row["sequence"],
        pts_ticks=picture.pts_ticks,
        at_us=at_us,
        session_id=session.id,
        counted=sum(box[4] >= round(cut, 3) for box in picture.boxes),
        expected=catch_up.accepted_by(store, session.id, at_us),
        detector=counter.name,
        simulated=simulated or bool(row["simulated"]),
        boxes=picture.boxes,
        caught_up_us=stamp.wall_us,
    )


def _state_counted(
    store: Store, stamp: Stamp, session: Session, counter: CounterIdentity, made: Sequence[HeadCount]
) -> None:
    counted = [each.counted for each in made]
    against = [(each.counted, each.expected or 0) for each in made]
    data = {
        "pictures": len(made),
        "from_us": min(each.at_us for each in made),
        "until_us": max(each.at_us for each in made),
        "counted": {"least": min(counted), "most": max(counted), "mean": round(fmean(counted), 2)},
        "expected": classes.present_count(store, session.id),
        "below_expected": sum(found < wanted for found, wanted in against),
        "above_expected": sum(found > wanted for found, wanted in against),
        "doubt": None,
        "detector": counter.name,
        "finds": counter.finds,
        "last_count": store.number("SELECT max(id) FROM head_count"),
        "caught_up": True,
    }
    _state(store, stamp, session, FactType.HEADS_COUNTED, data, any(each.simulated for each in made))


def state_end(store: Store, stamp: Stamp, session: Session, plan: Plan, reason: EndReason) -> None:
    """The record that nothing of a lesson will be counted any more, or not by now: what was, what cannot
    be, what is left."""
    data = {
        "detector": plan.detector,
        "made": plan.made,
        "refused": refused_of_plan(plan),
        "left": len(plan.missing),
        "reason": reason,
    }
    simulated = any(bool(row["simulated"]) for row in plan.rows.values())
    with store.transaction():
        _state(store, stamp, session, FactType.CATCH_UP_ENDED, data, simulated)


def refused_of_plan(plan: Plan) -> dict[str, int]:
    """Every reason → pictures."""
    return {kind: plan.refused.get(kind, 0) for kind in catch_up.REFUSALS}


def _state(
    store: Store,
    stamp: Stamp,
    session: Session,
    kind: FactType,
    data: dict[str, object],
    simulated: bool,
) -> None:
    fact = Fact(
        kind,
        f"session/{session.id}",
        simulated,
        data,
        class_id=session.class_id,
        session_id=session.id,
    )
    state_fact(store, stamp, fact)


def refused_of(pictures: Sequence[Recounted | Refused]) -> Counter[str]:
    """Reason → how many, for the log."""
    return Counter(each.reason for each in pictures if isinstance(each, Refused))

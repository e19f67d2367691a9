"""A doubt that begins or ends during a lesson, as a record that goes out while the lesson still runs (R6)."""

from __future__ import annotations

from agent.clock import Stamp
from agent.store.attendance import expected_over
from agent.store.classes import Session
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.visibility.doubts import Doubt, Sight
from agent.visibility.live import LessonNow
from agent.visibility.looks import Zones


def lesson_now(
    store: Store, session: Session, at_us: int, zones: Zones, picture_size: tuple[int, int]
) -> LessonNow:
    """What is known of a running lesson at a picture of `picture_size` (width, height)."""
    steps = [step for step in expected_over(store, session.id) if step.from_us <= at_us < step.until_us]
    trainees, teachers = (steps[-1].trainees, steps[-1].teachers) if steps else (0, 0)
    return LessonNow(
        session.id,
        trainees,
        teachers,
        session.kind == "practical",
        bool(zones.teacher),
        picture_size[0] / picture_size[1],
    )


def state_doubt(
    store: Store,
    stamp: Stamp,
    session: Session,
    now: Doubt | None,
    before: Doubt | None,
    sight: Sight,
    *,
    simulated: bool,
) -> None:
    """State visibility.doubted for a doubt that ended and for one that began; in the caller's transaction."""
    for found, began in ((before, False), (now, True)):
        if found is None:
            continue
        data = {
            "kind": found.kind,
            "began": began,
            "since_us": found.since_us,
            "visible": found.visible,
            "lower": sight.least,
            "upper": sight.most,
            "expected": found.expected,
            "hidden": [{"where": where, "places": places} for where, places in found.hidden] if began else [],
        }
        fact = Fact(
            FactType.VISIBILITY_DOUBTED,
            f"session/{session.id}",
            simulated,
            data,
            class_id=session.class_id,
            session_id=session.id,
        )
        state_fact(store, stamp, fact)

"""Numbers of a class that its rules are held against: what was judged, waits, is copied, was looked at."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.store.database import Store
from agent.store.footage import LONGEST_SEGMENT_US


@dataclass(frozen=True, slots=True)
class ContinuitySum:
    """What the statement in force says of a lesson."""

    hours: int
    hours_not_met: int
    breaks_not_met: int
    hours_not_yet: int
    """Those that may still be met, and their breaks."""
    has_video: bool


def continuity(store: Store, class_id: str, *, simulated: bool) -> Mapping[str, ContinuitySum]:
    """Session → the newest statement of its class hours; with those of footage that no live camera made only
    if `simulated` (I9)."""
    rows = store.rows(
        "SELECT judged.session_id, judged.data FROM continuity_judgement AS judged"
        " JOIN session ON session.id = judged.session_id WHERE session.class_id = ?"
        " AND NOT EXISTS (SELECT 1 FROM continuity_judgement AS later WHERE later.supersedes = judged.id)"
        " AND (NOT judged.simulated OR ?)",
        (class_id, simulated),
    )
    found = {}
    for row in rows:
        data = json.loads(row["data"])
        hours, breaks = data["hours"], data.get("breaks", [])
        found[row["session_id"]] = ContinuitySum(
            len(hours),
            sum(hour["verdict"] == "not_met" for hour in hours),
            sum(pause["verdict"] == "not_met" for pause in breaks),
            sum(each["verdict"] not in ("met", "not_met") for each in (*hours, *breaks)),
            any(hour["longest_us"] for hour in hours),
        )
    return found


def lessons_with_check_in(store: Store, class_id: str, *, simulated: bool) -> frozenset[str]:
    """Ids of the class's lessons to which somebody's check-in was accepted; one by a camera that is not live
    only if `simulated` (I9)."""
    rows = store.rows(
        "SELECT session.id FROM session WHERE session.class_id = ? AND EXISTS (SELECT 1 FROM check_in"
        " WHERE check_in.session_id = session.id AND outcome = 'accepted' AND (NOT check_in.simulated OR ?))",
        (class_id, simulated),
    )
    return frozenset(row["id"] for row in rows)


def people_seen(store: Store, class_id: str, *, simulated: bool) -> frozenset[str]:
    """Ids of the people whose check-in to one of the class's lessons was accepted."""
    rows = store.rows(
        # CROSS: the class's few lessons first, not every check-in of three years.
        "SELECT DISTINCT check_in.person_id FROM session CROSS JOIN check_in"
        " ON check_in.session_id = session.id"
        " WHERE session.class_id = ? AND check_in.outcome = 'accepted' AND (NOT check_in.simulated OR ?)",
        (class_id, simulated),
    )
    return frozenset(row["person_id"] for row in rows)


def lessons_with_footage(store: Store, class_id: str, *, simulated: bool) -> frozenset[str]:
    """Ids of the class's lessons of which the index knows footage, kept or expired."""
    rows = store.rows(
        "SELECT session.id FROM session WHERE session.class_id = ? AND EXISTS (SELECT 1 FROM segment"
        " JOIN run ON run.id = segment.run_id WHERE run.room = session.room AND (NOT run.simulated OR ?)"
        # The lower bound too: an index over two times serves a range of one of them only.
        " AND segment.start_us > session.planned_start_us - ? AND segment.start_us < session.planned_end_us"
        " AND segment.end_us > session.planned_start_us)",
        (class_id, simulated, LONGEST_SEGMENT_US),
    )
    return frozenset(row["id"] for row in rows)


def lessons_not_opened(store: Store, class_id: str) -> int:
    """Lessons of the timetable that passed without this node: it was off, or somewhere else."""
    return store.number(
        "SELECT count(*) FROM session WHERE class_id = ? AND state = 'cancelled'"
        " AND close_reason = 'not_held'",
        (class_id,),
    )


def stated_end(store: Store, class_id: str) -> str | None:
    """HR's word on which day the training ended (YYYY-MM-DD)."""
    row = store.row("SELECT day FROM training_end WHERE class_id = ?", (class_id,))
    return None if row is None else row["day"]


def unreceipted(store: Store, class_id: str, destinations: Sequence[str]) -> int:
    """Facts of the class that are no record yet or that a destination has no receipt for."""
    if not destinations:
        return 0
    return store.number(
        "SELECT count(*) FROM fact LEFT JOIN record ON record.fact_id = fact.id WHERE fact.class_id = ?"
        " AND (record.sequence IS NULL OR EXISTS (SELECT 1 FROM json_each(?) AS name"
        " LEFT JOIN destination ON destination.name = name.value"
        " WHERE record.sequence > coalesce(destination.receipted_through, 0)"
        " AND NOT EXISTS (SELECT 1 FROM receipt_ahead AS ahead WHERE ahead.destination = name.value"
        " AND ahead.sequence = record.sequence)))",
        (class_id, json.dumps(list(destinations))),
    )


def bound_hours(store: Store, class_id: str) -> int:
    """Trainee class hours for which a make-up lesson is planned or was held."""
    return store.number(
        "SELECT count(*) FROM make_up JOIN session ON session.id = make_up.session_id"
        " WHERE session.class_id = ? AND session.state <> 'cancelled'",
        (class_id,),
    )


def open_suspicions(store: Store, class_id: str) -> int:
    return store.number(
        "SELECT count(*) FROM suspicion JOIN session ON session.id = suspicion.session_id"
        " WHERE session.class_id = ? AND suspicion.state = 'open'"
        " AND suspicion.kind <> 'unregistered_teacher'",
        (class_id,),
    )


def expired_segments(store: Store, class_id: str) -> int:
    """Video files of the class's lessons that retention removed."""
    return store.number(
        "SELECT count(*) FROM segment JOIN run ON run.id = segment.run_id"
        " WHERE segment.expired_us IS NOT NULL AND EXISTS (SELECT 1 FROM session"
        " WHERE session.class_id = ? AND session.room = run.room"
        " AND session.close_reason IS NOT 'entered_by_mistake'"
        " AND session.planned_start_us < segment.end_us AND session.planned_end_us > segment.start_us)",
        (class_id,),
    )


def copied(store: Store, copy: str, segments: Sequence[tuple[str, int]]) -> int:
    """How many of `segments` the copy holds, verified."""
    return store.number(
        "SELECT count(*) FROM json_each(?) AS wanted JOIN segment_copy ON segment_copy.copy = ?"
        " AND segment_copy.run_id = wanted.value ->> 0 AND segment_copy.sequence = wanted.value ->> 1"
        " AND segment_copy.expired_us IS NULL",
        (json.dumps(list(segments)), copy),
    )


def is_registered(store: Store, person_id: str) -> bool:
    return store.row("SELECT 1 FROM registered_teacher WHERE person_id = ?", (person_id,)) is not None


def spot_checks(store: Store, class_id: str) -> tuple[int, int]:
    """(drawn, passed)."""
    row = store.one(
        "SELECT count(*) AS drawn, coalesce(sum(result = 'passed'), 0) AS passed FROM spot_check"
        " JOIN session ON session.id = spot_check.session_id WHERE session.class_id = ?",
        (class_id,),
    )
    return row["drawn"], row["passed"]


def views(store: Store, class_id: str) -> int:
    """How often footage of the class's lessons was opened; from the facts, because a view's row goes with its
    visitor's session."""
    return store.number(
        "SELECT count(*) FROM fact WHERE type = 'access.evidence-viewed' AND class_id = ?"
        " AND data ->> '$.what' IS NOT 'calibration-picture'",
        (class_id,),
    )

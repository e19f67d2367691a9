"""Edits of a timetable: lessons added, moved, changed, called off, each with its reason and its record.

An edit is a list of changes, all or none of them done. It is taken back by another edit, never erased. Only
what is still to come can be changed, of the lesson that is on its end, and of one that was held its times, to
those at which it was held (agent/classes/as_held.py).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from agent import words
from agent.classes import as_held, timetable_conflicts
from agent.classes.assessment import Finding, assess, plan_of_class
from agent.classes.edit_refusals import doubts, refusals
from agent.classes.lesson_plan import LessonPlan, TimetableError, said
from agent.classes.make_up import misplaced, release_of
from agent.classes.rules import rules_of
from agent.clock import Stamp
from agent.policy import Policies
from agent.store import classes as table
from agent.store import timetable_edits
from agent.store.classes import TrainingClass
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.store.reasons import reason_hmac


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one lesson. Without `before` it is new, without `after` it is called off."""

    before: LessonPlan | None
    after: LessonPlan | None
    session_id: str | None = None
    """None: new."""
    place: str = ""
    """Where somebody wrote it, e.g. `课程表 sessions 第 3 行 / row 3`, for problems."""
    as_held: bool = False
    """`after` is when a lesson that is over really was, by its recording."""

    @property
    def name(self) -> str:
        plan = self.after or self.before
        return self.place or (said(plan) if plan is not None else "?")


@dataclass(frozen=True, slots=True)
class Edit:
    """What an edit did."""

    edit_id: str
    sessions: tuple[str, ...]
    """Of its changes, in their order."""
    warnings: tuple[str, ...]
    """Bilingual; nothing of it was refused for them."""
    make_ups_released: int


def edit(
    store: Store,
    stamp: Stamp,
    class_id: str,
    changes: Sequence[Change],
    reason: str,
    *,
    room: str,
    policies: Policies,
    simulated: bool,
    undoes: str | None = None,
    source_sha256: str | None = None,
) -> Edit:
    """Do all `changes` in the CALLER's transaction, with a record for each. `room` is the device's own.

    TimetableError with every problem; the caller's transaction must then be rolled back.
    """
    if not store.in_transaction:
        raise RuntimeError("edit outside a transaction")
    training_class = table.training_class(store, class_id)
    if training_class is None:
        raise TimetableError([f"没有班次 / no such class: {class_id[:32]!r}"])
    said_why = words.reason(reason)
    if said_why is None:
        raise TimetableError([f"--reason: {' / '.join(words.REASON_WANTED)}"])
    if not changes:
        raise TimetableError(["没有任何改动 / nothing would change"])
    undone = undoes is not None
    problems = [
        line
        for change in changes
        for line in refusals(store, stamp, training_class, change, room, undone=undone, simulated=simulated)
    ]
    if problems:
        raise TimetableError(problems)
    edit_id, released = str(uuid.uuid4()), 0
    sessions: list[str] = []
    for change in changes:
        session_id = change.session_id or str(uuid.uuid4())
        if change.after is None:
            released += _call_off(store, stamp, class_id, session_id, change, simulated=simulated)
        elif change.before is None:
            timetable_edits.insert_planned(store, session_id, class_id, asdict(change.after))
        else:
            timetable_edits.set_plan(store, session_id, asdict(change.after))
        sessions.append(session_id)
        _note(store, stamp, class_id, edit_id, session_id, change, said_why, undoes)
        data = {
            "edit": edit_id,
            "undoes": undoes,
            "action": _action(change),
            "before": None if change.before is None else asdict(change.before),
            "after": None if change.after is None else asdict(change.after),
            "reason_hmac": reason_hmac(store, said_why),
            "source_sha256": source_sha256,
        }
        data |= _ground(store, change, session_id, undone=undone)
        state_fact(store, stamp, _fact(FactType.SESSION_PLAN_CHANGED, class_id, session_id, data, simulated))
    problems, warnings = timetable_conflicts.found(
        store,
        training_class,
        [(session_id, change.name) for session_id, change in zip(sessions, changes, strict=True)],
    )
    problems += misplaced(store, class_id)
    if problems:
        raise TimetableError(problems)
    assess_again(store, training_class, policies)
    warnings += doubts(stamp, changes)
    return Edit(edit_id, tuple(sessions), tuple(warnings), released)


def undo(
    store: Store,
    stamp: Stamp,
    class_id: str,
    named: str,
    reason: str,
    *,
    room: str,
    policies: Policies,
    simulated: bool,
    source_sha256: str | None = None,
) -> Edit:
    """Take an edit back by another, in the CALLER's transaction; `named` is its id or the beginning of it. A
    lesson that was called off comes back as a new one. TimetableError, as `edit`."""
    rows = timetable_edits.edit_named(store, class_id, named)
    ids = sorted({row.edit_id for row in rows})
    if len(ids) != 1:
        known = "、".join(each[:8] for each in ids) or "timetable show --edits"
        raise TimetableError([f"{named[:36]!r}: 没有或不止一次改动 / none or several edits: {known}"])
    later = timetable_edits.undone_by(store, ids[0])
    if later is not None:
        raise TimetableError([f"{ids[0]}: 已由 {later} 撤销 / was taken back by {later} already"])
    changes = []
    for row in reversed(rows):
        before = None if row.after is None else LessonPlan.of(row.after)
        after = None if row.before is None else LessonPlan.of(row.before)
        session_id = None if before is None else row.session_id
        session = None if session_id is None else table.session(store, session_id)
        # Of what was planned before the lesson nothing is taken back once it was held by it.
        closed_us = None if session is None or session.state != "closed" else session.closed_us
        is_after = closed_us is not None and row.edited_us >= closed_us
        changes.append(Change(before, after, session_id, as_held=is_after))
    return edit(
        store,
        stamp,
        class_id,
        changes,
        reason,
        room=room,
        policies=policies,
        simulated=simulated,
        undoes=ids[0],
        source_sha256=source_sha256,
    )


def _ground(store: Store, change: Change, session_id: str, *, undone: bool) -> dict[str, Any]:
    """The recording that times as held rest on; nothing for a plan."""
    session = table.session(store, session_id) if change.as_held and not undone else None
    if session is None or change.after is None:
        return {}
    return {"video": as_held.video(store, session, change.after)}


def _action(change: Change) -> str:
    if change.after is None:
        return "called_off"
    if change.before is None:
        return "added"
    moved = (change.before.room, change.before.start_us) != (change.after.room, change.after.start_us)
    return "moved" if moved else "changed"


def _call_off(
    store: Store, stamp: Stamp, class_id: str, session_id: str, change: Change, *, simulated: bool
) -> int:
    """Returns how many make-up bindings went with it."""
    table.set_cancelled(store, session_id, stamp.wall_us, "timetable")
    before = change.before
    data = {"reason": "timetable", "planned_start_us": before.start_us if before is not None else 0}
    state_fact(store, stamp, _fact(FactType.SESSION_CANCELLED, class_id, session_id, data, simulated))
    return release_of(store, stamp, session_id, simulated=simulated)


def _note(
    store: Store,
    stamp: Stamp,
    class_id: str,
    edit_id: str,
    session_id: str,
    change: Change,
    reason: str,
    undoes: str | None,
) -> None:
    timetable_edits.insert(
        store,
        edit_id=edit_id,
        class_id=class_id,
        session_id=session_id,
        before=None if change.before is None else asdict(change.before),
        after=None if change.after is None else asdict(change.after),
        reason=reason,
        edited_us=stamp.wall_us,
        undoes=undoes,
    )


def _fact(kind: FactType, class_id: str, session_id: str, data: dict[str, Any], simulated: bool) -> Fact:
    subject = f"session/{session_id}"
    return Fact(kind, subject, simulated=simulated, data=data, class_id=class_id, session_id=session_id)


def assess_again(store: Store, training_class: TrainingClass, policies: Policies) -> tuple[Finding, ...]:
    """What the class falls short of, by the timetable as it is now; kept with the class. In the caller's
    transaction."""
    plan = plan_of_class(
        training_class,
        table.people_of(store, training_class.id),
        table.sessions(store, class_id=training_class.id),
    )
    findings = assess(plan, rules_of(training_class, policies))
    warnings = json.dumps([finding.as_json() for finding in findings], ensure_ascii=False)
    store.execute("UPDATE class SET warnings = ? WHERE id = ?", (warnings, training_class.id))
    return tuple(findings)

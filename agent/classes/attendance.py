"""Attendance per trainee and class hour (到课), reckoned anew from the rows when asked (R5, R16, R17).

From check-ins and check-outs, spot checks, HR's word on impostors, corrections, make-up lessons. Nothing is
stored but what is stated as a record (agent/archive/attendance.py). Of this node's lessons alone: another
room's stand as planned here, and a class's whole is merged by the receiver.

The class hours are those of the plan as it stands (agent/classes/held.py): a check-in before the plan's start
counts from the first class hour's beginning, one after its end, while a lesson overruns, has missed them all,
and an overrun that was entered in the timetable has moved the borders. While every picture showed an empty
room for five minutes and more, nobody who checked in surely was there: undecided, until people look.

In this order: who left the class is not asked any more; an hour not yet over is `not_yet`; an impostor's
attendance is void, whatever was corrected; what a teacher and HR corrected holds; else the check-ins decide,
and who was not there because they were not in the class (they joined later, or left and came back) owes the
hour like one that was missed, by the word `not_joined`; an hour that still does not count is `made_up` where
a make-up lesson stands for it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from agent.classes import attendance_counts
from agent.classes.attendance_rules import AttendanceRules, rules_of_class
from agent.classes.attendance_table import (
    COUNTS,
    Between,
    Cell,
    ClassAttendance,
    HeldHour,
    Key,
    State,
    TraineeAttendance,
)
from agent.classes.class_hours import ClassHour, class_hours
from agent.classes.held import empty_stretches
from agent.classes.presence import (
    ABSENT,
    NO_LOOKS,
    Presence,
    Reason,
    in_a_room_with_people,
    kept,
    presence,
    within,
)
from agent.policy import PolicySet
from agent.store import attendance as table
from agent.store import classes, heads, make_ups
from agent.store.attendance import Correction
from agent.store.classes import Person, Session
from agent.store.database import Store
from agent.store.make_ups import MakeUp


def attendance_of(
    store: Store,
    policy: PolicySet,
    class_id: str,
    *,
    now_us: int | None = None,
    simulated: bool = False,
    rules: AttendanceRules | None = None,
) -> ClassAttendance:
    """The attendance of a class by its notices and HR's rules (`rules`: by others).

    `now_us`: hours of a lesson that is still open count from their end on; None: from the lesson's closing.
    `simulated`: check-ins by a camera that is not a live one count, as a demonstration shows them; else they
    never do (I9). KeyError for a class that does not exist.
    """
    training_class = classes.training_class(store, class_id)
    if training_class is None:
        raise KeyError(class_id)
    rules = rules or rules_of_class(store, class_id)
    hours = _hours(store, class_id, now_us)
    known = _presences(store, hours, rules, simulated=simulated)
    corrected = {(c.session_id, c.hour, c.person_id): c for c in table.corrections(store, class_id)}
    bindings = _MakeUps(store, policy, class_id, hours, simulated=simulated)
    people = [p for p in classes.people_of(store, class_id, also_left=True) if p.role == "trainee"]
    trainees = [_trainee(person, hours, known, corrected, bindings, rules) for person in people]
    trainees.sort(key=lambda each: each.person.left_us is not None)
    return ClassAttendance(
        training_class,
        policy,
        rules,
        hours,
        tuple(trainees),
        attendance_counts.opening(training_class.opening_day, hours, trainees),
        attendance_counts.average(hours, trainees),
        attendance_counts.examined(hours, trainees),
        any(cell.simulated for each in trainees for cell in each.cells.values()),
    )


def _hours(store: Store, class_id: str, now_us: int | None) -> tuple[HeldHour, ...]:
    sessions = classes.sessions(store, class_id=class_id, states=("planned", "open", "closed"))
    return tuple(
        HeldHour(session, hour, _is_over(session, hour, now_us))
        for session in sessions
        if not session.was_planned_again
        for hour in class_hours(session)
    )


def _is_over(session: Session, hour: ClassHour, now_us: int | None) -> bool:
    if session.state == "open":
        return now_us is not None and hour.end_us <= now_us
    return session.state == "closed"


def _presences(
    store: Store, hours: Sequence[HeldHour], rules: AttendanceRules, *, simulated: bool
) -> Mapping[str, Mapping[str, Presence]]:
    """Session → person → presence, of the sessions that were opened."""
    sessions = {each.session.id: each.session for each in hours if each.session.opened_us is not None}
    found: dict[str, dict[str, Presence]] = defaultdict(dict)
    for session in sessions.values():
        seen = table.looks(store, session.id)
        counts = heads.counted_at(store, session.id, simulated=simulated)
        empty = empty_stretches(counts)
        for stay in table.stays(store, [session.id]):
            if simulated or not stay.simulated:
                looks = seen.get(stay.person_id, NO_LOOKS)
                there = presence(session, stay, looks, rules)
                found[session.id][stay.person_id] = in_a_room_with_people(there, empty)
    return found


class _MakeUps:
    """What a make-up lesson may stand for (R5): bound by people, before the final test, on video whole."""

    def __init__(
        self, store: Store, policy: PolicySet, class_id: str, hours: Sequence[HeldHour], *, simulated: bool
    ) -> None:
        limit = policy.limits.get("make_up_counts")
        self.are_counted = limit is not None and limit.limit is True
        self._by_key = {each.key: each for each in hours}
        examinations = [h.session.planned_start_us for h in hours if h.session.kind == "examination"]
        self._final_us = max(examinations, default=None)
        self._of: dict[tuple[str, str, int], MakeUp] = {}
        self._video: dict[str, dict[int, bool]] = {}
        self._bound: set[tuple[str, str, int]] = set()
        for each in make_ups.made_up(store, class_id) if self.are_counted else ():
            self._of[each.person_id, each.missed_session_id, each.missed_hour] = each
            self._bound.add((each.person_id, each.session_id, each.hour))
            if each.session_id not in self._video:
                self._video[each.session_id] = table.hours_on_video(
                    store, each.session_id, simulated=simulated
                )

    def binding(self, person_id: str, key: Key) -> MakeUp | None:
        return self._of.get((person_id, *key))

    def is_bound(self, person_id: str, key: Key) -> bool:
        """Whether this person is asked to that hour of a make-up lesson."""
        return (person_id, *key) in self._bound

    def standing(self, bound: MakeUp, there: Cell) -> tuple[bool, bool, tuple[Reason, ...]]:
        """(surely, possibly, why not) the make-up hour stands for the missed one; `there` is its own cell."""
        held = self._by_key.get((bound.session_id, bound.hour))
        if held is None or held.session.kind != "make_up":
            return False, False, ()
        if self._final_us is not None and held.hour.end_us > self._final_us:
            return False, False, ("after_examination",)
        on_video = self._video[bound.session_id].get(bound.hour)
        reasons: tuple[Reason, ...] = ()
        if there.at_most and on_video is not True:
            reasons = ("video_not_judged",) if on_video is None else ("video_not_whole",)
        return there.at_least and on_video is True, there.at_most and on_video is not False, reasons


def _trainee(
    person: Person,
    hours: Sequence[HeldHour],
    known: Mapping[str, Mapping[str, Presence]],
    corrected: Mapping[tuple[str, int, str], Correction],
    bindings: _MakeUps,
    rules: AttendanceRules,
) -> TraineeAttendance:
    cells: dict[Key, Cell] = {}
    for held in hours:
        is_asked = held.session.kind != "make_up" or bindings.is_bound(person.id, held.key)
        there = known.get(held.session.id, {}).get(person.id, ABSENT)
        word = corrected.get((*held.key, person.id))
        cells[held.key] = _cell(person, held, there, word, rules) if is_asked else _NOT_ASKED
    for held in hours:
        bound = bindings.binding(person.id, held.key)
        there_cell = None if bound is None else cells.get((bound.session_id, bound.hour))
        if bound is not None and there_cell is not None and not cells[held.key].at_least:
            cells[held.key] = _with_make_up(cells[held.key], *bindings.standing(bound, there_cell))
    asked = [cells[h.key] for h in hours if h.session.kind != "make_up" and _is_held(cells[h.key])]
    return TraineeAttendance(
        person,
        cells,
        len(asked),
        Between(sum(cell.at_least for cell in asked), sum(cell.at_most for cell in asked)),
        sum(cell.state == "made_up" for cell in asked),
        sum("void" in cell.reasons for cell in asked),
    )


_NOT_ASKED: Final = Cell("not_asked", False, False, (False, False))


def _is_held(cell: Cell) -> bool:
    return cell.state not in ("not_yet", "not_asked")


def _cell(
    person: Person, held: HeldHour, there: Presence, word: Correction | None, rules: AttendanceRules
) -> Cell:
    if person.left_us is not None and person.left_us <= held.hour.start_us:
        return replace(_NOT_ASKED, reasons=("left_class",))
    if not held.is_over:
        return Cell("not_yet", False, False, (False, False))
    if there.void:
        return Cell("void", False, False, (False, False), ("void",), simulated=there.simulated)
    if word is not None and word.state != "withdrawn":
        counts = word.state in COUNTS
        return Cell(word.state, counts, counts, (counts, counts), ("correction",), word, there.simulated)
    least, most = (kept(within(spans, held.hour), held.hour, rules) for spans in (there.sure, there.possible))
    sure, possible = least in COUNTS, most in COUNTS
    # Where only the word is open (late or not) and the hour counts either way, the better word is no claim.
    state: State = most if least == most or sure else "undecided"
    touched = state != "absent" or "missed_spot_check" in there.reasons
    if not touched and (why := _outside(person, held.hour)) is not None:
        return Cell("not_joined", False, False, (False, False), (why,), word)
    reasons = there.reasons if touched else ()
    return Cell(state, sure, possible, (sure, possible), reasons, word, there.simulated and touched)


def _outside(person: Person, hour: ClassHour) -> Reason | None:
    """Why a trainee of the class could not be there: not in it when the hour began."""
    for from_us, until_us in person.away:
        if from_us <= hour.start_us < until_us:
            return "joined_later" if from_us == 0 else "came_back"
    return None


def _with_make_up(cell: Cell, surely: bool, possibly: bool, reasons: tuple[Reason, ...]) -> Cell:
    if cell.state in ("not_yet", "not_asked"):
        return cell
    if surely:
        return replace(
            cell, state="made_up", at_least=True, at_most=True, reasons=(*cell.reasons, "made_up_here")
        )
    if possibly:
        return replace(cell, state="undecided", at_most=True, reasons=(*cell.reasons, *reasons))
    return replace(cell, reasons=(*cell.reasons, *reasons))

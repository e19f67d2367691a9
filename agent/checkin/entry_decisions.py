"""People's word on check-ins by PIN: the teacher in charge or HR staff, who see the picture beside the name.

Confirmed an entry counts as any other, from the instant at which the person stood there, also where the door
knew the face later; undecided or rejected it counts nothing (I9). The same words come to the same, in
whatever order and however often they were said.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from agent import words
from agent.checkin.pins import TEACHER
from agent.checkin.raising import suspect_unregistered
from agent.classes import spot_check
from agent.clock import Stamp
from agent.errors import RefusedError
from agent.log import get_logger
from agent.store import check_ins, classes
from agent.store.check_ins import DecidedCheckIn, Decision
from agent.store.classes import Session
from agent.store.configuration import value_of
from agent.store.database import Store
from agent.store.facts import FactType
from agent.store.lesson_facts import state_of_person
from agent.store.reasons import reason_hmac

HR: Final = "hr"

log = get_logger(__name__)


class DecisionError(RefusedError):
    """A decision cannot be taken."""

    reasons: ClassVar[Mapping[str, tuple[str, str]]] = {
        "no_reason": (
            "不予确认须写明理由；理由最多 500 字，不写身份证号",
            "a rejection needs its reason, of at most 500 characters, without an ID number",
        ),
        "no_entry": ("没有这条待核实的签到", "no such check-in awaits a decision"),
        "decided": ("这条签到已经这样核实过了", "that is how it stands already"),
        "meanwhile": words.DECIDED_MEANWHILE,
        "over": ("课已结束，由人社部门核实", "the lesson is over: HR staff decide"),
        "not_in_charge": ("须是本课已签到的教师", "only a teacher who checked in to this lesson decides"),
        "hr_decided": ("人社部门已核实，由人社部门更改", "HR staff have decided: they alone change it"),
        "teachers_entry": ("教师的签到由人社部门核实", "over teachers HR staff decide"),
        "left_class": ("此人已不在班级名册", "the person is no longer on the class's list"),
        "earlier_first": ("请先核实此人较早的一条", "decide over this person's earlier entry first"),
    }


def teacher_in_charge(store: Store, room: str, person_id: str) -> Session | None:
    """The lesson in `room` now that this teacher may decide for: one of its class's, and accepted in it."""
    session = classes.open_session(store, room)
    if session is None or not _is_in_charge(store, session, person_id):
        return None
    return session


def _is_in_charge(store: Store, session: Session, person_id: str) -> bool:
    is_teacher = check_ins.role_in(store, session.class_id, person_id) == "teacher"
    return is_teacher and check_ins.accepted_row(store, session.id, person_id) is not None


def decide(
    store: Store,
    stamp: Stamp,
    check_in_id: str,
    decision: Decision,
    account: str,
    reason: str,
    *,
    seen: int | None = None,
) -> str:
    """The word of the teacher in charge or HR staff on one entry, in a transaction of its own; returns what
    the check-in counts as. Another decision later takes this one back. DecisionError.

    `account` is `HR` or `TEACHER` and the teacher's id: a teacher decides over trainees of the lesson that he
    was accepted in, never over himself or another teacher, and changes no word of HR staff. A rejection needs
    a reason. `seen`: number of the newest decision that whoever decides was shown, 0 for none; a later one
    is overturned by nobody who does not know it. None: not asked.
    """
    said = words.reason(reason)
    if said is None and (decision == "rejected" or reason.strip()):
        raise DecisionError("no_reason")
    with store.transaction():
        entry = check_ins.decided_check_in(store, check_in_id)
        session = None if entry is None else classes.session(store, entry.session_id)
        if entry is None or session is None:
            raise DecisionError("no_entry")
        _check_may_decide(store, session, entry, account)
        if entry.decision == decision:
            raise DecisionError("decided")
        if seen not in (None, entry.number or 0):
            raise DecisionError("meanwhile")
        outcome = "rejected"
        if decision == "confirmed":
            outcome = _counts_as(store, session, entry)
        later = _step_back(store, session, entry) if outcome == "accepted" else None
        number = check_ins.insert_decision(
            store, check_in_id, decision, account, said or "", stamp.wall_us, outcome
        )
        data = {
            "check_in": check_in_id,
            "decision": decision,
            "outcome": outcome,
            "account": account,
            "reason_hmac": None if said is None else reason_hmac(store, said),
            "supersedes": entry.number,
            "number": number,
        }
        state_of_person(
            store, stamp, FactType.CHECK_IN_DECIDED, session, entry.person_id, data, simulated=entry.simulated
        )
        if later is not None:
            counted = {"check_in": later[0], "outcome": later[1], "decision": number}
            state_of_person(
                store,
                stamp,
                FactType.CHECK_IN_COUNTED,
                session,
                entry.person_id,
                counted,
                simulated=entry.simulated,
            )
        spot_check.settle(store, stamp, check_in_id)
        if outcome == "accepted":
            suspect_unregistered(
                store, stamp, session, check_in_id, entry.person_id, simulated=entry.simulated
            )
        if decision == "rejected" and entry.outcome == "accepted":
            _count_next(store, stamp, session, entry.person_id, number)
    log.info("other_way.decided", check_in=check_in_id, decision=decision, outcome=outcome)
    return outcome


def _count_next(store: Store, stamp: Stamp, session: Session, person_id: str, decision: int) -> None:
    """What made a person present was rejected; who was at the door once more is present by that."""
    row = check_ins.next_sufficient(store, session.id, person_id)
    if row is None or check_ins.role_in(store, session.class_id, person_id) is None:
        return
    store.execute("UPDATE check_in SET outcome = 'accepted' WHERE id = ?", (row["id"],))
    simulated = bool(row["simulated"])
    data = {"check_in": row["id"], "outcome": "accepted", "decision": decision}
    state_of_person(store, stamp, FactType.CHECK_IN_COUNTED, session, person_id, data, simulated=simulated)
    suspect_unregistered(store, stamp, session, row["id"], person_id, simulated=simulated)


def _step_back(store: Store, session: Session, entry: DecidedCheckIn) -> tuple[str, str] | None:
    """The entry came first: what counted in its place is a further look. Its id and what it counts as; None
    where nothing else counts."""
    row = check_ins.accepted_row(store, session.id, entry.person_id, besides=entry.id)
    if row is None:
        return None
    leaves = check_ins.may_leave(session, row["at_us"], row["spot_check_id"])
    leaves = leaves and value_of(store, "checkin.check_out", row["revision"]) is True
    outcome = "checked_out" if leaves else "already_checked_in"
    store.execute("UPDATE check_in SET outcome = ? WHERE id = ?", (outcome, row["id"]))
    return row["id"], outcome


def _check_may_decide(store: Store, session: Session, entry: DecidedCheckIn, account: str) -> None:
    if account == HR:
        return
    person_id = account.removeprefix(TEACHER)
    if not account.startswith(TEACHER) or session.state != "open":
        raise DecisionError("over")
    if not _is_in_charge(store, session, person_id):
        raise DecisionError("not_in_charge")
    if entry.role != "trainee":
        raise DecisionError("teachers_entry")
    if entry.account == HR:
        raise DecisionError("hr_decided")


def _counts_as(store: Store, session: Session, entry: DecidedCheckIn) -> str:
    """Present once, whatever ways a person came by."""
    if entry.role is None:
        raise DecisionError("left_class")
    earlier = [row["id"] for row in check_ins.awaiting_of(store, session.id, entry.person_id)]
    if earlier and earlier[0] != entry.id and entry.outcome == "awaiting_confirmation":
        raise DecisionError("earlier_first")
    accepted = check_ins.accepted_row(store, session.id, entry.person_id, besides=entry.id)
    if accepted is None or entry.at_us < accepted["at_us"]:
        return "accepted"  # from when the person stood there, however late and often people spoke
    is_leaving = check_ins.may_leave(session, entry.at_us, entry.spot_check_id)
    # By what HR wanted when the person stood there, as attendance goes by it while the word is out.
    leaves = is_leaving and value_of(store, "checkin.check_out", entry.revision) is True
    return "checked_out" if leaves else "already_checked_in"

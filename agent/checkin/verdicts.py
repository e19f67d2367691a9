"""HR's word on suspicions and teachers (R15), and what follows for the class: the alarm of R7."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from agent import words
from agent.classes.rules import known_rules
from agent.clock import Stamp
from agent.errors import RefusedError
from agent.log import get_logger
from agent.store import classes
from agent.store import suspicions as table
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.store.reasons import reason_hmac
from agent.store.suspicions import Decision

log = get_logger(__name__)


class VerdictError(RefusedError):
    """A suspicion cannot be judged so."""

    reasons: ClassVar[Mapping[str, tuple[str, str]]] = {
        "no_suspicion": ("没有这条疑点", "there is no such suspicion"),
        "judged": ("这条疑点已经这样核实过了", "that is how it stands already"),
        "meanwhile": words.DECIDED_MEANWHILE,
        "no_reason": words.REASON_WANTED,
        "grown": (
            "这条疑点刚刚又见到一次，请看过新照片再核实",
            "it was seen once more since: look at the new photo first",
        ),
    }


def decide(
    store: Store,
    stamp: Stamp,
    suspicion_id: str,
    decision: Decision,
    account: str,
    reason: str,
    *,
    seen: int | None = None,
    times: int | None = None,
) -> int:
    """HR's word on a suspicion, in a transaction of its own; returns the decision's number. VerdictError.

    A decision is taken back by another: 'reopened', or the opposite. The alarm of R7 is raised or ended with
    it, in records of their own. `seen`: as in `entry_decisions.decide`. `times`: how many
    sightings whoever decides was shown; of one that joined since nobody has said a word. None: not asked.
    """
    reason = checked_reason(reason)
    with store.transaction():
        row = table.suspicion_row(store, suspicion_id)
        if row is None:
            raise VerdictError("no_suspicion")
        state = "open" if decision == "reopened" else decision
        if row["state"] == state:
            raise VerdictError("judged")
        if seen not in (None, row["number"] or 0):
            raise VerdictError("meanwhile")
        if times is not None and table.times_seen(store, suspicion_id) > times:
            raise VerdictError("grown")
        store.execute("UPDATE suspicion SET state = ? WHERE id = ?", (state, suspicion_id))
        number = store.add(
            "INSERT INTO suspicion_decision (suspicion_id, decision, account, reason, decided_us)"
            " VALUES (?, ?, ?, ?, ?)",
            (suspicion_id, decision, account, reason, stamp.wall_us),
        )
        confirmed = table.confirmed_impostors(store, row["class_id"])
        data = {
            "suspicion": suspicion_id,
            "kind": row["kind"],
            "decision": decision,
            "account": account,
            "reason_hmac": reason_hmac(store, reason),
            "number": number,
            "supersedes": row["number"],
            "confirmed_in_class": confirmed,
        }
        simulated = bool(row["simulated"])
        state_fact(
            store,
            stamp,
            Fact(
                FactType.SUSPICION_DECIDED,
                f"suspicion/{suspicion_id}",
                simulated,
                data,
                class_id=row["class_id"],
                session_id=row["session_id"],
            ),
        )
        _judge_alarm(store, stamp, row["class_id"], confirmed, simulated=simulated)
    log.info("suspicion.decided", suspicion=suspicion_id, decision=decision)
    return number


def _judge_alarm(store: Store, stamp: Stamp, class_id: str, confirmed: int, *, simulated: bool) -> None:
    found = classes.training_class(store, class_id)
    rules = None if found is None else known_rules(found)
    limit = None if rules is None else rules.number("impostor_attendances")
    stands = store.row("SELECT 1 FROM impostor_alarm WHERE class_id = ?", (class_id,)) is not None
    is_due = limit is not None and confirmed >= limit
    if rules is None or limit is None or stands == is_due:
        return
    if is_due:
        store.insert("impostor_alarm", {"class_id": class_id, "raised_us": stamp.wall_us})
    else:
        store.execute("DELETE FROM impostor_alarm WHERE class_id = ?", (class_id,))
    data = {
        "raised": is_due,
        "confirmed": confirmed,
        "limit": int(limit),
        "notices": [source.notice for source in rules.limits["impostor_attendances"].sources],
    }
    fact = Fact(FactType.IMPOSTOR_ALARM, f"class/{class_id}", simulated, data, class_id=class_id)
    state_fact(store, stamp, fact)
    log.warning("impostor.alarm", raised=is_due, confirmed=confirmed)


def register_teacher(
    store: Store, stamp: Stamp, person_id: str, *, registered: bool, simulated: bool
) -> bool:
    """HR staff found a teacher in the register, or take that back; False when that is how it stands."""
    with store.transaction():
        if registered:
            changed = store.execute(
                "INSERT INTO registered_teacher (person_id, stated_us) VALUES (?, ?) ON CONFLICT DO NOTHING",
                (person_id, stamp.wall_us),
            )
        else:
            changed = store.execute("DELETE FROM registered_teacher WHERE person_id = ?", (person_id,))
        if changed.rowcount != 1:
            return False
        data = {"registered": registered}
        state_fact(store, stamp, Fact(FactType.TEACHER_REGISTERED, f"person/{person_id}", simulated, data))
    return True


def checked_reason(reason: str) -> str:
    """As `words.reason`. VerdictError where it cannot be taken."""
    said = words.reason(reason)
    if said is None:
        raise VerdictError("no_reason")
    return said

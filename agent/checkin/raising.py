"""A suspicion is raised or renewed, with its record. Without models: the page raises some, too."""

from __future__ import annotations

import uuid

from agent.classes.rules import known_rules
from agent.clock import Stamp
from agent.store import check_ins, classes
from agent.store import suspicions as table
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.store.suspicions import Kind


def raise_or_renew(
    store: Store,
    stamp: Stamp,
    session: classes.Session,
    kind: Kind,
    check_in_id: str,
    *,
    person_id: str | None,
    other_id: str | None = None,
    renewed: str | None,
    simulated: bool,
) -> str:
    """Note that an answer of the door gives reason to suspect: one more sighting of `renewed`, or a suspicion
    of its own with its fact. Returns the suspicion's id. In the caller's transaction."""
    if renewed is not None:
        table.see_again(store, renewed, check_in_id, stamp.wall_us)
        return renewed
    identifier = str(uuid.uuid4())
    store.insert(
        "suspicion",
        {
            "id": identifier,
            "kind": kind,
            "session_id": session.id,
            "person_id": person_id,
            "other_person_id": other_id,
            "state": "open",
            "first_us": stamp.wall_us,
            "last_us": stamp.wall_us,
            "simulated": int(simulated),
        },
    )
    table.see_again(store, identifier, check_in_id, stamp.wall_us)
    data = {
        "suspicion": identifier,
        "kind": kind,
        "check_in": check_in_id,
        "person": person_id,
        "other_person": other_id,
    }
    state_fact(
        store,
        stamp,
        Fact(
            FactType.SUSPICION_RAISED,
            f"suspicion/{identifier}",
            simulated,
            data,
            class_id=session.class_id,
            session_id=session.id,
        ),
    )
    return identifier


def suspect_unregistered(
    store: Store,
    stamp: Stamp,
    session: classes.Session,
    check_in_id: str,
    person_id: str,
    *,
    simulated: bool,
) -> None:
    """A teacher was accepted whom nobody found in the provincial register, in a class whose notices demand it
    (R15). In the caller's transaction."""
    if check_ins.role_in(store, session.class_id, person_id) != "teacher":
        return
    if store.row("SELECT 1 FROM registered_teacher WHERE person_id = ?", (person_id,)):
        return
    rules = known_rules(classes.class_of(store, session))
    if rules is None or not rules.demands("registered_teachers"):
        return
    kind: Kind = "unregistered_teacher"
    if table.cleared_in_class(store, kind, session.class_id, person_id):
        return
    renewed = table.open_of_person(store, kind, session.id, person_id, None, 0)
    raise_or_renew(
        store,
        stamp,
        session,
        kind,
        check_in_id,
        person_id=person_id,
        renewed=renewed,
        simulated=simulated,
    )

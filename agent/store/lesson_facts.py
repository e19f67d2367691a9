"""Facts about a person in a lesson."""

from __future__ import annotations

from collections.abc import Mapping

from agent.clock import Stamp
from agent.store.classes import Session
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact


def state_of_person(
    store: Store,
    stamp: Stamp,
    kind: FactType,
    session: Session,
    person_id: str,
    data: Mapping[str, object],
    *,
    simulated: bool,
) -> None:
    """In the caller's transaction, with what it states."""
    fact = Fact(
        kind, f"person/{person_id}", simulated, data, class_id=session.class_id, session_id=session.id
    )
    state_fact(store, stamp, fact)

"""Making logs for tests by the ledger itself."""

from __future__ import annotations

from agent.clock import Clock
from agent.evidence.keys import FileSigningKey, load_or_create
from agent.evidence.ledger import Ledger
from agent.evidence.record import NodeIdentity
from agent.paths import Paths
from agent.store import records
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact

NODE = NodeIdentity("school-a", "room-101", "node-1")


def open_ledger(
    store: Store, paths: Paths, clock: Clock, *, demonstration: bool = True
) -> tuple[Ledger, FileSigningKey]:
    """A ledger on `store`, opened, with the key of `paths`."""
    key = load_or_create(paths.ledger_keys)
    ledger = Ledger(store, key, NODE, clock, demonstration=demonstration)
    ledger.open()
    return ledger, key


def state_facts(store: Store, clock: Clock, count: int) -> None:
    """`count` small facts in one transaction."""
    with store.transaction():
        for number in range(count):
            state_fact(
                store,
                clock.now(),
                Fact(FactType.INDEX_REBUILT, "node", simulated=True, data={"segments": number, "gaps": 0}),
            )


def sign_all(ledger: Ledger) -> int:
    """Sign until nothing is pending; returns how many."""
    total = 0
    while signed := ledger.sign_pending():
        total += signed
    return total


def whole_log(store: Store) -> list[bytes]:
    """The bytes of every record in order."""
    return [record.jws for record in records.read(store)]

"""Legal holds that only the record log still tells: their rows went with a database that was lost (R8).

A snapshot is up to a day old, an image of the card months, a new database knows nothing. The log comes back
from its copies, signed; so a hold that it tells and the table does not know holds until HR staff release it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from agent.evidence.record import RecordError, read_record
from agent.store import holds, records
from agent.store import trainings as table
from agent.store.database import Store
from agent.store.facts import FactType
from agent.store.trainings import Training


@dataclass(frozen=True, slots=True)
class Reinstated:
    """Ids of classes."""

    on_hold: tuple[str, ...] = ()
    """On hold again."""
    unknown: tuple[str, ...] = ()
    """Told by the log and not in the database: on hold once the class is imported again."""


def trainings(store: Store) -> list[Training]:
    """Every class with what is known of its end and of its holds."""
    told = told_holds(store)
    return [
        replace(training, on_hold=training.on_hold or training.class_id in told)
        for training in table.trainings(store)
    ]


def reinstate(store: Store) -> Reinstated:
    """Put the holds that only the log tells back into the table, where they can be seen and released. In the
    caller's transaction."""
    on_hold: list[str] = []
    unknown: list[str] = []
    for class_id, placed_us in told_holds(store).items():
        if store.row("SELECT 1 FROM class WHERE id = ?", (class_id,)) is None:
            unknown.append(class_id)
        elif holds.reinstate_hold(store, class_id, placed_us):
            on_hold.append(class_id)
    return Reinstated(tuple(on_hold), tuple(unknown))


def told_holds(store: Store) -> dict[str, int]:
    """Class → when the hold was placed, of those that the log tells and the table never knew."""
    found: dict[str, int] = {}
    kinds = (FactType.HOLD_PLACED, FactType.HOLD_RELEASED)
    told = sorted(
        (record for kind in kinds for record in records.of_type(store, kind)),
        key=lambda record: record.sequence,
    )
    for record in told:
        if record.fact_id is not None and record.type == FactType.HOLD_PLACED:
            continue  # this database made its row with it
        try:
            class_id = read_record(record.jws, None).event.data.class_id
        except RecordError:
            continue  # an altered record names nothing; `verify` names it
        if class_id is None:
            continue
        if record.type == FactType.HOLD_RELEASED:
            found.pop(class_id, None)
        elif not holds.is_known(store, class_id, record.time_us):
            found[class_id] = record.time_us
    return found

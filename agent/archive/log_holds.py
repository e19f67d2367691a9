"""Legal holds that only the record log still tells: their rows went with a database that was lost (R8).

A snapshot is up to a day old, an image of the card months, a new database knows nothing. The log comes back
from its copies, signed; so a hold that it tells and the table does not know holds until HR staff release it.
"""

from __future__ import annotations

from dataclasses import replace

from agent.evidence.record import RecordError, read_record
from agent.log import get_logger
from agent.store import holds, records
from agent.store import retention as table
from agent.store.database import Store
from agent.store.facts import FactType
from agent.store.retention import Training

log = get_logger(__name__)


def trainings(store: Store) -> list[Training]:
    """Every class with what is known of its end and of its holds."""
    of_log = _of_log(store)
    return [
        replace(training, on_hold=training.on_hold or training.class_id in of_log)
        for training in table.trainings(store)
    ]


def reinstate(store: Store) -> None:
    """Put the holds that only the log tells back into the table, where they can be seen and released."""
    if not _of_log(store):
        return  # asked each hour: without the write lock
    with store.transaction():
        for class_id, placed_us in _of_log(store).items():
            if holds.reinstate_hold(store, class_id, placed_us):
                log.warning("retention.hold-reinstated", class_id=class_id)


def _of_log(store: Store) -> dict[str, int]:
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

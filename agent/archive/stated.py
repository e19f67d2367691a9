"""What the record log says of one segment's bytes, oldest statement first.

After a database was lost its index is rebuilt from the files, and each segment is stated again with the
bytes that lie there then. Whoever alters a file and deletes the database makes a statement of the altered
bytes; the first statement is the one that counts.
"""

from __future__ import annotations

from collections.abc import Callable

from agent.evidence import jws
from agent.evidence.record import RecordError, read_record
from agent.store import records
from agent.store.database import Store
from agent.store.facts import FactType


def stated_hashes(store: Store, run: str, sequence: int, beat: Callable[[], None]) -> list[bytes]:
    """SHA-256 of the segment in each of its records, in order; [] while none is signed. Reads every segment's
    record, which takes seconds after years; `beat` is told of each."""
    found: list[bytes] = []
    for record in records.of_type_read(store, FactType.SEGMENT_CLOSED):
        beat()
        try:
            if run.encode() not in jws.parse(record.jws).payload:
                continue
            fact = read_record(record.jws, None).event.data.fact
            if (fact["run"], fact["sequence"]) == (run, sequence):
                found.append(bytes.fromhex(str(fact["sha256"])))
        except (jws.JwsError, RecordError, KeyError, ValueError):
            continue  # an altered record states nothing; `verify` names it
    return found

"""The ledger takes its log back from the copies when the database lost it, before it signs anything.

A log that began at 1 again under the same key would be a fork. So the longest good chain in the copies is
taken back (agent/evidence/log_chain.py), the very bytes that were signed.

What no copy had yet (the last second, or more where the copies had been away) may have been sent before it
was lost. The numbers are then given twice, and the receiver says `fork` for each of them; `log.restored` says
so beforehand, and how much of it is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from agent.board import read_json, sync_folder, write_json
from agent.errors import BilingualError
from agent.evidence import later_changes
from agent.evidence.log_chain import Chain, Tick, records_of
from agent.evidence.record import Record
from agent.log import get_logger
from agent.store import outbox, records
from agent.store.database import Store

MARKER = "log-restoring.json"
"""In the ledger's folder from before the first record is taken back until all are: a log that was taken back
in part looks like any other."""
BATCH = 500

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Restored:
    """What was taken back; the data of `log.restored`."""

    copies: tuple[str, ...]
    first: int
    last: int
    sha256: str
    known_through: int
    unreadable: tuple[str, ...]

    def as_fact(self) -> dict[str, object]:
        return {
            "copies": list(self.copies),
            "first": self.first,
            "last": self.last,
            "sha256": self.sha256,
            "known_through": self.known_through,
            "unreadable": list(self.unreadable),
        }


@dataclass(frozen=True, slots=True)
class Begun:
    """A taking back that was begun and not finished: its first record, its last one, and from where."""

    first: int
    last: int
    copies: tuple[str, ...]


class CopyChangedError(BilingualError):
    """A copy is not what it was when its chain was judged; the next attempt begins anew."""


def take_back(store: Store, folder: Path, chain: Chain, first: int, tick: Tick) -> None:
    """Bring the records of `chain` that the database lacks into it, in batches; may be killed at any instant
    and called again. `folder` is the ledger's own, for the marker, which names `first` and the last.

    CopyChangedError when a copy is not what it was when the chain was judged; sqlite3.Error, OSError.
    """
    head = records.head(store)
    names = list(dict.fromkeys(span.copy.name for span in chain.spans))
    write_json(folder / MARKER, {"first": first, "last": chain.last, "copies": names}, durable=True)
    batch: list[records.StoredRecord] = []
    previous = head.sha256
    for record in records_of(chain, head.sequence + 1):
        if record.event.previous != previous:
            raise _changed(record.sequence)
        previous = record.sha256
        batch.append(_stored(record))
        if len(batch) == BATCH:
            _append(store, batch)
            tick(record.sequence, chain.last)
            batch = []
    _append(store, batch)
    if records.head(store).sha256 != chain.sha256:
        raise _changed(chain.last)


def known_through(store: Store) -> int:
    """The highest record number that receipts speak of: that record once existed. 0 without any."""
    return store.number(
        "SELECT max((SELECT coalesce(max(receipted_through), 0) FROM destination),"
        " (SELECT coalesce(max(sequence), 0) FROM receipt_ahead),"
        " (SELECT coalesce(max(seal_sequence), 0) FROM cosignature))"
    )


def finish(store: Store, folder: Path, last: int) -> None:
    """After `log.restored` is signed: no receipt counts for a record beyond `last`, whose number is now given
    again; what the log knows of later than the database is done again; and the marker goes."""
    with store.transaction():
        outbox.forget_beyond(store, last)
        changes = later_changes.apply(store)
    if changes != later_changes.LaterChanges():
        log.error("ledger.later-changes", **asdict(changes))
    (folder / MARKER).unlink(missing_ok=True)
    sync_folder(folder)


def begun(folder: Path) -> Begun | None:
    """What the marker says; None without one. OSError, ValueError when it cannot be read."""
    content = read_json(folder / MARKER)
    if content is None:
        return None
    return Begun(int(content["first"]), int(content["last"]), tuple(content["copies"]))


def _changed(sequence: int) -> CopyChangedError:
    return CopyChangedError(
        f"读取时日志副本有变化（第 {sequence} 条），将重新开始",
        f"a copy of the log changed while it was read (record {sequence}); begins anew",
    )


def _append(store: Store, batch: Sequence[records.StoredRecord]) -> None:
    if batch:
        with store.transaction():
            records.append(store, batch)


def _stored(record: Record) -> records.StoredRecord:
    time_us = round(datetime.fromisoformat(record.event.time).timestamp() * 1_000_000)
    return records.StoredRecord(
        record.sequence,
        None,
        record.event.id,
        record.kind,
        time_us,
        bytes.fromhex(record.sha256),
        record.jws,
    )

"""The ledger takes its log back from the copies when the database lost it, before it signs anything.

A log that began at 1 again under the same key would be a fork. So the longest chain in the copies is sought
that is good from its first record on, under the keys that the ledger's own folder knows and of this node;
where one copy is broken another may go on, if it joins. What is taken back are the very bytes that were
signed.

What no copy had yet (the last second, or more where the copies had been away) may have been sent before it
was lost. The numbers are then given twice, and the receiver says `fork` for each of them; `log.restored` says
so beforehand, and how much of it is known.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from agent.board import read_json, sync_folder, write_json
from agent.errors import BilingualError
from agent.evidence import jws, later_changes
from agent.evidence.log_files import last_sequence, read_lines
from agent.evidence.record import Record, RecordError, read_record
from agent.evidence.verifier import ChainVerifier
from agent.log import get_logger
from agent.store import outbox, records
from agent.store.database import Store

MARKER = "log-restoring.json"
"""In the ledger's folder from before the first record is taken back until all are: a log that was taken back
in part looks like any other."""
BATCH = 500
TICK_RECORDS = 200
ANSWER_S = 20.0
"""A copy whose folder does not answer for so long is passed over: a dead network folder hangs for ever."""

log = get_logger(__name__)

Tick = Callable[[int, int], None]
"""Told every few hundred records how many are done of how many: the watchdog waits meanwhile."""


@dataclass(frozen=True, slots=True)
class LogCopy:
    """A copy by its name in the settings, and its log folder."""

    name: str
    folder: Path


@dataclass(frozen=True, slots=True)
class Span:
    """Records `first`..`last` as they lie in one copy."""

    copy: LogCopy
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Chain:
    """A good chain from record 1 on; `last` 0 when there is none."""

    spans: tuple[Span, ...]
    last: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Answers:
    """What the copies say of themselves."""

    claimed: Mapping[LogCopy, int]
    """The last sequence that each claims; 0 for an empty one."""
    silent: tuple[LogCopy, ...]
    """Those that did not answer in time, or with an error."""


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


def ask(copies: Iterable[LogCopy], seconds: float = ANSWER_S) -> Answers:
    """How far each copy says that it goes. Each is asked in a thread of its own: one that hangs is passed
    over."""
    answers: dict[LogCopy, int] = {}

    def look(copy: LogCopy) -> None:
        try:
            answers[copy] = last_sequence(copy.folder)
        except OSError as error:
            log.warning("log_copy.unreadable", copy=copy.name, error=error.strerror)

    asked = list(copies)
    threads = [threading.Thread(target=look, args=(copy,), daemon=True) for copy in asked]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + seconds  # of them all: three dead folders must not outlast the watchdog
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    claimed = {copy: answers[copy] for copy in asked if copy in answers}
    return Answers(claimed, tuple(copy for copy in asked if copy not in claimed))


def longest_chain(
    claimed: Mapping[LogCopy, int], keys: jws.PublicKeys, source: str, tick: Tick
) -> tuple[Chain, tuple[str, ...]]:
    """The longest chain that is good from record 1 on, and the names of copies not good to their end."""
    best = Chain((), 0, "")
    broken: list[str] = []
    by_length = sorted(claimed, key=lambda copy: claimed[copy], reverse=True)
    for copy in by_length:
        if claimed[copy] <= best.last:
            break
        others = [other for other in by_length if other is not copy]
        chain = _walk([copy, *others], keys, source, partial(_tell, tick, claimed[copy]))
        if chain.last < claimed[copy] or len(chain.spans) > 1:
            broken.append(copy.name)
        if chain.last > best.last:
            best = chain
    return best, tuple(broken)


def _tell(tick: Tick, of: int, done: int) -> None:
    tick(done, of)


def _walk(copies: Sequence[LogCopy], keys: jws.PublicKeys, source: str, tick: Callable[[int], None]) -> Chain:
    """From record 1 along the first copy; where it breaks, on in whichever other one joins."""
    verifier = ChainVerifier(keys)
    verifier.source = source
    spans: list[Span] = []
    for copy in _round(copies, lambda: verifier.last):
        first = verifier.last + 1
        try:
            for line in read_lines(copy.folder, first):
                verifier.take(line)
                if verifier.last % TICK_RECORDS == 0:
                    tick(verifier.last)
        except (RecordError, OSError) as error:
            log.warning("log_copy.broken", copy=copy.name, sequence=verifier.last + 1, problem=str(error))
        if verifier.last >= first:
            spans.append(Span(copy, first, verifier.last))
    return Chain(tuple(spans), verifier.last, verifier.head)


def _round(copies: Sequence[LogCopy], last: Callable[[], int]) -> Iterator[LogCopy]:
    """The first copy, then the others for as long as one of them still brings the chain further."""
    yield copies[0]
    moved = True
    while moved and len(copies) > 1:
        before = last()
        if before:
            yield from copies[1:]
        if last() > before:
            yield copies[0]
        moved = last() > before


def goes_on(copy: LogCopy, head: records.Head, keys: jws.PublicKeys) -> bool:
    """Whether a copy has the record that follows `head`, under one of `keys`. OSError."""
    line = next(read_lines(copy.folder, head.sequence + 1), b"")
    try:
        record = read_record(line, keys)
    except RecordError:
        return False
    return record.sequence == head.sequence + 1 and record.event.previous == head.sha256


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
    for record in _records_of(chain, head.sequence + 1):
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


def sha256_at(chain: Chain, sequence: int) -> str:
    """SHA-256 (hex) of one record of `chain`, as it lies in its copy; '' when it is not there."""
    for span in chain.spans:
        if span.first <= sequence <= span.last:
            return jws.sha256_hex(next(read_lines(span.copy.folder, sequence), b""))
    return ""


def known_through(store: Store) -> int:
    """The highest record number that receipts speak of: that record once existed. 0 without any."""
    row = store.row(
        "SELECT max((SELECT coalesce(max(receipted_through), 0) FROM destination),"
        " (SELECT coalesce(max(sequence), 0) FROM receipt_ahead),"
        " (SELECT coalesce(max(seal_sequence), 0) FROM cosignature)) AS known"
    )
    assert row is not None  # noqa: S101 (aggregates always give a row)
    return int(row["known"])


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


def _records_of(chain: Chain, first: int) -> Iterator[Record]:
    for span in chain.spans:
        start = max(span.first, first)
        for number, line in enumerate(read_lines(span.copy.folder, start), start):
            if number > span.last:
                break
            yield read_record(line, None)


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

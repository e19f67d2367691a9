"""Copies of the record log, asked and judged: how far each goes, and the longest good chain through them.

The longest chain is sought that is good from its first record on, under the keys that the ledger's own folder
knows and of this node; where one copy is broken another may go on, if it joins.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from agent.evidence import jws
from agent.evidence.log_files import last_sequence, read_lines
from agent.evidence.record import Record, RecordError, read_record
from agent.evidence.verifier import ChainVerifier
from agent.log import get_logger
from agent.store import records

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


def sha256_at(chain: Chain, sequence: int) -> str:
    """SHA-256 (hex) of one record of `chain`, as it lies in its copy; '' when it is not there."""
    for span in chain.spans:
        if span.first <= sequence <= span.last:
            return jws.sha256_hex(next(read_lines(span.copy.folder, sequence), b""))
    return ""


def records_of(chain: Chain, first: int) -> Iterator[Record]:
    """The records of `chain` from `first` on, as they lie in its copies. RecordError, OSError."""
    for span in chain.spans:
        start = max(span.first, first)
        for number, line in enumerate(read_lines(span.copy.folder, start), start):
            if number > span.last:
                break
            yield read_record(line, None)

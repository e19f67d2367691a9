"""Judging a log of records offline: chain, sequence, signatures, seals; the first bad record is named.

Pure: no database, no clock, no network. The device, the receiver and an inspector's computer judge by the
same lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from agent.evidence import jws
from agent.evidence.merkle import MerkleTree
from agent.evidence.record import FIRST_PREVIOUS, LedgerType, Record, RecordError, read_record

Code = Literal[
    "format", "signature", "unknown-key", "sequence", "chain", "seal", "source", "truncated", "file"
]
"""What can be wrong with a record; `protocol/protocol.md` P17 describes each."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The first bad record. `sequence` is the place in the chain where it stands, or should stand."""

    sequence: int
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found up to the end, or up to the first bad record."""

    last: int
    """Sequence of the last good record, 0 without one; a log starts at 1, so also their number."""
    head_sha256: str
    seals: int
    unsealed: int
    """Good records after the last seal: held by the chain, not yet by a seal."""
    simulated: int
    damaged_notes: int
    """Records `log.damaged` in which the ledger itself says that its log was found altered."""
    failure: Failure | None

    @property
    def good(self) -> bool:
        return self.failure is None


class ChainVerifier:
    """Takes records one by one, in order; RecordError names what is wrong with one."""

    def __init__(self, keys: jws.PublicKeys, *, first: int = 1, previous: str = FIRST_PREVIOUS) -> None:
        """Start before record `first`, which must be 1 or a seal: a seal that opens the log is taken without
        its tree, because what it sealed is not here."""
        self._keys = keys
        self._tree = MerkleTree()
        self._tree_first = first
        self._opens = first > 1
        self.source: str | None = None
        self.last = first - 1
        self.head = previous
        self.seals = 0
        self.simulated = 0
        self.damaged_notes = 0

    @property
    def unsealed(self) -> int:
        """Records since (and with) the last seal record itself, less that one."""
        return self._tree.count - (1 if self.seals else 0)

    def take(self, content: bytes) -> Record:
        """Judge the next record. RecordError; the verifier must not be used after one."""
        record = read_record(content, self._keys)
        self._check_place(record)
        if record.kind == LedgerType.SEALED:
            if not self._opens:
                check_seal(record, self._tree_first, self._tree)
            self._tree, self._tree_first = MerkleTree(), record.sequence
            self.seals += 1
        self._opens = False
        self._tree.append(content)
        self.source, self.last, self.head = record.event.source, record.sequence, record.sha256
        self.simulated += record.event.data.simulated
        self.damaged_notes += record.kind == LedgerType.DAMAGED
        return record

    def verdict(self, failure: Failure | None) -> Verdict:
        """What was found so far."""
        return Verdict(
            last=self.last,
            head_sha256=self.head,
            seals=self.seals,
            unsealed=self.unsealed,
            simulated=self.simulated,
            damaged_notes=self.damaged_notes,
            failure=failure,
        )

    def _check_place(self, record: Record) -> None:
        if self.source is not None and record.event.source != self.source:
            raise RecordError("source", f"comes from {record.event.source}, the log is of {self.source}")
        if record.sequence != self.last + 1:
            raise RecordError("sequence", f"record {record.sequence} stands where {self.last + 1} is due")
        if record.event.previous != self.head:
            raise RecordError("chain", "does not name the hash of the record before it")


def check_seal(record: Record, first: int, tree: MerkleTree) -> None:
    """Hold a `log.sealed` record against the tree over records `first`..(its sequence - 1).

    RecordError `seal` names the field that differs.
    """
    due = {
        "first": first,
        "last": record.sequence - 1,
        "count": tree.count,
        "merkle_root": tree.root().hex(),
    }
    for name, value in due.items():
        if record.event.data.fact.get(name) != value:
            raise RecordError("seal", f"{name} differs from what the records give")


def verify_chain(
    records: Iterable[bytes],
    keys: jws.PublicKeys,
    *,
    known: Mapping[int, str] | None = None,
    examine: Callable[[Record], None] | None = None,
) -> Verdict:
    """Judge a whole log from its first record on.

    `known` are hashes that others hold (sequence → sha256 hex), as from receipts: without any, records cut
    off at the end cannot be missed (code `truncated`). `examine` may refuse a record by a RecordError of its
    own, as when a file that it names was altered.
    """
    verifier = ChainVerifier(keys)
    due = dict(known or {})
    for content in records:
        place = verifier.last + 1
        try:
            record = verifier.take(content)
            if due.pop(place, record.sha256) != record.sha256:
                raise RecordError("chain", "is not the record that was receipted under this sequence")
            if examine is not None:
                examine(record)
        except RecordError as error:
            return verifier.verdict(Failure(place, error.code, error.detail))
    if due:
        detail = f"the log ends at {verifier.last}, but record {max(due)} is known to exist"
        return verifier.verdict(Failure(verifier.last + 1, "truncated", detail))
    return verifier.verdict(None)

"""Acting on receipts (I5): only under the receiver's key, only for this node, only for these very records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.evidence import jws
from agent.evidence.receipt import WITHDRAWN, Range, Receipt, ReceiptError, range_digest, read_receipt
from agent.evidence.record import LedgerType, RecordError, read_record
from agent.log import get_logger
from agent.store import outbox
from agent.store.database import Store

log = get_logger(__name__)


@dataclass
class Taken:
    """What a batch of receipts brought."""

    ranges: list[tuple[int, int]] = field(default_factory=list)
    """Inclusive ranges of this log's records that the receiver has stored."""
    receipted_through: int = 0
    ignored: int = 0
    """Receipts without effect: another's signature, another node's, no receipt at all. Not logged here, since
    anybody on the broker may send them without end."""
    ignored_why: str = ""
    """What was wrong with the last of them."""
    verdicts: int = 0
    """Records newly judged bad. Not logged here: an unregistered node has one for each of its records."""
    verdict_sequence: int = 0
    verdict_code: str = ""
    """The last of them."""
    refused: int = 0
    """Parts of well-signed receipts that cannot be true of this log: records that were never made, or other
    bytes under their numbers."""


def take_receipts(
    store: Store,
    destination: str,
    source: str,
    keys: jws.PublicKeys,
    payloads: Sequence[bytes],
    received_us: int,
) -> Taken:
    """Take `payloads`, each as it came, in one transaction; never raises for what one holds (I12).

    Each part of a receipt stands for itself: after a fork the receiver may well hold records that are not
    this log's, and what it says of ours still counts.
    """
    taken = Taken()
    good: list[tuple[bytes, Receipt]] = []
    for payload in payloads:
        try:
            good.append((payload, read_receipt(payload, keys, source)))
        except ReceiptError as error:
            taken.ignored += 1
            taken.ignored_why = str(error)
    with store.transaction():
        head = outbox.head_sequence(store)
        for payload, receipt in good:
            _take_ranges(store, destination, receipt.received, head, taken)
            _take_verdicts(store, destination, receipt, received_us, taken)
            _take_seals(store, destination, payload, receipt, received_us, taken)
        if taken.ranges:
            taken.receipted_through = outbox.receive(store, destination, taken.ranges, received_us)
        else:
            taken.receipted_through = outbox.cursor(store, destination).receipted_through
    return taken


def _take_ranges(store: Store, destination: str, ranges: Sequence[Range], head: int, taken: Taken) -> None:
    for part in ranges:
        if part.last > head:
            _refuse(taken, destination, f"receipts {part.first}..{part.last}, the log ends at {head}")
        elif range_digest(outbox.hashes(store, part.first, part.last)) != part.digest:
            _refuse(taken, destination, f"receipts other records {part.first}..{part.last} than this log's")
        else:
            taken.ranges.append((part.first, part.last))


def _take_verdicts(store: Store, destination: str, receipt: Receipt, received_us: int, taken: Taken) -> None:
    for verdict in receipt.verdicts:
        record = outbox.record_at(store, verdict.sequence)
        if record is None or record.sha256.hex() != verdict.sha256:
            _refuse(taken, destination, f"judges a record {verdict.sequence} that is not this log's")
            continue
        if verdict.code == WITHDRAWN:
            outbox.withdraw_verdict(store, destination, verdict.sequence, verdict.detail)
            continue
        known = (verdict.sequence, verdict.code, verdict.detail)
        if outbox.add_verdict(store, destination, *known, received_us):
            taken.verdicts += 1
            taken.verdict_sequence, taken.verdict_code = verdict.sequence, verdict.code


def _take_seals(
    store: Store, destination: str, payload: bytes, receipt: Receipt, received_us: int, taken: Taken
) -> None:
    for seal in receipt.seals:
        record = outbox.record_at(store, seal.sequence)
        ours = record is not None and record.sha256.hex() == seal.sha256
        if record is None or not ours or _merkle_root(record) != seal.merkle_root:
            _refuse(taken, destination, f"cosigns a seal {seal.sequence} that is not this log's")
            continue
        outbox.add_cosignature(store, destination, seal.sequence, payload, received_us)


def _merkle_root(record: outbox.Outgoing) -> str | None:
    if record.kind != LedgerType.SEALED:
        return None
    try:
        root = read_record(record.jws, None).event.data.fact.get("merkle_root")
    except RecordError:
        return None  # altered on the disk; the ledger says so
    return root if isinstance(root, str) else None


def _refuse(taken: Taken, destination: str, problem: str) -> None:
    taken.refused += 1
    log.error("receipt.refused", destination=destination, problem=problem)

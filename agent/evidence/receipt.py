"""A receipt: the receiver's signed word on what it has stored, what it thinks of it, and which seals it
cosigns (I5; protocol/protocol.md P20 to P27).

Pure, used by both sides. Only this ends a record's stay in a node's outbox; the broker's PUBACK does not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from agent.evidence import jws
from agent.evidence.keys import SigningKey

RECEIPT_TYP: Final = "application/classroom-receipt+json"
WITHDRAWN: Final = "withdrawn"
"""Verdict code: the verdict that `detail` names no longer stands."""
MAX_RANGES: Final = 1000
MAX_VERDICTS: Final = 300
MAX_RECEIPT_BYTES: Final = 262_144
"""Of the signed receipt; a node drops a larger one unread (P38)."""

Sequence_ = Annotated[int, Field(ge=1, lt=10**12)]
Sha256Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class ReceiptError(Exception):
    """Bytes that are no acceptable receipt; `code` is `format`, `unknown-key` or `signature`."""

    def __init__(self, code: str, detail: str) -> None:
        self.code = code
        self.detail = detail
        super().__init__(f"{code}: {detail}")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Range(_Part):
    """Records `first`..`last`, all durably stored. `digest` (see `range_digest`) names their very bytes, so
    that a receipt for other records of the same numbers confirms nothing."""

    first: Sequence_
    last: Sequence_
    digest: Sha256Hex

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last < self.first:
            raise ValueError("last is before first")
        return self


class ReceiptVerdict(_Part):
    """A stored record that was judged bad. Codes: protocol.md P17."""

    sequence: Sequence_
    sha256: Sha256Hex
    code: Annotated[str, StringConstraints(pattern=r"^[a-z-]{1,32}$")]
    detail: Annotated[str, StringConstraints(max_length=300)]


class Cosignature(_Part):
    """A seal whose tree the receiver computed itself from the records that it holds."""

    sequence: Sequence_
    sha256: Sha256Hex
    merkle_root: Sha256Hex


class Receipt(_Part):
    """The payload of a receipt."""

    source: Annotated[str, StringConstraints(max_length=200)]
    time: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z$")]
    received: Annotated[tuple[Range, ...], Field(max_length=MAX_RANGES)]
    verdicts: Annotated[tuple[ReceiptVerdict, ...], Field(max_length=MAX_VERDICTS)] = ()
    seals: Annotated[tuple[Cosignature, ...], Field(max_length=MAX_VERDICTS)] = ()


@dataclass(frozen=True, slots=True)
class Received:
    """One stored record, as ranges are made of. `previous` is what it names as the one before it."""

    sequence: int
    sha256: bytes
    previous: bytes | None


def range_digest(hashes: Iterable[bytes]) -> str:
    """SHA-256 (hex) over the concatenated 32-byte SHA-256 hashes of the records, in order of sequence."""
    digest = hashlib.sha256()
    for value in hashes:
        digest.update(value)
    return digest.hexdigest()


def ranges_of(received: Iterable[Received]) -> tuple[Range, ...]:
    """Fold stored records, in any order, into ranges along the chain.

    A range follows `previous`, not the numbers: after a fork (two records of one sequence) a digest over a
    mixture would be true of neither log.
    """
    runs: list[list[Received]] = []
    by_tail: dict[tuple[int, bytes], list[Received]] = {}
    for item in sorted(received, key=lambda item: item.sequence):
        run = by_tail.pop((item.sequence - 1, item.previous or b""), None)
        if run is None:
            run = []
            runs.append(run)
        run.append(item)
        by_tail[item.sequence, item.sha256] = run
    return tuple(
        Range(first=run[0].sequence, last=run[-1].sequence, digest=range_digest(item.sha256 for item in run))
        for run in runs
    )


def sign_receipt(key: SigningKey, receipt: Receipt) -> bytes:
    """The compact JWS of a receipt. ReceiptError `format` when it is larger than a node takes."""
    content = receipt.model_dump_json().encode()
    if len(content) > MAX_RECEIPT_BYTES:  # said before the signature, which would refuse far larger ones
        raise ReceiptError("format", f"the payload has {len(content)} bytes: say it in more receipts")
    signed = key.sign(content, RECEIPT_TYP)
    if len(signed) > MAX_RECEIPT_BYTES:
        raise ReceiptError(
            "format", f"{len(signed)} bytes, at most {MAX_RECEIPT_BYTES}: say it in more receipts"
        )
    return signed


def read_receipt(content: bytes, keys: jws.PublicKeys, source: str) -> Receipt:
    """Read a receipt that is meant for `source` and signed by one of the receiver's `keys`. ReceiptError."""
    try:
        taken = jws.verify(content, keys, RECEIPT_TYP)
        receipt = Receipt.model_validate_json(taken.payload)
    except jws.JwsError as error:
        raise ReceiptError(error.code, error.detail) from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "receipt"
        raise ReceiptError("format", f"{where}: {first['msg']}"[:200]) from error
    if receipt.source != source:
        raise ReceiptError("format", f"the receipt is for {receipt.source[:120]!r}, this is {source!r}")
    return receipt

"""Making a record: a statement gets its place in the chain and the node's signature."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from agent.clock import Stamp, rfc3339
from agent.evidence import jws
from agent.evidence.keys import SigningKey
from agent.evidence.record import (
    RECORD_TYP,
    SCHEMA_PREFIX,
    SEQUENCE_DIGITS,
    TYPE_PREFIX,
    NodeIdentity,
    check_payload,
)


@dataclass(frozen=True, slots=True)
class Statement:
    """What a new record says, before it has its place in the chain."""

    kind: str
    subject: str
    stamp: Stamp
    simulated: bool
    fact: Mapping[str, Any]
    class_id: str | None = None
    session_id: str | None = None


@dataclass(frozen=True, slots=True)
class SignedRecord:
    """A new record, ready to be stored."""

    sequence: int
    id: str
    kind: str
    time_us: int
    sha256: str
    jws: bytes


def sign_record(
    key: SigningKey, node: NodeIdentity, sequence: int, previous: str, statement: Statement
) -> SignedRecord:
    """Sign `statement` as record `sequence` (≥ 1) that follows the record with SHA-256 `previous`.

    RecordError (`format`) when no reader would accept it: what is signed can be read, for ever.
    """
    stamp = statement.stamp
    identifier = str(uuid4())
    event = {
        "specversion": "1.0",
        "id": identifier,
        "source": node.source,
        "type": TYPE_PREFIX + statement.kind,
        "time": rfc3339(stamp.wall_us),
        "subject": statement.subject,
        "sequence": f"{sequence:0{SEQUENCE_DIGITS}d}",
        "previous": previous,
        "datacontenttype": "application/json",
        "dataschema": SCHEMA_PREFIX + statement.kind,
        "data": {
            "node": {"institution": node.institution, "room": node.room, "node": node.node},
            "class": statement.class_id,
            "session": statement.session_id,
            "simulated": statement.simulated,
            "clock": {
                "state": stamp.clock_state,
                "monotonic_ns": stamp.monotonic_ns,
                "boot": stamp.boot_id,
            },
            "fact": dict(statement.fact),
        },
    }
    payload = json.dumps(event, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    check_payload(payload)
    signed = key.sign(payload, RECORD_TYP)
    return SignedRecord(sequence, identifier, statement.kind, stamp.wall_us, jws.sha256_hex(signed), signed)

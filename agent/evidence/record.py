"""A record: a CloudEvents 1.0 event in JSON, whole as the payload of a compact JWS.

What is signed is what is stored and sent, byte for byte; nothing is canonicalised, nothing is re-encoded.
This module is pure: the receiver reads records by it (protocol/protocol.md, P10 to P19).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from agent.evidence import jws

RECORD_TYP: Final = "application/cloudevents+json"
TYPE_PREFIX: Final = "cn.henan.classroom."
SCHEMA_PREFIX: Final = "urn:classroom-agent:schema:1:"
FIRST_PREVIOUS: Final = "0" * 64
"""`previous` of the first record."""
SEQUENCE_DIGITS: Final = 12
"""Zero-padded, so that text order is number order (CloudEvents `sequence` extension)."""


class LedgerType(StrEnum):
    """Records that the ledger makes of itself; all others carry a fact."""

    STARTED = "log.started"
    SEALED = "log.sealed"
    KEY_CHANGED = "log.key-changed"
    DAMAGED = "log.damaged"
    FACT_REFUSED = "log.fact-refused"
    RESTORED = "log.restored"


class RecordError(Exception):
    """Bytes that are no acceptable record; `code` as in the protocol's list of verdicts."""

    def __init__(self, code: str, detail: str) -> None:
        self.code = code
        self.detail = detail
        super().__init__(f"{code}: {detail}")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")]
ShortText = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class NodePart(_Part):
    institution: Name
    room: Name
    node: Name


class ClockPart(_Part):
    """How far the stamp can be trusted (I8)."""

    state: Literal["synchronised", "unsynchronised"]
    monotonic_ns: Annotated[int, Field(ge=0, lt=2**63)]
    boot: Annotated[str, StringConstraints(max_length=64)]


class Data(_Part):
    """`data` of every record. `fact` is described per type by protocol/schemas."""

    node: NodePart
    class_id: Annotated[Name | None, Field(alias="class")]
    session: Annotated[str, StringConstraints(max_length=64)] | None
    simulated: bool
    clock: ClockPart
    fact: dict[str, Any]


class Event(_Part):
    """The CloudEvents attributes of a record, in the order in which they are written."""

    specversion: Literal["1.0"]
    id: Annotated[
        str, StringConstraints(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")
    ]
    source: Annotated[
        str, StringConstraints(pattern=r"^urn:classroom-agent(:[A-Za-z0-9][A-Za-z0-9_-]{0,31}){3}$")
    ]
    type: Annotated[str, StringConstraints(pattern=r"^cn\.henan\.classroom\.[a-z0-9.-]{1,80}$")]
    time: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z$")]
    subject: ShortText
    sequence: Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")]
    previous: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    datacontenttype: Literal["application/json"]
    dataschema: Annotated[str, StringConstraints(pattern=r"^urn:classroom-agent:schema:1:[a-z0-9.-]{1,80}$")]
    data: Data


@dataclass(frozen=True, slots=True)
class Record:
    """A record as read. `verified` says whether its signature was held against a trusted key."""

    jws: bytes
    sha256: str
    kid: str
    event: Event
    verified: bool

    @property
    def sequence(self) -> int:
        return int(self.event.sequence)

    @property
    def kind(self) -> str:
        """The type without the prefix: a value of FactType or LedgerType."""
        return self.event.type.removeprefix(TYPE_PREFIX)


@dataclass(frozen=True, slots=True)
class NodeIdentity:
    """Who speaks: part of every record."""

    institution: str
    room: str
    node: str

    @property
    def source(self) -> str:
        """URN of the node, CloudEvents `source` (equal to `Settings.source`)."""
        return f"urn:classroom-agent:{self.institution}:{self.room}:{self.node}"


def read_record(content: bytes, keys: jws.PublicKeys | None) -> Record:
    """Read one record; with `keys`, verify its signature too.

    RecordError with code `format`, `unknown-key` or `signature`; the signature is judged before the content.
    """
    try:
        taken = jws.parse(content)
        if taken.typ != RECORD_TYP:
            raise jws.JwsError("format", f"typ is {taken.typ[:80]!r}, expected {RECORD_TYP!r}")
        if keys is not None:
            jws.check_signature(taken, keys, RECORD_TYP)
    except jws.JwsError as error:
        raise RecordError(error.code, error.detail) from error
    event = check_payload(taken.payload)
    return Record(content, jws.sha256_hex(content), taken.kid, event, keys is not None)


def check_payload(payload: bytes) -> Event:
    """The event in a payload. RecordError (`format`) names the attribute that is wrong."""
    try:
        event = Event.model_validate_json(payload)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "event"
        raise RecordError("format", f"{where}: {first['msg']}"[:200]) from error
    _check_consistent(event)
    return event


def _check_consistent(event: Event) -> None:
    node = event.data.node
    if event.source != NodeIdentity(node.institution, node.room, node.node).source:
        raise RecordError("format", "source and data.node name different nodes")
    if event.dataschema.removeprefix(SCHEMA_PREFIX) != event.type.removeprefix(TYPE_PREFIX):
        raise RecordError("format", "dataschema and type name different kinds")
    if int(event.sequence) < 1:
        raise RecordError("format", "sequence starts at 1")

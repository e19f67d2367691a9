"""What must be known of a message before it can be stored: whose it is and which number it bears.

Deliberately lenient: a record of a newer program, or one that is wrong in any other way, is stored and
receipted all the same and judged afterwards (P20).
"""

from __future__ import annotations

import hashlib
import json
import re
from base64 import urlsafe_b64decode
from binascii import Error as Base64Error
from dataclasses import dataclass

from agent.evidence.topics import Topic

MAX_RECORD_BYTES = 1_048_576
MAX_SEQUENCE = 10**12
_NAME = "[A-Za-z0-9][A-Za-z0-9_-]{0,31}"
_SOURCE = re.compile(f"urn:classroom-agent:(?P<institution>{_NAME}):{_NAME}:(?P<node>{_NAME})")


class EnvelopeError(Exception):
    """The message is no record of the node whose topic it came by; it goes to quarantine."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message as it is stored. Everything but `sha256` is as the message claims."""

    institution: str
    node: str
    source: str
    sequence: int
    sha256: bytes
    previous: bytes | None
    kind: str
    jws: bytes


def open_envelope(topic: Topic, payload: bytes) -> Envelope:
    """Read a message's claims. EnvelopeError says why it cannot be filed as anybody's record."""
    if len(payload) > MAX_RECORD_BYTES:
        raise EnvelopeError(f"{len(payload)} bytes, at most {MAX_RECORD_BYTES} are taken")
    event = _event(payload)
    source, sequence = event.get("source"), event.get("sequence")
    if not isinstance(source, str):
        raise EnvelopeError("no usable source")
    match = _SOURCE.fullmatch(source)
    if match is None or (match["institution"], match["node"]) != (topic.institution, topic.node):
        raise EnvelopeError("source does not belong to the topic's institution and node")
    if not isinstance(sequence, str) or not (sequence.isascii() and sequence.isdigit()) or len(sequence) > 12:
        raise EnvelopeError("no usable sequence")
    if not 1 <= int(sequence) < MAX_SEQUENCE:
        raise EnvelopeError("sequence is out of range")
    kind = event.get("type")
    return Envelope(
        topic.institution,
        topic.node,
        source,
        int(sequence),
        hashlib.sha256(payload).digest(),
        _previous(event.get("previous")),
        kind[:120] if isinstance(kind, str) and kind.isprintable() else "",
        payload,
    )


def _event(payload: bytes) -> dict[str, object]:
    parts = payload.split(b".")
    if len(parts) != 3:
        raise EnvelopeError("no compact JWS")
    try:
        event = json.loads(urlsafe_b64decode(parts[1] + b"=" * (-len(parts[1]) % 4)))
    except (Base64Error, ValueError, RecursionError) as error:
        raise EnvelopeError("the JWS payload is no JSON") from error
    if not isinstance(event, dict):
        raise EnvelopeError("the JWS payload is no JSON object")
    return event


def _previous(claimed: object) -> bytes | None:
    try:
        found = bytes.fromhex(claimed) if isinstance(claimed, str) else b""
    except ValueError:
        return None
    return found if len(found) == 32 else None

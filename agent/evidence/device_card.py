"""The device card: the public facts of a node that HR staff and the province take at commissioning.

A JSON file without secrets, and without HR's public key: together with the salt that would let its reader
try passwords at home. Whoever takes the card compares the key's thumbprint (`kid`) with the one that the
device's own screen shows.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from agent.board import write_atomically
from agent.evidence.record import Name, NodeIdentity
from agent.evidence.topics import node_prefix

_Base64Url = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]


class CardError(Exception):
    """The file is no device card; the message names the field."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SigningJwk(_Part):
    """Public Ed25519 key under which records are believed."""

    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    x: _Base64Url
    kid: _Base64Url
    alg: Literal["Ed25519"]
    use: Literal["sig"]


class AgreementJwk(_Part):
    """Public X25519 key to which configuration is encrypted."""

    kty: Literal["OKP"]
    crv: Literal["X25519"]
    x: _Base64Url
    kid: _Base64Url


class HrDerivation(_Part):
    """How HR's password yields HR's key: Argon2id with this salt and cost (RFC 9106)."""

    salt: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{22}$")]
    """16 bytes, base64url."""
    memory_kib: Annotated[int, Field(ge=1024, le=4_194_304)]
    time_cost: Annotated[int, Field(ge=1, le=100)]
    parallelism: Annotated[int, Field(ge=1, le=16)]


class DeviceCard(_Part):
    """What stands on the card. What is not known yet is null: HR's part until the password is set."""

    version: Literal[1] = 1
    source: Annotated[str, StringConstraints(max_length=200)]
    institution: Name
    room: Name
    node: Name
    topic_prefix: Annotated[str, StringConstraints(max_length=200)]
    signing_keys: Annotated[tuple[SigningJwk, ...], Field(max_length=100)] = ()
    """All keys that ever signed this log, oldest first."""
    agreement_key: AgreementJwk | None = None
    hr: HrDerivation | None = None


def build_device_card(
    node: NodeIdentity,
    *,
    signing_keys: tuple[SigningJwk, ...] = (),
    agreement_key: AgreementJwk | None = None,
    hr: HrDerivation | None = None,
) -> DeviceCard:
    """The card of `node` with the parts that are known."""
    return DeviceCard(
        source=node.source,
        institution=node.institution,
        room=node.room,
        node=node.node,
        topic_prefix=node_prefix(node.institution, node.node),
        signing_keys=signing_keys,
        agreement_key=agreement_key,
        hr=hr,
    )


def read_device_card(path: Path) -> DeviceCard:
    """Read a card. FileNotFoundError; CardError when it is none, or its names contradict one another."""
    return parse_device_card(path.read_bytes(), str(path))


def parse_device_card(content: bytes, path: str) -> DeviceCard:
    """The card in `content`; `path` names it in a CardError."""
    try:
        card = DeviceCard.model_validate_json(content)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc']) or 'card'}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)
        )
        raise CardError(f"{path}: 不是有效的设备卡 / is no device card: {problems}") from error
    node = NodeIdentity(card.institution, card.room, card.node)
    if card.source != node.source or card.topic_prefix != node_prefix(card.institution, card.node):
        raise CardError(f"{path}: 设备卡自相矛盾 / source, names and topic_prefix contradict one another")
    return card


def update_device_card(path: Path, node: NodeIdentity, **parts: Any) -> DeviceCard:
    """Replace the given parts (`signing_keys`, `agreement_key`, `hr`) of the card at `path`, keep the others.

    Ledger, sync and page each know one part; a lock beside the file keeps them from losing each other's. A
    card of another node or a damaged one is begun anew.
    """
    with _locked(path):
        kept: dict[str, Any] = {}
        try:
            card = read_device_card(path)
            if card.source == node.source:
                kept = {name: getattr(card, name) for name in ("signing_keys", "agreement_key", "hr")}
        except (FileNotFoundError, CardError):
            pass  # begun anew: every part has its own truth elsewhere
        made = DeviceCard.model_validate(build_device_card(node, **{**kept, **parts}).model_dump())
        content = made.model_dump_json(indent=2).encode() + b"\n"
        if not path.exists() or path.read_bytes() != content:
            write_atomically(path, content, durable=True, mode=0o644)
    return made


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    import fcntl  # not on Windows, where an officer's computer only reads cards

    # Read-only is enough to lock, and all that a process of another user of the group may do.
    descriptor = os.open(path.with_name(f".{path.name}.lock"), os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)

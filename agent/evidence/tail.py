"""Checking the youngest part of the stored log at the ledger's start: from the last seal to the head.

A check of everything would take minutes after three years; that is `classroom-agent verify`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.evidence import jws
from agent.evidence.record import FIRST_PREVIOUS, LedgerType, RecordError, read_record
from agent.evidence.verifier import ChainVerifier
from agent.store import records
from agent.store.database import Store


@dataclass(frozen=True, slots=True)
class TailDamage:
    """The first altered record since the last seal."""

    sequence: int
    code: str
    detail: str

    def as_fact(self) -> dict[str, object]:
        return {"sequence": self.sequence, "code": self.code, "detail": self.detail}


def check_tail(store: Store, known_jwks: Sequence[Mapping[str, Any]]) -> TailDamage | None:
    """Chain, sequence, hashes and signatures since the last seal, and every announcement of a key, under
    `known_jwks`: the keys that are the ledger's own by its own folder, whatever the log announces.

    None when all is well. This finds what was altered on the disk by somebody without the key; somebody
    with the key is found by the receiver, which holds the earlier bytes.
    """
    keys = jws.public_keys(*known_jwks)
    return _check_chain(store, keys) or _check_announcements(store, keys)


def _check_chain(store: Store, keys: jws.PublicKeys) -> TailDamage | None:
    seal = records.last_of_type(store, LedgerType.SEALED)
    first = 1 if seal is None else seal.sequence
    try:
        previous = FIRST_PREVIOUS if seal is None else read_record(seal.jws, None).event.previous
    except RecordError as error:
        return TailDamage(first, error.code, error.detail)
    verifier = ChainVerifier(keys, first=first, previous=previous)
    for record in records.read(store, first):
        try:
            verifier.take(record.jws)
            if record.sha256.hex() != verifier.head:
                raise RecordError("chain", "the stored hash is not the hash of the stored bytes")
        except RecordError as error:
            return TailDamage(verifier.last + 1, error.code, error.detail)
    return None


def _check_announcements(store: Store, keys: jws.PublicKeys) -> TailDamage | None:
    for record in _announcements(store):
        try:
            _announced(record.jws, keys)
        except RecordError as error:
            return TailDamage(record.sequence, error.code, error.detail)
    return None


def announced_kids(store: Store, known_jwks: Sequence[Mapping[str, Any]]) -> list[str]:
    """Thumbprints of those of `known_jwks` that the log announces, oldest first; each announcement signed by
    one of them."""
    keys = jws.public_keys(*known_jwks)
    found: list[str] = []
    for record in _announcements(store):
        try:
            found.append(_announced(record.jws, keys))
        except RecordError:
            continue  # an altered or planted record announces nothing; check_tail names it
    return found


def _announcements(store: Store) -> list[records.StoredRecord]:
    return records.of_type(store, LedgerType.STARTED) + records.of_type(store, LedgerType.KEY_CHANGED)


def _announced(content: bytes, keys: jws.PublicKeys) -> str:
    key = read_record(content, keys).event.data.fact.get("key")
    kid = key.get("kid") if isinstance(key, dict) else None
    if kid not in keys:
        raise RecordError("unknown-key", f"announces a key that was never the ledger's: {str(kid)[:80]!r}")
    return str(kid)

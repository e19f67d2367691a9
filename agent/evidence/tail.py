"""Checking the youngest part of the stored log at the ledger's start: from the last seal to the head.

A check of everything would take minutes after three years; that is `classroom-agent verify`.
"""

from __future__ import annotations

from collections.abc import Mapping
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


def check_tail(store: Store, own_jwk: Mapping[str, Any]) -> TailDamage | None:
    """Chain, sequence, hashes and signatures since the last seal, under `own_jwk` and the keys that the log
    announces.

    None when all is well. This finds what was altered on the disk by somebody without the key; somebody
    with the key is found by the receiver, which holds the earlier bytes.
    """
    seal = records.last_of_type(store, LedgerType.SEALED)
    first = 1 if seal is None else seal.sequence
    try:
        previous = FIRST_PREVIOUS if seal is None else read_record(seal.jws, None).event.previous
    except RecordError as error:
        return TailDamage(first, error.code, error.detail)
    keys = jws.public_keys(own_jwk, *announced_keys(store))
    verifier = ChainVerifier(keys, first=first, previous=previous)
    for record in records.read(store, first):
        try:
            verifier.take(record.jws)
            if record.sha256.hex() != verifier.head:
                raise RecordError("chain", "the stored hash is not the hash of the stored bytes")
        except RecordError as error:
            return TailDamage(verifier.last + 1, error.code, error.detail)
    return None


def announced_keys(store: Store) -> list[dict[str, str]]:
    """Public JWKs that the log itself names as its own, oldest first; a claim, not a proof."""
    found: list[dict[str, str]] = []
    for kind in (LedgerType.STARTED, LedgerType.KEY_CHANGED):
        for record in records.of_type(store, kind):
            try:
                key = read_record(record.jws, None).event.data.fact["key"]
                jws.import_public(key)
                found.append(dict(key))
            except (RecordError, KeyError, ValueError, TypeError, AttributeError):
                continue  # an altered record announces nothing; check_tail and `verify` name it
    return found

"""Compact JWS (RFC 7515) with one algorithm, Ed25519 (RFC 9864), and nothing optional.

Everything that is signed here (records, receipts) goes through these two functions. The header holds
`alg`, `kid` (RFC 7638 thumbprint) and `typ` and nothing else: no key and no address may travel in it, so a
signature cannot bring its own key along.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

ALGORITHM: Final = "Ed25519"
MAX_PAYLOAD_BYTES: Final = 524_288
"""Larger payloads are refused unread. A fact is at most half of this (store/schema.sql)."""

JwsCode = str
PublicKeys = Mapping[str, OKPKey]
"""Trusted public keys by `kid`."""


class JwsError(Exception):
    """The bytes are no acceptable JWS. `code` is `format`, `unknown-key` or `signature`."""

    def __init__(self, code: JwsCode, detail: str) -> None:
        self.code = code
        self.detail = detail
        super().__init__(f"{code}: {detail}")


class _Registry(jws.JWSRegistry):
    max_payload_length = MAX_PAYLOAD_BYTES * 4 // 3 + 4


_REGISTRY = _Registry(algorithms=[ALGORITHM])


@dataclass(frozen=True, slots=True)
class Jws:
    """The parts of one compact JWS; that its signature holds is not implied."""

    kid: str
    typ: str
    payload: bytes
    parsed: jws.CompactSignature


def sign(key: OKPKey, kid: str, typ: str, payload: bytes) -> bytes:
    """The compact serialisation of `payload` signed by the private Ed25519 `key`."""
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise JwsError("format", f"payload has {len(payload)} bytes, at most {MAX_PAYLOAD_BYTES} are allowed")
    header = {"alg": ALGORITHM, "kid": kid, "typ": typ}
    return jws.serialize_compact(header, payload, key, registry=_REGISTRY).encode("ascii")


def parse(content: bytes) -> Jws:
    """Take a compact JWS apart without believing it. JwsError (`format`) for anything else."""
    try:
        parsed = jws.extract_compact(content, registry=_REGISTRY)
    except (JoseError, ValueError) as error:
        raise JwsError("format", f"no compact JWS: {_say(error)}") from error
    header = parsed.headers()
    if set(header) != {"alg", "kid", "typ"} or header["alg"] != ALGORITHM:
        raise JwsError("format", f"header must be alg={ALGORITHM}, kid, typ and nothing else")
    kid, typ = header["kid"], header["typ"]
    if not isinstance(kid, str) or not isinstance(typ, str):
        raise JwsError("format", "kid and typ must be strings")
    return Jws(kid, typ, bytes(parsed.payload or b""), parsed)


def verify(content: bytes, keys: PublicKeys, typ: str) -> Jws:
    """`parse`, and hold the signature against the trusted key that `kid` names.

    JwsError with code `format` (also for another `typ`), `unknown-key` or `signature`.
    """
    taken = parse(content)
    check_signature(taken, keys, typ)
    return taken


def check_signature(taken: Jws, keys: PublicKeys, typ: str) -> None:
    """The second half of `verify`."""
    if taken.typ != typ:
        raise JwsError("format", f"typ is {taken.typ[:80]!r}, expected {typ!r}")
    key = keys.get(taken.kid)
    if key is None:
        raise JwsError("unknown-key", f"no trusted key has the kid {taken.kid[:80]!r}")
    try:
        good = jws.validate_compact(taken.parsed, key, registry=_REGISTRY)
    except (JoseError, ValueError) as error:
        raise JwsError("signature", _say(error)) from error
    if not good:
        raise JwsError("signature", "the signature does not fit the bytes")


def public_keys(*keys: OKPKey | Mapping[str, Any]) -> dict[str, OKPKey]:
    """Public keys (or JWKs) by thumbprint. ValueError when one is no Ed25519 key."""
    found: dict[str, OKPKey] = {}
    for given in keys:
        key = given if isinstance(given, OKPKey) else import_public(given)
        found[key.thumbprint()] = key
    return found


def import_public(jwk: Mapping[str, Any]) -> OKPKey:
    """The public Ed25519 key in `jwk`. ValueError names what is wrong; a private part is refused."""
    if "d" in jwk:
        raise ValueError("the JWK holds a private key ('d'); give the public one")
    if jwk.get("kty") != "OKP" or jwk.get("crv") != "Ed25519":
        kind = f"kty={jwk.get('kty')!r} crv={jwk.get('crv')!r}"
        raise ValueError(f"{kind}: an Ed25519 public key (kty=OKP, crv=Ed25519) is expected")
    try:
        return OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": jwk["x"]})
    except (JoseError, KeyError, ValueError, TypeError) as error:
        raise ValueError(f"the JWK's 'x' is unusable: {_say(error)}") from error


def sha256_hex(content: bytes) -> str:
    """SHA-256 as 64 lower-case hexadecimal digits, as `previous` and every receipt write it."""
    return hashlib.sha256(content).hexdigest()


def _say(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:200]

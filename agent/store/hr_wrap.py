"""Evidence keys wrapped for HR staff besides, so that a lost device key loses no evidence (R8).

HR's key is the Ed25519 pair that their password yields (agent/configuration/credential.py): the device knows
its public half alone. Wrapping uses the same point as X25519 (RFC 7748 §4.1; the private half is the seed's
hash, RFC 8032 §5.1.5, as in libsodium's conversion), an ephemeral key each time, HKDF-SHA256 and AES-256-GCM.
Only `evidence` keys are wrapped so, never those of templates: what is withdrawn is gone for HR staff too.
"""

from __future__ import annotations

import hashlib
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_PRIME: Final = 2**255 - 19
_PUBLIC_BYTES: Final = 32
_ZERO_NONCE: Final = bytes(12)
"""Each key is derived from an ephemeral one and used once."""


class HrWrapError(Exception):
    """What was wrapped does not open by this key: another password's, another person's, or altered."""


def wrap(public_key: bytes, subject_id: str, key: bytes) -> bytes:
    """`key` for the holder of `public_key` (Ed25519, 32 bytes): ephemeral public key, ciphertext with tag."""
    ephemeral = X25519PrivateKey.from_private_bytes(os.urandom(32))
    own = ephemeral.public_key().public_bytes_raw()
    secret = ephemeral.exchange(X25519PublicKey.from_public_bytes(_montgomery(public_key)))
    return own + AESGCM(_derived(secret, own, public_key)).encrypt(_ZERO_NONCE, key, _binding(subject_id))


def unwrap(seed: bytes, subject_id: str, wrapped: bytes) -> bytes:
    """The key again; `seed` is what HR's password yields (32 bytes). HrWrapError."""
    public_key = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    private = X25519PrivateKey.from_private_bytes(hashlib.sha512(seed).digest()[:32])
    own, ciphertext = wrapped[:_PUBLIC_BYTES], wrapped[_PUBLIC_BYTES:]
    try:
        secret = private.exchange(X25519PublicKey.from_public_bytes(own))
        return AESGCM(_derived(secret, own, public_key)).decrypt(
            _ZERO_NONCE, ciphertext, _binding(subject_id)
        )
    except (InvalidTag, ValueError) as error:
        raise HrWrapError(f"the evidence key of {subject_id} does not open by this password") from error


def _montgomery(public_key: bytes) -> bytes:
    """The X25519 form of an Ed25519 public key: u = (1 + y) / (1 - y)."""
    if len(public_key) != _PUBLIC_BYTES:
        raise ValueError(f"a public key of {len(public_key)} bytes, expected {_PUBLIC_BYTES}")
    y = int.from_bytes(public_key, "little") & ((1 << 255) - 1)
    u = (1 + y) * pow(1 - y, -1, _PRIME) % _PRIME
    return u.to_bytes(32, "little")


def _derived(secret: bytes, ephemeral: bytes, public_key: bytes) -> bytes:
    info = b"classroom-agent/hr-wrap/1\x00" + ephemeral + public_key
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret)


def _binding(subject_id: str) -> bytes:
    return f"evidence\x00{subject_id}".encode()

"""The device's key agreement key (X25519, RFC 7748): configuration is encrypted to it.

It decides who can read a message, never who may change anything: that is HR's signature alone. Whoever
steals it learns the thresholds and rosters sent so far, so it is a file of its own, 0600.
"""

from __future__ import annotations

import json
from pathlib import Path

from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from agent.configuration.keyfile import make_once, read_secret
from agent.evidence.keys import KeyFileError

FILE_NAME = "agreement.jwk"


def load_or_create_agreement_key(keys: Path) -> OKPKey:
    """The private key in `keys`, made at first use. KeyFileError when its file is damaged or others may
    read it."""
    path = keys / FILE_NAME
    try:
        content = read_secret(path)
    except FileNotFoundError:
        fresh = OKPKey.generate_key("X25519").as_dict(private=True)
        content = make_once(path, json.dumps(fresh).encode())
    try:
        key = OKPKey.import_key(json.loads(content))
    except (ValueError, KeyError, TypeError, JoseError) as error:
        raise _damaged(path) from error
    if key.curve_name != "X25519" or not key.is_private:
        raise _damaged(path)
    return key


def public_agreement_jwk(key: OKPKey) -> dict[str, str]:
    """What the device card shows: `kty`, `crv`, `x` and `kid` (RFC 7638 thumbprint)."""
    public = key.as_dict(private=False)
    return {name: str(public[name]) for name in ("kty", "crv", "x")} | {"kid": key.thumbprint()}


def _damaged(path: Path) -> KeyFileError:
    return KeyFileError(
        f"密钥文件 {path} 已损坏，不是 X25519 私钥 JWK。请移走它再启动，并重新发放设备卡",
        f"{path} is no X25519 private JWK: move it away, start again and hand out the device card anew",
    )

"""The evidence key: signs records, lives in a folder that only the ledger's user may enter.

A file today; whoever owns the device's root can read it, and docs/threats.md says so. A TPM or a token
takes its place behind `SigningKey`, without any record looking different.

Beside it lies the list of all keys that ever signed this log. Whoever can write the database can write a
`log.key-changed` under a key of their own into it, so which keys were the ledger's is told by this folder,
where no other role can write, and never by the log.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from agent.board import create_atomically, write_atomically
from agent.errors import BilingualError
from agent.evidence import jws

KEY_FILE = "evidence-key.jwk"
HISTORY_FILE = "known-keys.json"

PublicJwk = dict[str, Any]


class KeyFileError(BilingualError):
    """The key file cannot be used; `zh` and `en` name the file, what is wrong and the remedy."""


class SigningKey(Protocol):
    """What the ledger asks of a key, wherever it lives."""

    @property
    def kid(self) -> str:
        """RFC 7638 thumbprint (SHA-256, base64url) of the public key."""
        ...

    @property
    def public_jwk(self) -> PublicJwk:
        """The public key as JWK with `kid`, `alg` and `use`."""
        ...

    @property
    def known_jwks(self) -> tuple[PublicJwk, ...]:
        """This key and all that signed the log before it, oldest first; nothing else is the ledger's own."""
        ...

    def sign(self, payload: bytes, typ: str) -> bytes:
        """A compact JWS over `payload`."""
        ...


@dataclass(frozen=True, slots=True)
class FileSigningKey:
    """An Ed25519 key held in memory, read from a JWK file."""

    key: OKPKey
    kid: str
    known_jwks: tuple[PublicJwk, ...]

    @property
    def public_jwk(self) -> PublicJwk:
        return public_jwk(self.key)

    def sign(self, payload: bytes, typ: str) -> bytes:
        return jws.sign(self.key, self.kid, typ, payload)


def public_jwk(key: OKPKey) -> PublicJwk:
    """The public half of an Ed25519 key as it is published."""
    x = key.as_dict(private=False)["x"]
    return {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": x,
        "kid": key.thumbprint(),
        "alg": jws.ALGORITHM,
        "use": "sig",
    }


def load_or_create(folder: Path) -> FileSigningKey:
    """The evidence key in `folder` (0700); made at first start, durable and on the list of the ledger's keys
    before it is used.

    KeyFileError for wrong owner, permissions or content: a key that others could read proves nothing, and
    replacing an unreadable one would silently break the chain of trust.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _check_private(folder, "700")
    path = folder / KEY_FILE
    if not path.exists():
        create_key_file(path)
    key = load(path)
    return replace(key, known_jwks=_remember(folder / HISTORY_FILE, key.public_jwk))


def load(path: Path) -> FileSigningKey:
    """The private key in `path`, without its history. KeyFileError as for `load_or_create`, or none there."""
    try:
        _check_private(path, "600")
        content = json.loads(path.read_bytes())
        if not isinstance(content, dict) or content.get("crv") != "Ed25519" or "d" not in content:
            raise ValueError("no private Ed25519 JWK")
        key = OKPKey.import_key({name: content[name] for name in ("kty", "crv", "x", "d")})
    except FileNotFoundError as error:
        raise KeyFileError(f"密钥文件 {path} 不存在", f"key file {path} is not there") from error
    except (ValueError, KeyError, TypeError, JoseError) as error:
        raise KeyFileError(
            f"密钥文件 {path} 已损坏（{error}）：请恢复其副本；确无副本才移走它，届时生成新密钥，须重新登记",
            f"key file {path} is damaged ({error}): restore its copy; only if "
            "there is none move it away, a new key is then made and must be registered again",
        ) from error
    return FileSigningKey(key, key.thumbprint(), (public_jwk(key),))


def create_key_file(path: Path) -> None:
    """Make a new Ed25519 key at `path` (0600), as `create_atomically`: FileExistsError when there is one."""
    key = OKPKey.generate_key("Ed25519")
    content = key.as_dict(private=True)
    content = {name: content[name] for name in ("kty", "crv", "x", "d")} | {"kid": key.thumbprint()}
    create_atomically(path, json.dumps(content).encode())


def _remember(path: Path, own: PublicJwk) -> tuple[PublicJwk, ...]:
    """The list in `path`, with `own` added, durably, when it is new."""
    known = _read_history(path)
    if own["kid"] in {key["kid"] for key in known}:
        return known
    known = (*known, own)
    content = json.dumps({"keys": known}, indent=2).encode() + b"\n"
    write_atomically(path, content, durable=True, mode=0o600)
    return known


def _read_history(path: Path) -> tuple[PublicJwk, ...]:
    try:
        _check_private(path, "600")
        keys = json.loads(path.read_bytes())["keys"]
        return tuple(public_jwk(jws.import_public(key)) for key in keys)
    except FileNotFoundError:
        return ()  # no key has signed yet
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise KeyFileError(
            f"密钥清单 {path} 已损坏（{error}）：请恢复其副本；确无副本才移走它，此后设备卡上只有现用密钥，"
            "以前的记录须凭人社部门或省平台留存的设备卡核验",
            f"the list of keys {path} is damaged ({error}): restore its copy; only if there is none move it "
            "away: the device card then shows the present key alone, and earlier records are verified by "
            "the card that HR or the province kept",
        ) from error


def _check_private(path: Path, mode: str) -> None:
    status = path.stat()
    if status.st_uid != os.geteuid():
        raise KeyFileError(
            f"{path} 属于 uid {status.st_uid}，本进程以 uid {os.geteuid()} 运行，请执行："
            f"chown {os.geteuid()} {path}",
            f"{path} belongs to uid {status.st_uid}, this process runs as uid {os.geteuid()}: "
            f"chown {os.geteuid()} {path}",
        )
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise KeyFileError(
            f"{path} 权限为 {stat.S_IMODE(status.st_mode):04o}，其他用户可读，请执行："
            f"chmod {mode} {path}；密钥应视为已被他人知悉",
            f"{path} has mode {stat.S_IMODE(status.st_mode):04o}, others may read it: "
            f"chmod {mode} {path}, and consider the key known to them",
        )

"""The evidence key: signs records, lives in a folder that only the ledger's user may enter.

A file today; whoever owns the device's root can read it, and docs/threats.md says so. A TPM or a token
takes its place behind `SigningKey`, without any record looking different.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from agent.board import sync_folder
from agent.evidence import jws

KEY_FILE = "evidence-key.jwk"


class KeyFileError(Exception):
    """The key file cannot be used; the message names the file, what is wrong and the remedy."""


class SigningKey(Protocol):
    """What the ledger asks of a key, wherever it lives."""

    @property
    def kid(self) -> str:
        """RFC 7638 thumbprint (SHA-256, base64url) of the public key."""
        ...

    @property
    def public_jwk(self) -> dict[str, Any]:
        """The public key as JWK with `kid`, `alg` and `use`."""
        ...

    def sign(self, payload: bytes, typ: str) -> bytes:
        """A compact JWS over `payload`."""
        ...


@dataclass(frozen=True, slots=True)
class FileSigningKey:
    """An Ed25519 key held in memory, read from a JWK file."""

    key: OKPKey
    kid: str

    @property
    def public_jwk(self) -> dict[str, Any]:
        return public_jwk(self.key)

    def sign(self, payload: bytes, typ: str) -> bytes:
        return jws.sign(self.key, self.kid, typ, payload)


def public_jwk(key: OKPKey) -> dict[str, Any]:
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
    """The evidence key in `folder` (0700); made at first start and durable before it is used.

    KeyFileError for wrong owner, permissions or content: a key that others could read proves nothing, and
    replacing an unreadable one would silently break the chain of trust.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _check_private(folder, "700")
    path = folder / KEY_FILE
    if not path.exists():
        create_key_file(path)
    return load(path)


def load(path: Path) -> FileSigningKey:
    """The private key in `path`. KeyFileError as for `load_or_create`, and when it is not there."""
    try:
        _check_private(path, "600")
        content = json.loads(path.read_bytes())
        if not isinstance(content, dict) or content.get("crv") != "Ed25519" or "d" not in content:
            raise ValueError("no private Ed25519 JWK")
        key = OKPKey.import_key({name: content[name] for name in ("kty", "crv", "x", "d")})
    except FileNotFoundError as error:
        raise KeyFileError(f"密钥文件不存在 / key file {path} is not there") from error
    except (ValueError, KeyError, TypeError, JoseError) as error:
        raise KeyFileError(
            f"密钥文件已损坏 / key file {path} is damaged ({error}): restore its copy; only if "
            "there is none move it away, a new key is then made and must be registered again"
        ) from error
    return FileSigningKey(key, key.thumbprint())


def create_key_file(path: Path) -> None:
    """Make a new Ed25519 key at `path` (0600), whole or not at all, synced with its folder.

    FileExistsError when there is one: linking a finished file cannot replace, and a crash cannot leave half.
    """
    key = OKPKey.generate_key("Ed25519")
    content = key.as_dict(private=True)
    content = {name: content[name] for name in ("kty", "crv", "x", "d")} | {"kid": key.thumbprint()}
    temporary = path.with_name(f".{path.name}.{uuid4()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(json.dumps(content).encode())
            file.flush()
            os.fsync(descriptor)
        os.link(temporary, path)
    finally:
        temporary.unlink()
    sync_folder(path.parent)


def _check_private(path: Path, mode: str) -> None:
    status = path.stat()
    if status.st_uid != os.geteuid():
        raise KeyFileError(
            f"属主不对 / {path} belongs to uid {status.st_uid}, this process runs as uid {os.geteuid()}: "
            f"chown {os.geteuid()} {path}"
        )
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise KeyFileError(
            f"权限过宽 / {path} has mode {stat.S_IMODE(status.st_mode):04o}, others may read it: "
            f"chmod {mode} {path}, and consider the key known to them"
        )

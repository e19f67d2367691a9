"""HR's password as a key pair: Argon2id over the device's salt gives an Ed25519 seed (RFC 9106, RFC 8032).

The device keeps the public key, the salt and the cost, so nothing on the SD card can forge a configuration.
Neither the public key nor its thumbprint is ever put into a record or a card: with the salt, which the card
shows, either would let whoever sees it try passwords at home.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path

from argon2.low_level import Type, hash_secret_raw
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc.jwk import OKPKey

from agent.clock import Stamp
from agent.configuration import passwords, setup_code
from agent.store import configuration as table
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact

SALT_BYTES = 16
KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Argon2Cost:
    """Argon2id's parameters; the defaults are OWASP's (19 MiB, 2 passes, 1 lane)."""

    memory_kib: int = 19_456
    time_cost: int = 2
    parallelism: int = 1


@dataclass(frozen=True, slots=True)
class Credential:
    """What the device knows of HR's password."""

    id: int
    """Counts the passwords ever set, from 1; records name this number and nothing else of it."""
    salt: bytes
    """16 bytes, drawn once for the device and kept over password changes, because HR's card shows it."""
    cost: Argon2Cost
    public_key: bytes
    """Ed25519, 32 bytes."""

    @property
    def verification_key(self) -> OKPKey:
        return OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": _base64url(self.public_key)})


class PasswordError(Exception):
    """A password was not set. `problems` holds one bilingual line for every reason."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


def derive_seed(password: str, salt: bytes, cost: Argon2Cost = Argon2Cost()) -> bytes:
    """The 32 bytes that a password yields. Takes about 0.04 s on a desk machine, a few times that on a Pi."""
    if len(salt) != SALT_BYTES:
        raise ValueError(f"salt of {len(salt)} bytes, expected {SALT_BYTES}")
    return hash_secret_raw(
        passwords.normalise(password),
        salt,
        time_cost=cost.time_cost,
        memory_cost=cost.memory_kib,
        parallelism=cost.parallelism,
        hash_len=KEY_BYTES,
        type=Type.ID,
    )


def derive_key(password: str, salt: bytes, cost: Argon2Cost = Argon2Cost()) -> OKPKey:
    """HR's private signing key."""
    seed = derive_seed(password, salt, cost)
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    return OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": _base64url(public), "d": _base64url(seed)})


def current_credential(store: Store) -> Credential | None:
    """The credential in force; None while HR has set no password."""
    row = table.newest_credential(store)
    if row is None:
        return None
    cost = Argon2Cost(row["memory_kib"], row["time_cost"], row["parallelism"])
    return Credential(row["id"], row["salt"], cost, row["public_key"])


def verify_password(store: Store, password: str) -> bool:
    """Whether `password` is HR's; False while none is set. Slow on purpose: bound the tries before it."""
    credential = current_credential(store)
    if credential is None or len(password) > passwords.MAXIMUM_LENGTH:
        return False
    return _yields(credential, password)


def set_first_password(
    store: Store, stamp: Stamp, keys: Path, *, code: str, password: str, simulated: bool
) -> None:
    """Set the first password with the one-time `code` from `keys`, which is void afterwards.

    PasswordError when the code is wrong, a password is already set, or the new one is weak.
    """
    problems = passwords.weaknesses(password)
    if not setup_code.setup_code_matches(keys, code):
        problems.insert(
            0,
            "设置码不对，技术员可用命令 classroom-agent setup-code 查看 / "
            "wrong setup code: the technician can show it with classroom-agent setup-code",
        )
    if problems:
        raise PasswordError(problems)
    salt = secrets.token_bytes(SALT_BYTES)
    public_key = _public_bytes(derive_key(password, salt))
    with store.transaction():
        if table.newest_credential(store) is not None:  # somebody was faster: the code is already void
            raise PasswordError(["密码已经设置过 / a password is already set; change it with the old one"])
        _insert(store, stamp, salt, public_key, simulated)
    setup_code.void_setup_code(keys)


def change_password(store: Store, stamp: Stamp, *, old: str, new: str, simulated: bool) -> None:
    """Replace the password; messages signed under the old one are refused from the commit on.

    PasswordError when `old` is not the password, or the new one is weak or the same.
    """
    credential = current_credential(store)
    if credential is None or not _yields(credential, old):
        raise PasswordError(["原密码不对 / the old password is wrong"])
    problems = passwords.weaknesses(new)
    if passwords.normalise(old) == passwords.normalise(new):
        problems.append("新密码与原密码相同 / the new password is the old one")
    if problems:
        raise PasswordError(problems)
    public_key = _public_bytes(derive_key(new, credential.salt))
    with store.transaction():
        newest = table.newest_credential(store)
        if newest is None or newest["id"] != credential.id:  # changed meanwhile: `old` is no longer it
            raise PasswordError(["原密码不对 / the old password is wrong"])
        _insert(store, stamp, credential.salt, public_key, simulated)


def _yields(credential: Credential, password: str) -> bool:
    derived = _public_bytes(derive_key(password, credential.salt, credential.cost))
    return hmac.compare_digest(derived, credential.public_key)


def _insert(store: Store, stamp: Stamp, salt: bytes, public_key: bytes, simulated: bool) -> None:
    cost = Argon2Cost()
    number = table.insert_credential(
        store,
        salt=salt,
        memory_kib=cost.memory_kib,
        time_cost=cost.time_cost,
        parallelism=cost.parallelism,
        public_key=public_key,
        set_us=stamp.wall_us,
    )
    data = {"credential": number, "first": number == 1}
    state_fact(store, stamp, Fact(FactType.PASSWORD_SET, "node", simulated, data))


def _public_bytes(key: OKPKey) -> bytes:
    return key.public_key.public_bytes_raw()


def _base64url(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode("ascii")
